//! How much a client can send at once, on both transports, with the bounds that are there when nothing is configured.

#![cfg(test)]

use serde_json::{Value, json};

use crate::{
    app::TestApp,
    client::{Client, assert_refused, token},
    wire::client::Polling,
};

/// As much content as a message may have.
const MOST: usize = 1_000_000;
/// More than a frame or a polling body may have.
const TOO_LARGE: usize = 2_500_000;

fn message(content: &str) -> Value {
    json!({"conversationId": "c", "content": content})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn content_of_the_bound_passes_even_when_each_byte_of_it_is_escaped() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann", "bob"]).await;
    let (ann, bob) = (Client::connect(&gateway, "ann").await, Client::connect(&gateway, "bob").await);
    bob.join("c").await;
    for character in ["\"", "\n"] {
        let content = format!("{}x", character.repeat(MOST - 1));
        assert!(message(&content).to_string().len() > 2 * MOST - 2);
        let sent = ann.ok("message:send", message(&content)).await;
        assert_eq!(sent["message"]["content"].as_str().map(str::len), Some(MOST));
        let received = bob.event("message:created").await;
        assert!(received["content"] == content, "{character:?} arrives as it was");
    }
    let refused = ann.call("message:send", message(&"\"".repeat(MOST + 1))).await;
    assert_refused(&refused, "content_too_large");
    assert!(ann.is_open(), "a content that is too large is a command's error");
    // By polling too, in both directions.
    let auth = json!({"token": token("ann")}).to_string();
    let polling = Polling::connect_with(&gateway.address, &auth).await;
    let content = "\"".repeat(MOST);
    assert_eq!(polling.post(&format!("421{}", json!(["message:send", message(&content)]))).await.body, "ok");
    assert!(polling.gets("431[{\"ok\":true").await);
    assert_eq!(bob.event("message:created").await["content"].as_str().map(str::len), Some(MOST));
    let large = "x".repeat(MOST + 1);
    assert_eq!(polling.post(&format!("422{}", json!(["message:send", message(&large)]))).await.body, "ok");
    assert!(polling.gets("432[{\"error\":{\"code\":\"content_too_large\"").await);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_beyond_the_bound_ends_its_connection_only() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann", "bob"]).await;
    let (ann, bob) = (Client::connect(&gateway, "ann").await, Client::connect(&gateway, "bob").await);
    ann.emit("message:send", message(&"x".repeat(TOO_LARGE))).await;
    ann.ended().await;
    bob.send("c", "goes on").await;
    let (messages, _) = bob.history(json!({"conversationId": "c"})).await;
    assert_eq!(messages.len(), 1, "nothing of the frame is in the conversation");
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_polling_body_beyond_the_bound_is_413_and_ends_its_session() {
    let (app, gateway) = TestApp::with_gateway().await;
    let auth = json!({"token": token("ann")}).to_string();
    let client = Polling::connect_with(&gateway.address, &auth).await;
    let refused = client.post(&format!("42{}", json!(["echo", "x".repeat(TOO_LARGE)]))).await;
    assert_eq!(refused.status, 413, "{}", refused.body);
    assert!(refused.body.contains("Payload too large"), "{}", refused.body);
    assert!(!client.gets("never").await, "the session has ended");
    let again = Polling::connect_with(&gateway.address, &auth).await;
    assert_eq!(again.post("421[\"ping\"]").await.body, "ok");
    assert!(again.gets("431[").await);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attachments_and_metadata_are_bounded() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let ann = Client::connect(&gateway, "ann").await;
    let deep = (0..65).fold(json!(1), |inner, _| json!({"a": inner}));
    let long = "x".repeat(16 * 1024);
    for (field, value) in [
        ("attachments", json!([{"text": long}])),
        ("attachments", Value::Array(vec![json!({}); 21])),
        ("attachments", json!([1])),
        ("attachments", json!([deep])),
        ("metadata", json!({"text": long})),
        ("metadata", deep.clone()),
    ] {
        let mut message = message("x");
        message[field] = value;
        assert_refused(&ann.call("message:send", message).await, "invalid_payload");
    }
    let mut fits = message("x");
    fits["attachments"] = Value::Array(vec![json!({"url": "x"}); 20]);
    ann.ok("message:send", fits).await;
    app.end().await;
}
