//! Sending: what an acknowledgement promises, what a repetition means, and what is refused.

#![cfg(test)]

use fred::{
    interfaces::{KeysInterface, StreamsInterface},
    types::Value as Reply,
};
use serde_json::{Value, json};

use crate::{
    app::{Gateway, TestApp, eventually, id},
    client::{Client, assert_refused},
};

/// Ann's two devices on two gateways, and Bob, who reads.
struct Scene {
    app: TestApp,
    here: Gateway,
    ann: Client,
    ann_elsewhere: Client,
    bob: Client,
}

impl Scene {
    async fn new(more: &[(&str, &str)]) -> Self {
        let app = TestApp::new().await;
        let (here, there) = (app.gateway(more).await, app.gateway(more).await);
        app.conversation(&here, "c", &["ann", "bob"]).await;
        let ann = Client::connect(&here, "ann").await;
        let ann_elsewhere = Client::connect(&there, "ann").await;
        let bob = Client::connect(&there, "bob").await;
        bob.join("c").await;
        Self { app, here, ann, ann_elsewhere, bob }
    }

    /// How many entries wait to be persisted in the partition of `c`.
    async fn waiting(&self) -> u64 {
        let keys = self.app.broker.keys();
        self.app.broker.client().xlen(keys.ingest(keys.partitions().of("c"))).await.unwrap()
    }

    async fn logged(&self) -> u64 {
        self.app.broker.client().xlen(self.app.broker.keys().log(&id("c"))).await.unwrap()
    }

    /// All that was said, as history tells it.
    async fn said(&self) -> Vec<Value> {
        self.bob.history(json!({"conversationId": "c", "limit": 200})).await.0
    }
}

/// The message as it is read, when nobody reacted to it.
fn read(mut message: Value) -> Value {
    message["reactions"] = json!([]);
    message
}

fn message(content: &str, client_id: &str) -> Value {
    json!({"conversationId": "c", "content": content, "clientId": client_id})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledged_message_is_in_the_stream_that_is_persisted() {
    let scene = Scene::new(&[]).await;
    for n in 0..10 {
        let sent = scene.ann.send("c", &n.to_string()).await;
        let keys = scene.app.broker.keys();
        let ingest = keys.ingest(keys.partitions().of("c"));
        let entries: Reply = scene.app.broker.client().xrevrange(ingest, "+", "-", Some(1)).await.unwrap();
        assert!(format!("{entries:?}").contains(sent["id"].as_str().unwrap()), "{entries:?}");
    }
    let _worker = scene.app.worker().await;
    scene.app.drained("c").await;
    let said: Vec<String> =
        scene.said().await.iter().map(|message| message["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(scene.app.persisted("c").await, said);
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_the_same_in_the_answer_the_event_and_the_history_before_and_after_it_is_persisted() {
    let scene = Scene::new(&[]).await;
    let first = scene.bob.send("c", "what shall we eat?").await;
    let sent = scene
        .ann
        .ok(
            "message:send",
            json!({
                "conversationId": "c",
                "content": " Süßes \u{1F370}\r\n\t\"quoted\" \\ </script> \u{2028}",
                "clientId": "é/1",
                "type": "Recipe:V2",
                "replyTo": first["id"],
                "attachments": [{"url": "https://a.example/1.png", "size": 1.5}, {}],
                "metadata": {"tags": ["a", null, true], "z": 1, "a": {"b": -0.25}},
                "unknown": {"is": "ignored"},
            }),
        )
        .await["message"]
        .clone();
    assert_eq!(sent["content"], " Süßes \u{1F370}\r\n\t\"quoted\" \\ </script> \u{2028}");
    assert_eq!(
        (&sent["type"], &sent["clientId"], &sent["replyTo"]),
        (&json!("recipe:v2"), &json!("é/1"), &first["id"])
    );
    assert_eq!(sent["attachments"], json!([{"url": "https://a.example/1.png", "size": 1.5}, {}]));
    assert_eq!(sent["metadata"], json!({"tags": ["a", null, true], "z": 1, "a": {"b": -0.25}}));
    assert_eq!((&sent["senderId"], &sent["status"]), (&json!("ann"), &json!("sent")));
    assert!(sent.get("unknown").is_none());
    assert_eq!(scene.bob.event("message:created").await, sent);
    let said = [first, sent].map(read);
    assert_eq!(scene.said().await, said);
    let _worker = scene.app.worker().await;
    scene.app.drained("c").await;
    assert_eq!(scene.said().await, said);
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_client_id_is_answered_with_the_first_message() {
    let scene = Scene::new(&[]).await;
    let first = scene.ann.ok("message:send", message("one", "1")).await;
    for client in [&scene.ann, &scene.ann_elsewhere] {
        assert_eq!(client.ok("message:send", message("changed meanwhile", "1")).await, first);
    }
    let others = scene.bob.ok("message:send", message("mine", "1")).await;
    assert_ne!(others["message"]["id"], first["message"]["id"], "another user's is another message");
    let second = scene.ann.ok("message:send", message("one", "2")).await;
    assert_eq!(second["message"]["seq"], 3);
    assert_eq!(
        scene.bob.until("message:created", 2).await,
        [&first["message"], &second["message"]].map(Value::clone)
    );
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_repetitions_from_two_gateways_are_one_message() {
    let scene = Scene::new(&[]).await;
    let (ann, elsewhere) = (&scene.ann, &scene.ann_elsewhere);
    for n in 0..20 {
        let client_id = n.to_string();
        let mut asked = Vec::new();
        for _ in 0..3 {
            asked.push((ann, ann.ask("message:send", message("x", &client_id)).await));
            asked.push((elsewhere, elsewhere.ask("message:send", message("x", &client_id)).await));
        }
        for (client, asked) in asked {
            let answer = client.answer(asked).await;
            assert_eq!(answer["message"]["seq"], n + 1, "{answer}");
        }
    }
    assert_eq!(scene.said().await.len(), 20);
    scene.bob.until("message:created", 20).await;
    scene.bob.ping().await;
    assert_eq!(scene.bob.events("message:created").len(), 20);
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repetition_is_recognised_after_the_message_has_left_redis() {
    let scene = Scene::new(&[]).await;
    let _worker = scene.app.worker().await;
    let first = scene.ann.ok("message:send", message("one", "1")).await;
    scene.app.drained("c").await;
    let log = scene.app.broker.keys().log(&id("c"));
    let _: u64 = scene.app.broker.client().del(log).await.unwrap();
    assert_eq!(scene.ann.ok("message:send", message("one", "1")).await, first);
    assert_eq!(scene.said().await.len(), 1);
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_conversation_appears_when_it_is_used_and_takes_everybody() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("gateway.policy", "open")]).await;
    let _worker = app.worker().await;
    let (ann, bob) = (Client::connect(&gateway, "ann").await, Client::connect(&gateway, "bob").await);
    assert_eq!(bob.join("square").await["offset"], 0);
    let sent = ann.send("square", "anybody here?").await;
    assert_eq!((&sent["seq"], &sent["offset"]), (&json!(1), &json!(1)));
    assert_eq!(bob.event("message:created").await, sent);
    bob.ok("receipt:read", json!({"conversationId": "square", "seq": 1})).await;
    app.drained("square").await;
    assert_eq!(app.persisted("square").await.len(), 1);
    let (history, more) = ann.history(json!({"conversationId": "square"})).await;
    let ids: Vec<_> = history.iter().map(|message| &message["id"]).collect();
    assert_eq!((ids, more), (vec![&sent["id"]], false));
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_is_refused_whole_and_fits_when_the_worker_is_back() {
    let scene = Scene::new(&[("limits.ingest_entries", "4")]).await;
    // The conversation itself is the first entry.
    for n in 0..3 {
        scene.ann.send("c", &n.to_string()).await;
    }
    scene.bob.until("message:created", 3).await;
    let before = (scene.waiting().await, scene.logged().await);
    for _ in 0..5 {
        let error = scene.ann.refused("message:send", message("too much", "4"), "overloaded").await;
        assert_eq!(error["retryable"], true);
        assert!(error["retryAfterMs"].as_u64().is_some_and(|ms| ms > 0), "{error}");
    }
    assert_eq!((scene.waiting().await, scene.logged().await), before);
    assert_eq!(scene.said().await.len(), 3);
    scene.bob.ping().await;
    assert_eq!(scene.bob.events("message:created").len(), 3);
    let _worker = scene.app.worker().await;
    let taken = eventually("it fits", async || {
        let answer = scene.ann.call("message:send", message("too much", "4")).await;
        (answer["ok"] == true).then(|| answer["message"].clone())
    })
    .await;
    assert_eq!(taken["seq"], 4);
    assert_eq!(scene.bob.until("message:created", 4).await[3], taken);
    scene.app.end().await;
}

/// Everything here is that command's error, is not stored, and leaves the connection as it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_out_of_bounds_or_malformed_is_refused_and_nothing_is_stored() {
    let scene = Scene::new(&[]).await;
    let long = "x".repeat(300);
    let put = |field: &str, value: Value| {
        let mut payload = message("hello", "1");
        payload[field] = value;
        payload
    };
    let cases = [
        (put("content", json!("")), "content_blank"),
        (put("content", json!(" \r\n\t\u{a0}\u{3000}")), "content_blank"),
        (put("content", json!("x".repeat(1_000_001))), "content_too_large"),
        (put("content", json!("é".repeat(500_001))), "content_too_large"),
        (put("content", json!("a\u{0}b")), "invalid_payload"),
        (put("content", Value::Null), "invalid_payload"),
        (put("content", json!(7)), "invalid_payload"),
        (put("content", json!({"text": "hello"})), "invalid_payload"),
        (put("conversationId", json!(long)), "invalid_payload"),
        (put("conversationId", json!("")), "invalid_payload"),
        (put("conversationId", json!("a\nb")), "invalid_payload"),
        (put("conversationId", json!(["c"])), "invalid_payload"),
        (put("conversationId", Value::Null), "invalid_payload"),
        (put("clientId", json!(long)), "invalid_payload"),
        (put("clientId", json!("\u{7}")), "invalid_payload"),
        (put("clientId", json!({})), "invalid_payload"),
        (put("type", json!("t".repeat(65))), "invalid_payload"),
        (put("type", json!("two words")), "invalid_payload"),
        (put("replyTo", json!(long)), "invalid_payload"),
        (put("replyTo", json!("no id")), "invalid_payload"),
        (put("attachments", json!({})), "invalid_payload"),
        (put("attachments", json!(["text"])), "invalid_payload"),
        (put("attachments", json!(vec![json!({}); 21])), "invalid_payload"),
        (put("attachments", json!([{"a": "x".repeat(17_000)}])), "invalid_payload"),
        (put("metadata", json!([])), "invalid_payload"),
        (put("metadata", json!({"a": "x".repeat(17_000)})), "invalid_payload"),
        (put("metadata", json!({"a": {"b": "\u{0}"}})), "invalid_payload"),
        (put("metadata", json!({"\u{0}": 1})), "invalid_payload"),
        (put("conversationId", json!("nowhere")), "not_a_participant"),
        (Value::Null, "invalid_payload"),
        (json!([]), "invalid_payload"),
        (json!("hello"), "invalid_payload"),
        (json!(true), "invalid_payload"),
    ];
    let before = scene.waiting().await;
    for (payload, code) in cases {
        let answer = scene.ann.call("message:send", payload.clone()).await;
        assert_eq!(
            answer["error"]["code"],
            code,
            "{:.200} for {:.200}",
            answer.to_string(),
            payload.to_string()
        );
        assert_eq!(assert_refused(&answer, code)["retryable"], false);
    }
    assert_eq!(scene.waiting().await, before);
    // The client id of all those refusals is still free.
    let sent = scene.ann.ok("message:send", message("hello", "1")).await;
    assert_eq!(sent["message"]["seq"], 1);
    assert_eq!(scene.said().await.len(), 1);
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_just_within_the_bounds_is_taken_and_can_be_persisted() {
    let scene = Scene::new(&[]).await;
    let _worker = scene.app.worker().await;
    let id = "ü".repeat(64);
    scene.app.conversation(&scene.here, &id, &["ann", "bob"]).await;
    scene.bob.join(&id).await;
    let extra = "x".repeat(16 * 1024 - 20);
    for (n, content) in ["x".repeat(1_000_000), "é".repeat(500_000), "x".into()].into_iter().enumerate() {
        let sent = scene
            .ann
            .ok(
                "message:send",
                json!({
                    "conversationId": id,
                    "content": content,
                    "clientId": format!("{}{n}", "c".repeat(127)),
                    "type": "t".repeat(64),
                    "metadata": {"a": extra},
                    "attachments": vec![json!({"a": "x".repeat(700)}); 20],
                }),
            )
            .await;
        let came = scene.bob.until("message:created", n + 1).await;
        assert_eq!(came[n], sent["message"]);
    }
    scene.app.drained(&id).await;
    assert_eq!(scene.app.persisted(&id).await.len(), 3);
    scene.app.end().await;
}

/// Packets that no honest client sends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packets_of_any_shape_are_answered_or_dropped_and_the_connection_stays() {
    let scene = Scene::new(&[]).await;
    let ann = &scene.ann;
    let before = scene.waiting().await;
    for arguments in [
        r#"["message:send"]"#,
        r#"["message:send",null,null]"#,
        r#"["message:send","c","hello"]"#,
        r#"["message:send",{"conversationId":"c","content":"hello","conversationId":7}]"#,
    ] {
        let (ack, asked) = ann.ack_id();
        ann.packet(&format!("42{ack}{arguments}")).await;
        assert_refused(&ann.answer(asked).await, "invalid_payload");
    }
    // A binary event: text belongs where the attachment is.
    let (ack, asked) = ann.ack_id();
    let placeholder = r#"{"_placeholder":true,"num":0}"#;
    ann.packet(&format!(r#"451-{ack}["message:send",{{"conversationId":"c","content":{placeholder}}}]"#))
        .await;
    ann.binary(b"\x00\xff").await;
    assert_refused(&ann.answer(asked).await, "invalid_payload");
    let (ack, asked) = ann.ack_id();
    ann.packet(&format!(r#"451-{ack}["conversation:join",{{"conversationId":{placeholder}}}]"#)).await;
    ann.binary(b"c").await;
    assert_refused(&ann.answer(asked).await, "invalid_payload");
    ann.ping().await;
    assert_eq!(scene.waiting().await, before);
    ann.send("c", "still here").await;
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_acknowledgement_a_failure_is_an_event() {
    let scene = Scene::new(&[]).await;
    scene.ann.emit("message:send", json!({"conversationId": "c", "content": ""})).await;
    let error = scene.ann.event("error").await;
    assert_eq!((&error["code"], &error["event"]), (&json!("content_blank"), &json!("message:send")));
    assert!(error["message"].is_string() && error["retryable"] == false, "{error}");
    scene.ann.emit("nonsense", json!({})).await;
    let error = scene.ann.event("error").await;
    assert_eq!((&error["code"], &error["event"]), (&json!("unknown_event"), &json!("nonsense")));
    scene.ann.emit("message:send", json!({"conversationId": "c", "content": "hello"})).await;
    assert_eq!(scene.bob.event("message:created").await["content"], "hello");
    scene.ann.ping().await;
    assert_eq!(scene.ann.events("error").len(), 2);
    scene.app.end().await;
}
