//! What publications a gateway does not hear, its members get nevertheless: each once, in order.

#![cfg(test)]

use std::time::Duration;

use fred::interfaces::{HashesInterface, KeysInterface};
use serde_json::{Value, json};

use crate::{
    app::{DEADLINE, Gateway, TestApp, eventually, id},
    client::Client,
    proxy::Proxy,
};

mod by_state;

/// A reader behind a way that a test can disturb, and a sender elsewhere.
struct Scene {
    app: TestApp,
    proxy: Proxy,
    here: Gateway,
    there: Gateway,
    reader: Client,
    sender: Client,
}

impl Scene {
    async fn new(more: &[(&str, &str)]) -> Self {
        let app = TestApp::new().await;
        let proxy = Proxy::before(&app.redis_url()).await;
        let settings: Vec<_> = [("redis.url", proxy.url())].into_iter().chain(more.iter().copied()).collect();
        let (here, there) = (app.gateway(&settings).await, app.gateway(&[]).await);
        app.conversation(&there, "c", &["reader", "sender"]).await;
        let reader = Client::connect(&here, "reader").await;
        reader.join("c").await;
        let sender = Client::connect(&there, "sender").await;
        Self { app, proxy, here, there, reader, sender }
    }

    async fn send(&self, count: usize) -> Vec<Value> {
        let mut sent = Vec::new();
        for n in 0..count {
            sent.push(self.sender.send("c", &n.to_string()).await);
        }
        sent
    }

    /// Sends what the reader does not hear of.
    async fn send_unheard(&self, count: usize) -> Vec<Value> {
        self.proxy.deafen_subscriber();
        let sent = self.send(count).await;
        let last = sent.last().unwrap()["id"].as_str().unwrap();
        self.proxy.has_thrown_away(last).await;
        sent
    }

    /// Redis has lost the state and the hot log.
    async fn forget_state(&self) {
        let keys = self.app.broker.keys();
        let lost = vec![keys.state(&id("c")), keys.log(&id("c"))];
        let _: u64 = self.app.broker.client().del(lost).await.unwrap();
    }

    async fn reader_gets(&self, expected: &[Value]) {
        let came = self.reader.until("message:created", expected.len()).await;
        assert_eq!(came, expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_is_filled_from_the_hot_log_before_what_follows_it() {
    let scene = Scene::new(&[]).await;
    let mut sent = scene.send(2).await;
    scene.reader_gets(&sent).await;
    sent.extend(scene.send_unheard(5).await);
    scene.proxy.hear();
    sent.extend(scene.send(2).await);
    scene.reader_gets(&sent).await;
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nothing_follows_is_found_by_comparing() {
    let scene = Scene::new(&[("gateway.compare_interval", "1s")]).await;
    let sent = scene.send_unheard(5).await;
    scene.proxy.hear();
    scene.reader_gets(&sent).await;
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_while_the_subscriber_breaks_again_and_again_comes_once_and_in_order() {
    let scene = Scene::new(&[]).await;
    let mut sent = Vec::new();
    for _ in 0..6 {
        sent.extend(scene.send(20).await);
        scene.proxy.break_subscriber();
        sent.extend(scene.send(20).await);
        eventually("it subscribes again", async || (scene.app.subscriptions("c").await == 1).then_some(()))
            .await;
    }
    scene.reader_gets(&sent).await;
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_while_the_subscriber_is_broken_is_live_when_it_is_answered() {
    let scene = Scene::new(&[]).await;
    scene.app.conversation(&scene.there, "d", &["reader", "sender"]).await;
    for _ in 0..10 {
        scene.proxy.break_subscriber();
        let answer = scene.reader.call("conversation:join", json!({"conversationId": "d"})).await;
        if answer["ok"] == true {
            let sent = scene.sender.send("d", "x").await;
            assert_eq!(scene.reader.event("message:created").await["id"], sent["id"]);
            scene.reader.leave("d").await;
        } else {
            assert_eq!(answer["error"]["code"], "unavailable");
        }
        eventually("it subscribes again", async || (scene.app.subscriptions("c").await == 1).then_some(()))
            .await;
    }
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_looks_healthy_and_is_dead_is_found_and_replaced() {
    let scene = Scene::new(&[]).await;
    eventually("it is ready", async || scene.here.is_ready().await.then_some(())).await;
    scene.proxy.deafen_subscriber();
    let sent = scene.send(5).await;
    eventually("it says so", async || (!scene.here.is_ready().await).then_some(())).await;
    let came = scene.reader.until_within(DEADLINE * 2, "message:created", 5).await;
    assert_eq!(came, sent);
    eventually("it is ready again", async || scene.here.is_ready().await.then_some(())).await;
    let more = scene.send(1).await;
    assert_eq!(scene.reader.until("message:created", 6).await[5..], more);
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_hot_log_has_no_longer_comes_from_postgres() {
    let scene = Scene::new(&[]).await;
    let _worker = scene.app.worker().await;
    let mut sent = scene.send_unheard(5).await;
    scene.there.add("c", "carol").await;
    sent.extend(scene.send(2).await);
    scene.app.drained("c").await;
    let log = scene.app.broker.keys().log(&id("c"));
    let _: u64 = scene.app.broker.client().del(log).await.unwrap();
    scene.proxy.hear();
    sent.extend(scene.send(2).await);
    scene.reader_gets(&sent).await;
    let added = scene.reader.event("participant:added").await;
    assert_eq!(added["participant"]["id"], "carol");
    let offsets: Vec<u64> =
        scene.reader.received().iter().filter_map(|event| event.payload["offset"].as_u64()).collect();
    assert!(offsets.is_sorted_by(|a, b| a < b), "{offsets:?}");
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_longer_than_the_hot_log_and_a_page_is_filled() {
    let scene = Scene::new(&[]).await;
    let _worker = scene.app.worker().await;
    scene.proxy.deafen_subscriber();
    let mut sent = Vec::new();
    for n in 0..700 {
        sent.push(
            scene.sender.ask("message:send", json!({"conversationId": "c", "content": n.to_string()})).await,
        );
        if n % 32 == 31 {
            scene.sender.answer(sent[n]).await;
        }
    }
    let mut messages = Vec::new();
    for asked in sent {
        messages.push(scene.sender.answer(asked).await["message"].clone());
    }
    scene.proxy.hear();
    messages.extend(scene.send(1).await);
    scene.reader_gets(&messages).await;
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_below_what_is_not_persisted_yet_waits_for_the_worker() {
    let scene = Scene::new(&[]).await;
    let mut sent = scene.send_unheard(3).await;
    let log = scene.app.broker.keys().log(&id("c"));
    let _: u64 = scene.app.broker.client().del(log).await.unwrap();
    scene.proxy.hear();
    sent.extend(scene.send(1).await);
    scene.reader.ping().await;
    assert!(scene.reader.events("message:created").is_empty(), "a later message does not overtake");
    let _worker = scene.app.worker().await;
    scene.reader_gets(&sent).await;
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_go_on_from_postgres_when_redis_has_lost_them() {
    let scene = Scene::new(&[]).await;
    let _worker = scene.app.worker().await;
    let mut sent = scene.send(3).await;
    scene.reader_gets(&sent).await;
    scene.app.drained("c").await;
    scene.forget_state().await;
    sent.extend(scene.send(2).await);
    let numbers: Vec<_> = sent.iter().map(|message| message["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    let offsets: Vec<_> = sent.iter().map(|message| message["offset"].as_u64().unwrap()).collect();
    assert!(offsets.is_sorted_by(|a, b| a < b), "{offsets:?}");
    scene.reader_gets(&sent).await;
    assert!(scene.reader.events("resync").is_empty());
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_redis_knows_no_longer_is_found_though_nothing_follows_it() {
    // By comparing all the time, and by what is done after a break.
    for (compare, breaks) in [("1s", false), ("1h", true)] {
        let scene = Scene::new(&[("gateway.compare_interval", compare)]).await;
        let _worker = scene.app.worker().await;
        scene.proxy.freeze();
        let mut sent = scene.send(3).await;
        scene.app.drained("c").await;
        scene.forget_state().await;
        if breaks {
            scene.proxy.break_subscriber();
            scene.proxy.mend();
        } else {
            scene.proxy.deafen_subscriber();
            scene.proxy.mend();
            scene.proxy.has_thrown_away(sent[2]["id"].as_str().unwrap()).await;
            scene.proxy.hear();
        }
        scene.reader_gets(&sent).await;
        // The numbers were read from Postgres, and go on.
        sent.extend(scene.send(1).await);
        assert_eq!(sent[3]["seq"], 4);
        scene.reader_gets(&sent).await;
        assert!(scene.reader.events("resync").is_empty());
        scene.app.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_reads_the_numbers_that_redis_has_lost_from_postgres() {
    let scene = Scene::new(&[]).await;
    let worker = scene.app.worker().await;
    let sent = scene.send(3).await;
    scene.app.drained("c").await;
    worker.stop().await;
    scene.forget_state().await;
    let joined = Client::connect(&scene.there, "reader").await.join("c").await;
    assert_eq!(joined["seq"], 3);
    assert_eq!(joined["offset"], sent[2]["offset"]);
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_came_back_whole_starts_an_epoch_and_resyncs_nobody() {
    let scene = Scene::new(&[]).await;
    let near = Client::connect(&scene.there, "reader").await;
    near.join("c").await;
    let mut sent = scene.send(3).await;
    scene.reader_gets(&sent).await;
    restarted(&scene.app).await;
    sent.extend(scene.send(2).await);
    assert_eq!(sent[3]["epoch"], 2);
    assert_eq!((&sent[3]["seq"], &sent[4]["seq"]), (&json!(4), &json!(5)));
    assert_eq!(sent[3]["offset"].as_u64(), sent[2]["offset"].as_u64().map(|offset| offset + 1));
    for reader in [&scene.reader, &near] {
        assert_eq!(reader.until("message:created", 5).await, sent);
        assert!(reader.events("resync").is_empty());
    }
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_went_back_in_time_gives_no_number_twice_and_resyncs_who_saw_what_is_lost() {
    let scene = Scene::new(&[]).await;
    let near = Client::connect(&scene.there, "reader").await;
    near.join("c").await;
    let sent = scene.send(5).await;
    scene.reader_gets(&sent).await;
    near.until("message:created", 5).await;
    // As after a crash that took the last two messages.
    restarted(&scene.app).await;
    let kept = [("seq", sent[2]["seq"].to_string()), ("rev", sent[2]["offset"].to_string())];
    let state = scene.app.broker.keys().state(&id("c"));
    let _: i64 = scene.app.broker.client().hset(state, kept.to_vec()).await.unwrap();
    let after = scene.send(1).await.remove(0);
    assert_eq!(after["epoch"], 2);
    assert!(after["offset"].as_u64() > sent[4]["offset"].as_u64(), "{after}");
    assert!(after["seq"].as_u64() > sent[4]["seq"].as_u64(), "{after}");
    for reader in [&scene.reader, &near] {
        let resync = reader.event("resync").await;
        assert_eq!((&resync["conversationId"], &resync["epoch"]), (&json!("c"), &json!(2)));
        assert!(resync["offset"].as_u64() >= after["offset"].as_u64(), "{resync}");
    }
    // And it goes on.
    let next = scene.send(1).await.remove(0);
    for reader in [&scene.reader, &near] {
        eventually("the next one comes", async || {
            reader.events("message:created").contains(&next).then_some(())
        })
        .await;
    }
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_that_nobody_could_know_of_are_told_apart_by_their_epoch() {
    let scene = Scene::new(&[]).await;
    let sent = scene.send(5).await;
    scene.reader_gets(&sent).await;
    restarted(&scene.app).await;
    let kept = [("seq", sent[2]["seq"].to_string()), ("rev", sent[2]["offset"].to_string())];
    let state = scene.app.broker.keys().state(&id("c"));
    let _: i64 = scene.app.broker.client().hset(state, kept.to_vec()).await.unwrap();
    // Nobody there has heard the last two, and Postgres has nothing: their numbers are given again.
    let twice = scene.sender.send("c", "again").await;
    assert_eq!((&twice["seq"], &twice["offset"]), (&sent[3]["seq"], &sent[3]["offset"]));
    assert_eq!(twice["epoch"], 2);
    let resync = scene.reader.event("resync").await;
    assert_eq!((&resync["epoch"], &resync["offset"]), (&twice["epoch"], &twice["offset"]));
    let next = scene.sender.send("c", "next").await;
    eventually("the next one comes", async || {
        scene.reader.events("message:created").contains(&next).then_some(())
    })
    .await;
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_removed_in_what_cannot_be_told_is_put_out_all_the_same() {
    for deleted in [false, true] {
        let scene = Scene::new(&[]).await;
        let stays = Client::connect(&scene.here, "sender").await;
        stays.join("c").await;
        let sent = scene.send(5).await;
        scene.reader_gets(&sent).await;
        scene.proxy.deafen_subscriber();
        let unheard = if deleted {
            let answer = scene.there.rest("DELETE", "/v1/conversations/c", json!({})).await;
            assert_eq!(answer.0, 204);
            "conversation.deleted"
        } else {
            scene.there.remove("c", "reader").await;
            "participant.removed"
        };
        scene.proxy.has_thrown_away(unheard).await;
        // As after a crash that took the removal and what was said before it.
        restarted(&scene.app).await;
        let kept = [("seq", sent[2]["seq"].to_string()), ("rev", sent[2]["offset"].to_string())];
        let keys = scene.app.broker.keys();
        let _: i64 = scene.app.broker.client().hset(keys.state(&id("c")), kept.to_vec()).await.unwrap();
        let _: i64 = scene.app.broker.client().del(keys.log(&id("c"))).await.unwrap();
        scene.proxy.hear();
        if deleted {
            scene.app.conversation(&scene.there, "c", &["nobody"]).await;
        } else {
            scene.send(1).await;
        }
        scene.reader.event("resync").await;
        let left = scene.reader.event("conversation:left").await;
        assert_eq!(left, json!({"conversationId": "c", "reason": "removed"}));
        if deleted {
            stays.event("conversation:left").await;
        } else {
            let last = scene.send(1).await.remove(0);
            eventually("who stays goes on", async || {
                stays.events("message:created").contains(&last).then_some(())
            })
            .await;
            assert!(stays.events("conversation:left").is_empty());
            assert_eq!(scene.reader.events("message:created").len(), 5);
        }
        scene.app.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_without_a_place_do_not_wait_for_a_gap() {
    let scene = Scene::new(&[]).await;
    scene.send_unheard(2).await;
    scene.proxy.hear();
    scene.sender.ok("typing:start", json!({"conversationId": "c"})).await;
    let typing = scene.reader.event_within(Duration::from_secs(5), "typing:started").await;
    assert_eq!(typing["userId"], "sender");
    scene.app.end().await;
}

/// What the state looks like after Redis was restarted.
async fn restarted(app: &TestApp) {
    let state = app.broker.keys().state(&id("c"));
    let _: i64 = app.broker.client().hset(state, ("replid", "another")).await.unwrap();
}
