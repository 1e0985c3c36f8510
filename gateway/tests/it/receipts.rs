//! Receipts: gathered, announced to the others, persisted, and never going back.

#![cfg(test)]

use fred::{interfaces::StreamsInterface, types::Value as Reply};
use parlance_domain::id::MessageId;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    app::{Gateway, SERVICE_KEY, TestApp, eventually},
    client::{Client, token},
    dialect::Folder,
    openapi::documented,
    wire::client::http,
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
            .run("test", async |connection| {
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
        let id: MessageId = message["id"].as_str().unwrap().parse().unwrap();
        let object = scene.app.broker.keys().object(id).unwrap();
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
        (json!({"conversationId": "private"}), "not_a_participant"),
        (json!({}), "invalid_payload"),
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

/// A request of a user.
pub async fn post(gateway: &Gateway, user: &str, path: &str, body: &Value) -> (u16, Value) {
    let headers = format!("Content-Type: application/json\r\nAuthorization: Bearer {}\r\n", token(user));
    let answer = http(&gateway.address, "POST", path, &headers, &body.to_string()).await;
    (answer.status, serde_json::from_str(&answer.body).unwrap_or(Value::Null))
}

const RECEIPTS: &str = "/v1/conversations/c/receipts";
const TYPING: &str = "/v1/conversations/c/typing";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_by_request_and_by_socket_move_the_same_cursor_and_only_forward() {
    let scene = Scene::new(&[]).await;
    let there = scene.app.gateway(&[]).await;
    let _worker = scene.app.worker().await;
    let (status, answer) = post(&there, "bob", RECEIPTS, &json!({"type": "read", "seq": 4})).await;
    assert_eq!((status, &answer), (200, &json!({})));
    documented(&there, "POST", "/v1/conversations/{conversation}/receipts", status, &answer).await;
    scene.cursors_become(4, 4).await;
    scene.bob.ok("receipt:read", up_to(6)).await;
    scene.cursors_become(6, 6).await;
    assert_eq!(post(&there, "bob", RECEIPTS, &json!({"type": "read", "seq": 5})).await.0, 200);
    let by_ids = json!({"type": "delivered", "messageIds": [scene.id(9), scene.id(2)]});
    assert_eq!(post(&there, "bob", RECEIPTS, &by_ids).await.0, 200);
    scene.cursors_become(9, 6).await;
    eventually("all are told", async || {
        scene.ann.events("receipt:delivered").iter().any(|event| event["seq"] == 9).then_some(())
    })
    .await;
    let read = scene.ann.events("receipt:read");
    let seqs: Vec<_> = read.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, [4, 6], "nobody is told of a step back");
    let told: Vec<_> = scene.bob.events("receipt:read").iter().map(|event| event["seq"].clone()).collect();
    assert_eq!(told, [4], "a request has no socket that would be passed over");
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_names_the_message_that_it_was_for() {
    let scene = Scene::new(&[]).await;
    let read = scene.bob.ask("receipt:read", json!({"messageIds": [scene.id(3), scene.id(1)]})).await;
    let delivered = scene.bob.ask("receipt:delivered", json!({"messageIds": [scene.id(7)]})).await;
    for asked in [read, delivered] {
        assert_eq!(scene.bob.answer(asked).await["ok"], true);
    }
    let event =
        |seq: usize| json!({"conversationId": "c", "userId": "bob", "seq": seq, "messageId": scene.id(seq)});
    assert_eq!(scene.ann.event("receipt:read").await, event(3));
    assert_eq!(scene.ann.event("receipt:delivered").await, event(7));
    // An older place that comes with a newer one is not told again.
    let read = scene.bob.ask("receipt:read", up_to(2)).await;
    let delivered = scene.bob.ask("receipt:delivered", up_to(8)).await;
    for asked in [read, delivered] {
        assert_eq!(scene.bob.answer(asked).await["ok"], true);
    }
    assert_eq!(
        scene.ann.event("receipt:delivered").await,
        json!({"conversationId": "c", "userId": "bob", "seq": 8})
    );
    scene.ann.ping().await;
    assert_eq!(scene.ann.events("receipt:read").len(), 1);
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn typing_by_request_is_told_like_typing_by_socket() {
    let scene = Scene::new(&[]).await;
    let stopped = json!({"conversationId": "c", "userId": "bob", "user": {"id": "bob", "name": "bob"}});
    let mut started = stopped.clone();
    started["expiresInMs"] = json!(7_000);
    for (state, event, expected) in
        [("started", "typing:started", started), ("stopped", "typing:stopped", stopped)]
    {
        let (status, answer) = post(&scene.gateway, "bob", TYPING, &json!({"state": state})).await;
        assert_eq!((status, &answer), (200, &json!({})));
        let path = "/v1/conversations/{conversation}/typing";
        documented(&scene.gateway, "POST", path, status, &answer).await;
        assert_eq!(scene.ann.event(event).await, expected);
    }
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_are_no_receipt_are_refused_as_sockets_are() {
    let scene = Scene::new(&[]).await;
    scene.app.conversation(&scene.gateway, "private", &["ann"]).await;
    scene.app.conversation(&scene.gateway, "shared", &["ann", "bob"]).await;
    let shared = scene.ann.send("shared", "hey").await["id"].clone();
    let unknown = json!("0199f3c2-0000-7000-8000-000000000000");
    let cases = [
        ("c", json!({"messageIds": [unknown]}), "not_found", 404),
        ("c", json!({"messageIds": [shared]}), "not_found", 404),
        ("c", json!({"messageIds": [scene.id(1), shared]}), "invalid_payload", 400),
        ("private", json!({"seq": 1}), "not_a_participant", 403),
        ("nowhere", json!({"seq": 1}), "not_a_participant", 403),
        ("c", json!({"seq": 11}), "invalid_payload", 400),
        ("c", json!({"seq": -1}), "invalid_payload", 400),
        ("c", json!({"seq": 1.5}), "invalid_payload", 400),
        ("c", json!({"seq": {}}), "invalid_payload", 400),
        ("private", json!({}), "not_a_participant", 403),
        ("c", json!({"messageIds": []}), "invalid_payload", 400),
        ("c", json!({"messageIds": "x"}), "invalid_payload", 400),
        ("c", json!({"messageIds": [7]}), "invalid_payload", 400),
        ("c", json!({"messageIds": ["no id"]}), "invalid_payload", 400),
        ("c", json!({"messageIds": vec![scene.id(1); 501]}), "invalid_payload", 400),
        ("c", json!({"seq": 1, "messageIds": [scene.id(1)]}), "invalid_payload", 400),
    ];
    for (conversation, asked, code, status) in cases {
        let mut payload = asked.clone();
        payload["conversationId"] = json!(conversation);
        scene.bob.refused("receipt:read", payload, code).await;
        let mut body = asked.clone();
        body["type"] = json!("read");
        let path = format!("/v1/conversations/{conversation}/receipts");
        let (answered, body) = post(&scene.gateway, "bob", &path, &body).await;
        assert_eq!((answered, &body["code"]), (status, &json!(code)), "{:.200}", asked.to_string());
        documented(&scene.gateway, "POST", "/v1/conversations/{conversation}/receipts", status, &body).await;
    }
    for (path, body) in [
        (RECEIPTS, json!({"seq": 1})),
        (RECEIPTS, json!({"type": "seen", "seq": 1})),
        (RECEIPTS, json!({"type": 1, "seq": 1})),
        (RECEIPTS, json!({"type": "read", "seq": 1, "more": 1})),
        (TYPING, json!({})),
        (TYPING, json!({"state": "paused"})),
        (TYPING, json!({"state": true})),
        (TYPING, json!({"state": "started", "more": 1})),
    ] {
        let (status, answer) = post(&scene.gateway, "bob", path, &body).await;
        assert_eq!((status, &answer["code"]), (400, &json!("invalid_payload")), "{path} {body}");
    }
    let nobody = format!("Content-Type: application/json\r\nAuthorization: Bearer {SERVICE_KEY}\r\n");
    for (path, body) in [(RECEIPTS, r#"{"type":"read","seq":1}"#), (TYPING, r#"{"state":"started"}"#)] {
        let answer = http(&scene.gateway.address, "POST", path, &nobody, body).await;
        assert_eq!(answer.status, 403, "a backend has no cursor of its own: {}", answer.body);
    }
    let (status, _) = post(&scene.gateway, "eve", TYPING, &json!({"state": "started"})).await;
    assert_eq!(status, 403);
    assert!(scene.ann.events("receipt:read").is_empty() && scene.ann.events("typing:started").is_empty());
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_with_a_conversation_alone_is_for_all_there_is() {
    let scene = Scene::new(&[]).await;
    let _worker = scene.app.worker().await;
    scene.bob.ok("receipt:delivered", json!({"conversationId": "c"})).await;
    let told = scene.ann.event("receipt:delivered").await;
    assert_eq!(told, json!({"conversationId": "c", "userId": "bob", "seq": 10}), "no message was named");
    scene.cursors_become(10, 0).await;
    scene.ann.send("c", "one more").await;
    let (status, body) = post(&scene.gateway, "bob", RECEIPTS, &json!({"type": "read"})).await;
    assert_eq!(status, 200, "{body}");
    documented(&scene.gateway, "POST", "/v1/conversations/{conversation}/receipts", status, &body).await;
    assert_eq!(scene.ann.event("receipt:read").await["seq"], 11);
    scene.cursors_become(11, 11).await;
    scene.app.conversation(&scene.gateway, "empty", &["bob"]).await;
    scene.bob.ok("receipt:read", json!({"conversationId": "empty"})).await;
    scene.app.end().await;
}

/// A dialect whose clients do not say what they got.
const MUTE: &str = r#"
name = "mute"
answer.ack = { ok = true, "..." = "{$}" }
failure.ack = { ok = false, code = "{code}" }
behaviour.delivered_on_delivery = true

[[inbound]]
event = "enter"
command = "conversation.join"
fields.conversation = "room"

[[inbound]]
event = "say"
command = "message.send"
fields.conversation = "room"
fields.content = "text"

[[outbound]]
on = "message.created"
event = "said"
payload.text = "{content}"
"#;

async fn mute(gateway: &Gateway, user: &str) -> Client {
    let path = "/socket.io/?EIO=4&transport=websocket&dialect=mute";
    let client = Client::try_connect(gateway, path, "", json!({"token": token(user)})).await.unwrap();
    assert_eq!(client.call("enter", json!({"room": "c"})).await["ok"], true);
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dialect_can_count_a_message_as_delivered_when_it_is_handed_over() {
    let app = TestApp::new().await;
    let folder = Folder::with(&[("mute.toml", MUTE)]);
    let settings = [folder.setting()];
    let (here, there) = (app.gateway(&settings).await, app.gateway(&settings).await);
    app.conversation(&here, "c", &["ann", "bob", "carol"]).await;
    let _worker = app.worker().await;
    let ann = Client::connect(&here, "ann").await;
    ann.join("c").await;
    let carol = Client::connect(&there, "carol").await;
    carol.join("c").await;
    // Bob's device, and another one of Ann's, whose deliveries are no news to anybody.
    let (bob, of_ann) = (mute(&there, "bob").await, mute(&here, "ann").await);
    let mut last = Value::Null;
    for n in 1..=20 {
        last = ann.send("c", &n.to_string()).await;
    }
    assert_eq!(of_ann.until("said", 20).await.len(), 20);
    assert_eq!(bob.until("said", 20).await.len(), 20);
    let expected = json!({"conversationId": "c", "userId": "bob", "seq": 20, "messageId": last["id"]});
    eventually("the others are told", async || {
        let told = |client: &Client| client.events("receipt:delivered").contains(&expected);
        (told(&ann) && told(&carol)).then_some(())
    })
    .await;
    let events = carol.events("receipt:delivered");
    assert!(events.iter().all(|event| event["userId"] == "bob"), "{events:?}");
    assert!(events.len() <= 10, "gathered over intervals: {events:?}");
    let cursors = async || {
        let rows = app.store.run("test", async |connection| {
            let sql = "SELECT user_id, delivered_seq, read_seq FROM participants \
                WHERE conversation_id = 'c' AND delivered_seq > 0";
            Ok(sqlx::query_as::<_, (String, i64, i64)>(sql).fetch_all(connection).await?)
        });
        rows.await.unwrap()
    };
    eventually("the cursor is stored", async || {
        (cursors().await == [("bob".to_owned(), 20, 0)]).then_some(())
    })
    .await;
    // What he says himself is not delivered to him; it is to nobody else who counts.
    assert_eq!(bob.call("say", json!({"room": "c", "text": "me too"})).await["ok"], true);
    of_ann.until("said", 21).await;
    eventually("it was delivered to Ann", async || {
        cursors().await.contains(&("ann".to_owned(), 21, 0)).then_some(())
    })
    .await;
    assert!(cursors().await.contains(&("bob".to_owned(), 20, 0)), "his own message is not delivered to him");
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_that_cannot_be_written_are_written_later() {
    let app = TestApp::new().await;
    let folder = Folder::with(&[("mute.toml", MUTE)]);
    let settings =
        [folder.setting(), ("gateway.receipts_interval", "100ms"), ("limits.receipts_entries", "1")];
    let gateway = app.gateway(&settings).await;
    app.conversation(&gateway, "c", &["ann", "bob"]).await;
    let ann = Client::connect(&gateway, "ann").await;
    ann.join("c").await;
    // The stream takes one entry and is full then.
    ann.send("c", "1").await;
    ann.ok("receipt:read", json!({"conversationId": "c", "seq": 1})).await;
    let bob = mute(&gateway, "bob").await;
    ann.send("c", "2").await;
    bob.until("said", 1).await;
    // His delivery is written with her reading, and refused with it, of which only she is told. Twice, because it may
    // be gathered right after he was handed the message.
    for _ in 0..2 {
        ann.refused("receipt:read", json!({"conversationId": "c", "seq": 2}), "overloaded").await;
    }
    assert!(ann.events("receipt:delivered").is_empty());
    let _worker = app.worker().await;
    assert_eq!(ann.event("receipt:delivered").await["seq"], 2);
    app.end().await;
}
