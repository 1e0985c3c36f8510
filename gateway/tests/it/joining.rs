//! Joining and leaving: one subscription however many join, and a join's answer that can be believed.

#![cfg(test)]

use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::{task::JoinSet, time::Instant};

use crate::{
    app::{Gateway, TestApp, eventually},
    client::Client,
    proxy::Proxy,
};

fn offsets(events: &[Value]) -> Vec<u64> {
    events.iter().map(|event| event["offset"].as_u64().unwrap()).collect()
}

/// Sends `count` messages, one after the other.
async fn talk(sender: &Client, conversation: &str, count: usize) {
    for n in 0..count {
        sender.send(conversation, &n.to_string()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_joins_share_one_subscription_and_each_gets_all_that_follows_its_answer() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["sender", "reader"]).await;
    let sender = Arc::new(Client::connect(&there, "sender").await);
    let mut talking = JoinSet::new();
    let talker = Arc::clone(&sender);
    talking.spawn(async move { talk(&talker, "c", 150).await });
    let mut joining = JoinSet::new();
    for _ in 0..40 {
        let here = here.clone();
        joining.spawn(async move {
            let client = Client::connect(&here, "reader").await;
            let joined = client.join("c").await["offset"].as_u64().unwrap();
            (client, joined)
        });
    }
    let joined = joining.join_all().await;
    assert_eq!(app.subscriptions("c").await, 1);
    talking.join_all().await;
    let last = sender.send("c", "last").await["offset"].as_u64().unwrap();
    for (client, joined) in joined {
        assert!(joined < last);
        let expected: Vec<u64> = (joined + 1..=last).collect();
        let events = client.until("message:created", expected.len()).await;
        assert_eq!(offsets(&events), expected);
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_leaves_and_joins_at_once_gets_all_that_follows_the_last_answer() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["sender", "reader"]).await;
    let reader = Client::connect(&here, "reader").await;
    reader.join("c").await;
    let sender = Client::connect(&there, "sender").await;
    let mut sent = 0;
    let hop = async {
        let mut last = None;
        for _ in 0..60 {
            let left = reader.ask("conversation:leave", json!({"conversationId": "c"})).await;
            let joined = reader.ask("conversation:join", json!({"conversationId": "c"})).await;
            assert_eq!(reader.answer(left).await["ok"], true);
            let joined = reader.answer(joined).await;
            assert_eq!(joined["ok"], true, "{joined}");
            last = joined["offset"].as_u64();
        }
        last.unwrap()
    };
    let talk = async {
        for _ in 0..100 {
            sender.send("c", "x").await;
            sent += 1;
        }
    };
    let (joined, ()) = tokio::join!(hop, talk);
    let last = sender.send("c", "last").await["offset"].as_u64().unwrap();
    eventually("the last message comes", async || {
        offsets(&reader.events("message:created")).ends_with(&[last]).then_some(())
    })
    .await;
    let got = offsets(&reader.events("message:created"));
    assert!(got.is_sorted_by(|a, b| a < b), "each once and in order: {got:?}");
    let after: Vec<u64> = got.into_iter().filter(|offset| *offset > joined).collect();
    assert_eq!(after, (joined + 1..=last).collect::<Vec<_>>());
    app.end().await;
}

/// Whoever joins while the subscription is about to end, or ending, is in as well as anybody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_at_the_moment_of_the_unsubscription_is_live_when_it_is_answered() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    let mut trying = JoinSet::new();
    let sender = Arc::new(Client::connect(&there, "sender").await);
    for n in 0..40_u64 {
        let conversation = format!("c{n}");
        app.conversation(&here, &conversation, &["sender", "reader"]).await;
        let (here, sender) = (here.clone(), Arc::clone(&sender));
        trying.spawn(async move {
            let reader = Client::connect(&here, "reader").await;
            reader.join(&conversation).await;
            reader.leave(&conversation).await;
            // Not a wait for something: it aims at the moment one second later, from both sides.
            tokio::time::sleep(Duration::from_millis(980 + n)).await;
            reader.join(&conversation).await;
            let sent = sender.send(&conversation, "x").await;
            assert_eq!(reader.event("message:created").await["id"], sent["id"]);
        });
    }
    trying.join_all().await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_leave_unsubscribes_after_a_second_and_not_before() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann", "bob"]).await;
    let (ann, bob) = (Client::connect(&gateway, "ann").await, Client::connect(&gateway, "bob").await);
    ann.join("c").await;
    bob.join("c").await;
    assert_eq!(app.subscriptions("c").await, 1);
    ann.leave("c").await;
    let left = Instant::now();
    drop(bob);
    eventually("the subscription ends", async || (app.subscriptions("c").await == 0).then_some(())).await;
    assert!(left.elapsed() >= Duration::from_secs(1), "{:?}", left.elapsed());
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_without_members_receives_nothing() {
    let app = TestApp::new().await;
    let proxy = Proxy::before(&app.redis_url()).await;
    let here = app.gateway(&[]).await;
    let elsewhere = app.gateway(&[("redis.url", proxy.url())]).await;
    app.conversation(&here, "c", &["ann", "bob"]).await;
    let (ann, bob) = (Client::connect(&here, "ann").await, Client::connect(&here, "bob").await);
    let sends_elsewhere = Client::connect(&elsewhere, "ann").await;
    bob.join("c").await;
    eventually("probes are subscribed", async || (proxy.bytes_published() > 0).then_some(())).await;
    let before = proxy.bytes_published();
    let text = "x".repeat(1_000);
    for _ in 0..50 {
        ann.send("c", &text).await;
        sends_elsewhere.send("c", &text).await;
    }
    bob.until("message:created", 100).await;
    let received = proxy.bytes_published() - before;
    assert!(received < 20_000, "of 100 messages of 1,000 bytes came {received} bytes");
    app.end().await;
}

async fn removed_from_everywhere(app: &TestApp, gateways: [&Gateway; 2]) {
    let [here, there] = gateways;
    app.conversation(here, "c", &["ann", "bob"]).await;
    let ann = Client::connect(here, "ann").await;
    let bobs = [Client::connect(here, "bob").await, Client::connect(there, "bob").await];
    ann.join("c").await;
    for bob in &bobs {
        bob.join("c").await;
    }
    here.remove("c", "bob").await;
    for bob in &bobs {
        let removed = bob.event("participant:removed").await;
        assert_eq!(removed["participant"]["id"], "bob");
        let left = bob.event("conversation:left").await;
        assert_eq!(left, json!({"conversationId": "c", "reason": "removed"}));
    }
    ann.event("participant:removed").await;
    let secret = ann.send("c", "now we are alone").await;
    for bob in &bobs {
        bob.refused("message:send", json!({"conversationId": "c", "content": "hello?"}), "not_a_participant")
            .await;
        bob.refused("conversation:join", json!({"conversationId": "c"}), "not_a_participant").await;
        bob.refused("message:history", json!({"conversationId": "c"}), "not_a_participant").await;
        bob.refused("typing:start", json!({"conversationId": "c"}), "not_a_participant").await;
    }
    there.add("c", "bob").await;
    ann.event("participant:added").await;
    for bob in &bobs {
        bob.join("c").await;
    }
    let again = ann.send("c", "welcome back").await;
    for bob in &bobs {
        assert_eq!(bob.event("message:created").await["id"], again["id"], "and not {}", secret["id"]);
        bob.send("c", "thanks").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_participant_is_out_on_every_gateway_until_added_again() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    removed_from_everywhere(&app, [&here, &there]).await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_participant_whose_other_device_never_joined_is_refused_too() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["ann", "bob"]).await;
    let (ann, bob) = (Client::connect(&there, "ann").await, Client::connect(&there, "bob").await);
    // Ann's being there makes that gateway hear the conversation and remember who is in it.
    ann.join("c").await;
    bob.send("c", "hello").await;
    here.remove("c", "bob").await;
    bob.refused(
        "message:send",
        json!({"conversationId": "c", "content": "still here?"}),
        "not_a_participant",
    )
    .await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_senders_other_devices_get_the_message_and_the_sending_one_does_not() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["ann", "bob"]).await;
    let sends = Client::connect(&here, "ann").await;
    let others = [
        Client::connect(&here, "ann").await,
        Client::connect(&there, "ann").await,
        Client::connect(&there, "bob").await,
    ];
    sends.join("c").await;
    for other in &others {
        other.join("c").await;
    }
    let sent = sends.send("c", "hello").await;
    for other in &others {
        assert_eq!(other.event("message:created").await, sent);
    }
    // What comes from elsewhere, comes after it.
    others[2].send("c", "hi").await;
    assert_eq!(sends.event("message:created").await["content"], "hi");
    assert_eq!(sends.events("message:created").len(), 1);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_participants_join_and_nobody_joins_what_does_not_exist() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let eve = Client::connect(&gateway, "eve").await;
    for conversation in ["c", "nowhere"] {
        let page = json!({"conversationId": conversation});
        eve.refused("conversation:join", page, "not_a_participant").await;
    }
    let ann = Client::connect(&gateway, "ann").await;
    ann.join("c").await;
    ann.send("c", "a secret").await;
    gateway.add("c", "eve").await;
    let added = ann.event("participant:added").await;
    assert_eq!(added["participant"]["id"], "eve");
    assert_eq!(eve.join("c").await["offset"], added["offset"]);
    assert!(eve.events("message:created").is_empty());
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn joining_twice_delivers_once_and_leaving_twice_is_fine() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann", "bob"]).await;
    let (ann, bob) = (Client::connect(&gateway, "ann").await, Client::connect(&gateway, "bob").await);
    for _ in 0..2 {
        bob.join("c").await;
    }
    ann.send("c", "one").await;
    let second = ann.send("c", "two").await;
    let got = bob.until("message:created", 2).await;
    assert_eq!(got[1], second, "each came once");
    for _ in 0..2 {
        bob.leave("c").await;
    }
    ann.join("c").await;
    ann.send("c", "three").await;
    let joined = bob.join("c").await;
    let fourth = ann.send("c", "four").await;
    // What was said while he was out may still be on its way to the gateway: the join says from where on he gets it.
    let expected =
        usize::try_from(fourth["offset"].as_u64().unwrap() - joined["offset"].as_u64().unwrap()).unwrap();
    let got = bob.until("message:created", 2 + expected).await;
    assert_eq!((got.len(), &got[1 + expected]), (2 + expected, &fourth), "nothing else came");
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conversations_beyond_the_bound_of_a_socket_are_refused() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("limits.joined_conversations", "2")]).await;
    for conversation in ["a", "b", "c"] {
        app.conversation(&gateway, conversation, &["ann"]).await;
    }
    let ann = Client::connect(&gateway, "ann").await;
    ann.join("a").await;
    ann.join("b").await;
    ann.join("a").await;
    ann.refused("conversation:join", json!({"conversationId": "c"}), "limit_reached").await;
    ann.leave("a").await;
    ann.join("c").await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_that_vanish_leave_no_subscription_behind() {
    let (app, gateway) = TestApp::with_gateway().await;
    let seqs: RangeInclusive<u32> = 1..=10;
    for n in seqs.clone() {
        app.conversation(&gateway, &format!("c{n}"), &["ann"]).await;
    }
    for n in seqs.clone() {
        let ann = Client::connect(&gateway, "ann").await;
        // Gone before the answer: some before the subscription, some after it.
        ann.ask("conversation:join", json!({"conversationId": format!("c{n}")})).await;
    }
    for n in seqs {
        let conversation = format!("c{n}");
        eventually("nobody subscribes", async || (app.subscriptions(&conversation).await == 0).then_some(()))
            .await;
    }
    assert_eq!(gateway.metric("parlance_connections{dialect=\"native\"}").await, 0.0);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_that_meets_the_removal_does_not_outlive_it() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    let ann = Client::connect(&there, "ann").await;
    let eve = Client::connect(&here, "eve").await;
    for n in 0..40 {
        let conversation = format!("c{n}");
        app.conversation(&there, &conversation, &["ann", "eve"]).await;
        if n % 2 == 0 {
            // So that the gateway hears the conversation already, and remembers who is in it.
            eve.join(&conversation).await;
            eve.leave(&conversation).await;
        }
        let join = async {
            let mut joined = false;
            for _ in 0..5 {
                joined = eve.call("conversation:join", json!({"conversationId": conversation})).await["ok"]
                    == true;
            }
            joined
        };
        let (joined, ()) = tokio::join!(join, there.remove(&conversation, "eve"));
        if joined {
            eventually("she is put out", async || {
                eve.events("conversation:left")
                    .iter()
                    .any(|left| left["conversationId"] == conversation)
                    .then_some(())
            })
            .await;
        }
        ann.send(&conversation, "now we are alone").await;
    }
    // What is said in another conversation comes after whatever came of these.
    app.conversation(&there, "last", &["ann", "eve"]).await;
    eve.join("last").await;
    ann.send("last", "hello").await;
    eve.event("message:created").await;
    eve.ping().await;
    let got = eve.events("message:created");
    assert_eq!(got.len(), 1, "{got:?}");
    app.end().await;
}
