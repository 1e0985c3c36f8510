//! Quotas by event, from a dialect's file.

use serde_json::{Value, json};

use crate::{
    app::{Gateway, TestApp},
    client::{Client, assert_refused, token},
    dialect::Folder,
};

const DIALECT: &str = r#"
name = "app"
answer.ack = { ok = true }

[quotas]
say = "2/min"
typing = "3/h burst 3"

[failure]
ack = { ok = false, error = { "..." = "{$}" } }
emit = [{ event = "oops", payload = { "..." = "{$}" } }]

[[inbound]]
event = "enter"
command = "conversation.join"
fields.conversation = "room"

[[inbound]]
event = "say"
aliases = ["tell"]
command = "message.send"
fields.conversation = "room"
fields.content = "text"

[[inbound]]
event = "typing"
command = "typing.start"
fields.conversation = "room"

[[outbound]]
on = "message.created"
event = "said"
payload.text = "{content}"

[[outbound]]
on = "typing.started"
event = "types"
audience = "others"
payload.user = "{userId}"
"#;

async fn speaker(gateway: &Gateway, user: &str) -> Client {
    let path = "/socket.io/?EIO=4&transport=websocket&dialect=app";
    let client = Client::try_connect(gateway, path, "", json!({"token": token(user)})).await.unwrap();
    assert_eq!(client.call("enter", json!({"room": "c"})).await["ok"], true);
    client
}

async fn speak(client: &Client, event: &str) -> Value {
    client.call(event, json!({"room": "c", "text": "hello"})).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quota_is_of_a_user_under_all_names_of_an_event_and_on_all_his_sockets() {
    let app = TestApp::new().await;
    let folder = Folder::with(&[("app.toml", DIALECT)]);
    let gateway = app.gateway(&[folder.setting()]).await;
    app.conversation(&gateway, "c", &["ann", "bob"]).await;
    let (ann, again) = (speaker(&gateway, "ann").await, speaker(&gateway, "ann").await);
    assert_eq!(speak(&ann, "say").await["ok"], true);
    assert_eq!(speak(&again, "tell").await["ok"], true);
    for (client, event) in [(&ann, "say"), (&again, "tell"), (&again, "say")] {
        let error = assert_refused(&speak(client, event).await, "rate_limited");
        let wait = error["retryAfterMs"].as_u64().unwrap();
        assert!((20_000..=30_000).contains(&wait), "{error}");
    }
    // What cannot be carried out anyway takes nothing of a quota.
    let bob = speaker(&gateway, "bob").await;
    for _ in 0..5 {
        assert_refused(&bob.call("say", json!({"room": "c"})).await, "invalid_payload");
    }
    assert_eq!(speak(&bob, "say").await["ok"], true);
    // The quota is this dialect's.
    Client::connect(&gateway, "ann").await.send("c", "natively").await;
    assert_eq!(gateway.metric("parlance_limited_total{limit=\"quota\"}").await, 3.0);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn typing_beyond_its_quota_is_dropped_without_an_error() {
    let app = TestApp::new().await;
    let folder = Folder::with(&[("app.toml", DIALECT)]);
    let gateway = app.gateway(&[folder.setting()]).await;
    app.conversation(&gateway, "c", &["ann", "bob"]).await;
    let (ann, bob) = (speaker(&gateway, "ann").await, speaker(&gateway, "bob").await);
    let dropped = "parlance_limited_total{limit=\"typing\"}";
    for n in 1..=8 {
        let answer = ann.call("typing", json!({"room": "c"})).await;
        assert_eq!(answer, json!({"ok": true}), "{n}");
    }
    for _ in 0..3 {
        ann.emit("typing", json!({"room": "c"})).await;
    }
    assert_eq!(speak(&ann, "say").await["ok"], true);
    bob.event("said").await;
    assert!((1..=3).contains(&bob.events("types").len()), "{:?}", bob.events("types"));
    assert_eq!(gateway.metric(dropped).await, 8.0);
    assert_eq!(ann.events("oops"), [json!(null); 0]);
    app.end().await;
}
