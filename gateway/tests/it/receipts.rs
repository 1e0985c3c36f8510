//! Receipts: gathered, announced to the others, persisted, and never going back.

#![cfg(test)]

use fred::{interfaces::StreamsInterface, types::Value as Reply};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    app::{Gateway, TestApp, eventually},
    client::Client,
};

/// Ann has said ten things; Ann and Bob have joined.
struct Scene {
    app: TestApp,
    gateway: Gateway,
    ann: Client,
    bob: Client,
    messages: Vec<Value>,
}

impl Scene {
    async fn new(more: &[(&str, &str)]) -> Self {
        let app = TestApp::new().await;
        let gateway = app.gateway(more).await;
        app.conversation(&gateway, "c", &["ann", "bob"]).await;
        let (ann, bob) = (Client::connect(&gateway, "ann").await, Client::connect(&gateway, "bob").await);
        ann.join("c").await;
        bob.join("c").await;
        let mut messages = Vec::new();
        for n in 0..10 {
            messages.push(ann.send("c", &n.to_string()).await);
        }
        Self { app, gateway, ann, bob, messages }
    }

    fn id(&self, seq: usize) -> Value {
        self.messages[seq - 1]["id"].clone()
    }

    /// Bob's cursors in Postgres.
    async fn cursors(&self) -> (i64, i64) {
        self.app
            .store
            .run(async |connection| {
                let sql = "SELECT delivered_seq, read_seq FROM participants \
                    WHERE conversation_id = 'c' AND user_id = 'bob'";
                Ok(sqlx::query_as(sql).fetch_one(connection).await?)
            })
            .await
            .unwrap()
    }

    async fn cursors_become(&self, delivered: i64, read: i64) {
        eventually("the cursors are in Postgres", async || {
            (self.cursors().await == (delivered, read)).then_some(())
        })
        .await;
    }
}

fn up_to(seq: u64) -> Value {
    json!({"conversationId": "c", "seq": seq})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_of_an_interval_are_one_event() {
    let scene = Scene::new(&[]).await;
    let begun = Instant::now();
    let mut asked = Vec::new();
    for round in 0..4 {
        for seq in 1..=10 {
            asked.push(scene.bob.ask("receipt:read", up_to(seq)).await);
        }
        // A part of an interval, so that the rounds meet more than one.
        tokio::time::sleep(std::time::Duration::from_millis(150 * round)).await;
    }
    for asked in asked {
        assert_eq!(scene.bob.answer(asked).await, json!({"ok": true}));
    }
    let intervals = begun.elapsed().as_millis() / 500 + 2;
    let last = scene.ann.event("receipt:read").await;
    assert_eq!(last, json!({"conversationId": "c", "userId": "bob", "seq": 10}));
    scene.ann.ping().await;
    let events = scene.ann.events("receipt:read");
    assert!(events.len() as u128 <= intervals, "{} events in {intervals} intervals", events.len());
    assert!(scene.bob.events("receipt:read").is_empty(), "it is for the others");
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_receipts_of_several_users_are_each_announced() {
    let scene = Scene::new(&[]).await;
    scene.gateway.add("c", "carol").await;
    let carol = Client::connect(&scene.gateway, "carol").await;
    carol.join("c").await;
    let from_bob = scene.bob.ask("receipt:read", up_to(4)).await;
    let from_carol = carol.ask("receipt:delivered", up_to(7)).await;
    assert_eq!(scene.bob.answer(from_bob).await["ok"], true);
    assert_eq!(carol.answer(from_carol).await["ok"], true);
    for reader in [&scene.ann, &carol] {
        assert_eq!(
            reader.event("receipt:read").await,
            json!({"conversationId": "c", "userId": "bob", "seq": 4})
        );
    }
    for reader in [&scene.ann, &scene.bob] {
        let delivered = json!({"conversationId": "c", "userId": "carol", "seq": 7});
        eventually("it comes", async || {
            reader.events("receipt:delivered").contains(&delivered).then_some(())
        })
        .await;
    }
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledged_receipt_is_in_the_stream_that_is_persisted() {
    let scene = Scene::new(&[]).await;
    scene.bob.ok("receipt:read", up_to(5)).await;
    let keys = scene.app.broker.keys();
    let stream = keys.receipts(keys.partitions().of("c"));
    let entries: Reply = scene.app.broker.client().xrange(stream, "-", "+", None).await.unwrap();
    assert!(format!("{entries:?}").contains("bob"), "{entries:?}");
    let _worker = scene.app.worker().await;
    scene.cursors_become(5, 5).await;
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cursors_never_go_back_and_what_is_read_is_delivered() {
    let scene = Scene::new(&[]).await;
    let _worker = scene.app.worker().await;
    scene.bob.ok("receipt:read", up_to(5)).await;
    scene.cursors_become(5, 5).await;
    scene.bob.ok("receipt:delivered", up_to(8)).await;
    scene.cursors_become(8, 5).await;
    scene.bob.ok("receipt:read", up_to(3)).await;
    scene.bob.ok("receipt:delivered", up_to(1)).await;
    let ids = json!({"messageIds": [scene.id(7), scene.id(2)]});
    scene.bob.ok("receipt:read", ids).await;
    scene.cursors_become(8, 7).await;
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_never_see_a_cursor_go_back() {
    let scene = Scene::new(&[]).await;
    for seq in [5, 3, 8, 1, 9] {
        scene.bob.ok("receipt:read", up_to(seq)).await;
    }
    eventually("the last one comes", async || {
        scene.ann.events("receipt:read").iter().any(|event| event["seq"] == 9).then_some(())
    })
    .await;
    let seqs: Vec<u64> =
        scene.ann.events("receipt:read").iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert!(seqs.is_sorted(), "{seqs:?}");
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_found_before_and_after_they_are_persisted() {
    let scene = Scene::new(&[]).await;
    let ids = json!({"messageIds": [scene.id(2), scene.id(4)], "conversationId": "c"});
    scene.bob.ok("receipt:delivered", ids).await;
    assert_eq!(scene.ann.event("receipt:delivered").await["seq"], 4);
    let _worker = scene.app.worker().await;
    scene.app.drained("c").await;
    use fred::interfaces::KeysInterface;
    for message in &scene.messages {
        let object =
            scene.app.broker.keys().object(message["id"].as_str().unwrap().parse().unwrap()).unwrap();
        let _: u64 = scene.app.broker.client().del(object).await.unwrap();
    }
    scene.bob.ok("receipt:read", json!({"messageIds": [scene.id(9), scene.id(1)]})).await;
    assert_eq!(scene.ann.event("receipt:read").await["seq"], 9);
    scene.cursors_become(9, 9).await;
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_receipt_cannot_be_for_is_refused() {
    let scene = Scene::new(&[]).await;
    scene.app.conversation(&scene.gateway, "private", &["ann"]).await;
    scene.app.conversation(&scene.gateway, "shared", &["ann", "bob"]).await;
    let secret = scene.ann.send("private", "psst").await["id"].clone();
    let shared = scene.ann.send("shared", "hey").await["id"].clone();
    let known = scene.id(1);
    let unknown = json!("0199f3c2-0000-7000-8000-000000000000");
    let foreign_partition = json!("0199f3c2-0000-7000-8000-00000000ffff");
    for (payload, code) in [
        (json!({"messageIds": [unknown]}), "not_found"),
        (json!({"messageIds": [foreign_partition]}), "not_found"),
        (json!({"messageIds": [known, unknown], "conversationId": "c"}), "not_found"),
        (json!({"messageIds": [secret]}), "not_a_participant"),
        (json!({"messageIds": [known], "conversationId": "shared"}), "not_found"),
        (json!({"messageIds": [known, shared]}), "invalid_payload"),
        (json!({"conversationId": "private", "seq": 1}), "not_a_participant"),
        (json!({"conversationId": "nowhere", "seq": 1}), "not_a_participant"),
        (up_to(11), "invalid_payload"),
        (json!({"seq": 1}), "invalid_payload"),
        (json!({"conversationId": "c"}), "invalid_payload"),
        (json!({"messageIds": []}), "invalid_payload"),
        (json!({"messageIds": vec![known.clone(); 501]}), "invalid_payload"),
        (json!({"messageIds": ["no id"]}), "invalid_payload"),
        (json!({"conversationId": "c", "seq": -1}), "invalid_payload"),
    ] {
        let answer = scene.bob.call("receipt:read", payload.clone()).await;
        assert_eq!(answer["error"]["code"], code, "{answer} for {:.200}", payload.to_string());
    }
    assert!(scene.ann.events("receipt:read").is_empty());
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_do_not_hold_up_what_is_sent_after_them_nor_make_it_overloaded() {
    let scene = Scene::new(&[("gateway.receipts_interval", "5s"), ("limits.receipts_entries", "1")]).await;
    let receipt = scene.bob.ask("receipt:read", up_to(5)).await;
    scene.bob.send("c", "not held up").await;
    assert_eq!(scene.bob.answered(receipt), None);
    assert_eq!(scene.bob.answer(receipt).await["ok"], true);
    let full = scene.bob.refused("receipt:read", up_to(6), "overloaded").await;
    assert!(full["retryAfterMs"].is_u64(), "{full}");
    scene.bob.send("c", "still fine").await;
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_that_wait_when_the_gateway_stops_are_persisted() {
    let scene = Scene::new(&[("gateway.receipts_interval", "60s")]).await;
    let _worker = scene.app.worker().await;
    scene.bob.emit("receipt:read", up_to(6)).await;
    // Carried out in order, so the receipt waits by now.
    scene.bob.ping().await;
    scene.gateway.process.stop().await;
    scene.cursors_become(6, 6).await;
    scene.app.end().await;
}
