//! Order: of what one socket asks, and of what everybody in a conversation sees.

#![cfg(test)]

use std::collections::HashMap;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    app::TestApp,
    client::{Asked, Client, assert_refused},
    lock::{Lock, blocked},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_socket_asks_is_answered_in_order() {
    let (app, gateway) = TestApp::with_gateway().await;
    let conversations = ["a", "b", "c"];
    for conversation in conversations {
        app.conversation(&gateway, conversation, &["ann", "bob"]).await;
    }
    let (ann, bob) = (Client::connect(&gateway, "ann").await, Client::connect(&gateway, "bob").await);
    for conversation in conversations {
        ann.join(conversation).await;
        bob.join(conversation).await;
    }
    let mut sent: HashMap<&str, Vec<String>> = HashMap::new();
    for round in 0..5_usize {
        // No more at once than may wait.
        let mut asked = Vec::new();
        for n in 0..40_usize {
            let (conversation, text) = (conversations[n % 3], format!("{round}-{n}"));
            let message = json!({"conversationId": conversation, "content": text});
            let place = json!({"conversationId": conversation});
            asked.push(match n % 7 {
                0 => ann.ask("echo", json!(n)).await,
                1 => ann.ask("ping", json!({})).await,
                2 => ann.ask("typing:start", place).await,
                3 => ann.ask("message:send", json!({"conversationId": conversation, "content": " "})).await,
                4 => ann.ask("no:such:event", json!({})).await,
                _ => {
                    sent.entry(conversation).or_default().push(text);
                    ann.ask("message:send", message).await
                }
            });
        }
        for (n, asked) in asked.iter().enumerate() {
            let answer = ann.answer(*asked).await;
            match n % 7 {
                0 => assert_eq!(answer["echo"], n),
                3 => drop(assert_refused(&answer, "content_blank")),
                4 => drop(assert_refused(&answer, "unknown_event")),
                _ => assert_eq!(answer["ok"], true, "{answer}"),
            }
        }
    }
    let order = ann.order_of_answers();
    assert!(order.is_sorted(), "{order:?}");
    let total = sent.values().map(Vec::len).sum();
    let events = bob.until("message:created", total).await;
    for (conversation, texts) in sent {
        let of = |event: &&Value| event["conversationId"] == conversation;
        let came: Vec<&Value> = events.iter().filter(of).map(|event| &event["content"]).collect();
        assert_eq!(came, texts.iter().collect::<Vec<_>>());
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_history_does_not_hold_up_what_is_sent_after_it() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("postgres.statement_deadline", "30s")]).await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let ann = Client::connect(&gateway, "ann").await;
    let lock = Lock::on(&app, "messages").await;
    let history = ann.ask("message:history", json!({"conversationId": "c"})).await;
    let mut ids = Vec::new();
    for n in 0..20 {
        ids.push(ann.send("c", &n.to_string()).await["id"].clone());
    }
    blocked(&app.store, 1).await;
    assert_eq!(ann.answered(history), None);
    lock.release().await;
    assert_eq!(ann.answer(history).await["ok"], true);
    let (messages, _) = ann.history(json!({"conversationId": "c"})).await;
    assert_eq!(messages.iter().map(|message| message["id"].clone()).collect::<Vec<_>>(), ids);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_beyond_the_bound_of_a_socket_are_refused_and_the_others_answered() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("postgres.statement_deadline", "30s")]).await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let ann = Client::connect(&gateway, "ann").await;
    ann.join("c").await;
    let lock = Lock::on(&app, "messages").await;
    let mut asked: Vec<Asked> = Vec::new();
    for _ in 0..2 {
        asked.push(ann.ask("message:history", json!({"conversationId": "c"})).await);
    }
    blocked(&app.store, 2).await;
    ann.refused("message:history", json!({"conversationId": "c"}), "overloaded").await;
    lock.release().await;
    for asked in asked {
        assert_eq!(ann.answer(asked).await["ok"], true);
    }
    ann.history(json!({"conversationId": "c"})).await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_on_every_gateway_sees_concurrent_messages_in_one_order() {
    const SENDERS: usize = 6;
    const EACH: usize = 40;
    let (app, one, other) = TestApp::with_two_gateways().await;
    let names: Vec<String> =
        (0..SENDERS).map(|n| format!("s{n}")).chain(["r0".into(), "r1".into()]).collect();
    app.conversation(&one, "c", &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut readers = Vec::new();
    for (name, gateway) in [("r0", &one), ("r1", &other), ("r1", &one)] {
        let reader = Client::connect(gateway, name).await;
        reader.join("c").await;
        readers.push(reader);
    }
    let mut senders = Vec::new();
    for n in 0..SENDERS {
        let client = Client::connect(if n % 2 == 0 { &one } else { &other }, &format!("s{n}")).await;
        client.join("c").await;
        senders.push(client);
    }
    let mut sending = JoinSet::new();
    for client in senders {
        sending.spawn(async move {
            let mut acknowledged = Vec::new();
            for text in 0..EACH {
                acknowledged.push(client.send("c", &text.to_string()).await);
            }
            (client, acknowledged)
        });
    }
    let senders = sending.join_all().await;
    let seen = readers[0].until("message:created", SENDERS * EACH).await;
    let seqs: Vec<u64> = seen.iter().map(|message| message["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=(SENDERS * EACH) as u64).collect::<Vec<_>>());
    for reader in &readers[1..] {
        assert_eq!(reader.until("message:created", SENDERS * EACH).await, seen);
    }
    for (client, acknowledged) in senders {
        let others: Vec<&Value> = seen.iter().filter(|message| !acknowledged.contains(message)).collect();
        let came = client.until("message:created", others.len()).await;
        assert_eq!(came.iter().collect::<Vec<_>>(), others);
        let own: Vec<&Value> = seen.iter().filter(|message| acknowledged.contains(message)).collect();
        assert_eq!(own, acknowledged.iter().collect::<Vec<_>>(), "its own are in the order of sending");
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_that_change_the_same_thing_take_effect_in_the_order_of_sending() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann", "bob"]).await;
    let (ann, bob) = (Client::connect(&gateway, "ann").await, Client::connect(&gateway, "bob").await);
    for n in 0..30 {
        let place = || json!({"conversationId": "c"});
        let mut asked = Vec::new();
        for event in ["conversation:join", "conversation:leave", "conversation:join", "conversation:leave"] {
            asked.push(bob.ask(event, place()).await);
        }
        let ends_inside = n % 2 == 0;
        if ends_inside {
            asked.push(bob.ask("conversation:join", place()).await);
        }
        let last = bob.answer(*asked.last().unwrap()).await;
        assert_eq!(last["ok"], true, "{last}");
        let before = bob.events("message:created").len();
        ann.send("c", "x").await;
        if ends_inside {
            bob.until("message:created", before + 1).await;
            bob.leave("c").await;
        } else {
            let marker = ann.join("c").await;
            assert_eq!(marker["ok"], true);
            ann.leave("c").await;
            bob.ping().await;
            assert_eq!(bob.events("message:created").len(), before);
        }
    }
    app.end().await;
}
