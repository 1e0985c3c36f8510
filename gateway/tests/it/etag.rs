//! Versions of what is read, and which state a change is meant for.

#![cfg(test)]

use serde_json::{Value, json};

use crate::{
    app::{Gateway, TestApp},
    client::token,
    wire::client::{Answer, http},
};

async fn asked(gateway: &Gateway, method: &str, path: &str, header: &str, body: &Value) -> Answer {
    let who = format!("Authorization: Bearer {}\r\nContent-Type: application/json\r\n{header}", token("ann"));
    http(&gateway.address, method, path, &who, &body.to_string()).await
}

/// A conversation with one message: the path of the message.
async fn message(app: &TestApp, gateway: &Gateway) -> String {
    app.conversation(gateway, "c", &["ann"]).await;
    let sent = asked(gateway, "POST", "/v1/conversations/c/messages", "", &json!({"content": "x"})).await;
    let sent: Value = serde_json::from_str(&sent.body).unwrap();
    format!("/v1/messages/{}", sent["id"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_not_changed_is_not_sent_again_by_any_gateway() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    let path = message(&app, &here).await;
    let first = asked(&here, "GET", &path, "", &json!({})).await;
    let tag = first.header("etag").expect("a tag").to_owned();
    assert_eq!(first.status, 200);
    let known = format!("If-None-Match: \"other\", {tag}\r\n");
    let unchanged = asked(&there, "GET", &path, &known, &json!({})).await;
    assert_eq!((unchanged.status, &*unchanged.body, unchanged.header("etag")), (304, "", Some(&*tag)));
    let other = asked(&here, "GET", &path, "If-None-Match: \"other\"\r\n", &json!({})).await;
    assert_eq!((other.status, other.body), (200, first.body));
    assert_eq!(asked(&here, "PATCH", &path, "", &json!({"content": "y"})).await.status, 200);
    let changed = asked(&there, "GET", &path, &known, &json!({})).await;
    assert!(
        changed.status == 200 && changed.header("etag").is_some_and(|new| new != tag),
        "{}",
        changed.body
    );
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_that_is_meant_for_another_state_is_refused() {
    let (app, gateway) = TestApp::with_gateway().await;
    let path = message(&app, &gateway).await;
    let tag = asked(&gateway, "GET", &path, "", &json!({})).await.header("etag").unwrap().to_owned();
    let edit = async |tag: &str, content: &str| {
        let header = format!("If-Match: {tag}\r\n");
        asked(&gateway, "PATCH", &path, &header, &json!({"content": content})).await
    };
    assert_eq!(edit(&tag, "first").await.status, 200);
    let late = edit(&tag, "second").await;
    assert!(late.status == 412 && late.body.contains("\"precondition_failed\""), "{}", late.body);
    assert_eq!(edit("*", "third").await.status, 200);
    let now = asked(&gateway, "GET", &path, "", &json!({})).await;
    assert!(now.body.contains("third") && !now.body.contains("second"), "{}", now.body);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_never_unchanged() {
    let (app, gateway) = TestApp::with_gateway().await;
    let path = message(&app, &gateway).await;
    let stranger = format!("Authorization: Bearer {}\r\nIf-None-Match: *\r\n", token("eve"));
    let answer = http(&gateway.address, "GET", &path, &stranger, "").await;
    assert_eq!((answer.status, answer.header("etag")), (404, None));
    app.end().await;
}
