//! A backend's own events: to a user, to a conversation, to everyone.

#![cfg(test)]

use serde_json::{Value, json};

use crate::{
    app::{Gateway, SERVICE_KEY, TestApp, eventually},
    client::{Client, assert_refused, token},
    openapi::documented,
    proxy::Proxy,
    wire::client::{Polling, Ws, http},
};

const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";

async fn emit(gateway: &Gateway, path: &str, event: &str, data: Value) {
    let (status, answer) = gateway.rest("POST", path, json!({"event": event, "data": data})).await;
    assert_eq!((status, &answer), (202, &json!({})));
    let template = match path.split('/').nth(2) {
        Some("users") => "/v1/users/{user}/events",
        Some("conversations") => "/v1/conversations/{conversation}/events",
        _ => "/v1/events",
    };
    documented(gateway, "POST", template, status, &answer).await;
}

/// A user in a namespace of his dialect.
async fn in_namespace(gateway: &Gateway, namespace: &str, user: &str) -> Ws {
    let mut ws = Ws::open(&gateway.address, WEBSOCKET, "").await.unwrap();
    assert!(ws.next().await.unwrap().starts_with("0{"));
    ws.send(&format!("40{namespace},{}", json!({"token": token(user)}))).await;
    while !ws.next().await.unwrap().starts_with(&format!(r#"42{namespace},["session:ready""#)) {}
    ws
}

/// A user at a polling client that has been told that it is ready.
pub async fn polling(gateway: &Gateway, user: &str) -> Polling {
    let client = Polling::open(&gateway.address).await;
    client.post(&format!("40{}", json!({"token": token(user)}))).await;
    assert!(client.gets(r#"42["session:ready""#).await);
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_for_a_user_reaches_his_sockets_with_its_data_as_they_are() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    let ann = [Client::connect(&here, "ann").await, Client::connect(&there, "ann").await];
    let bob = Client::connect(&here, "bob").await;
    let data =
        [json!({"id": 7, "deep": [{"a": null}]}), json!([1, 2]), json!("text"), json!(1.5), Value::Null];
    for data in &data {
        emit(&there, "/v1/users/ann/events", "order:shipped", data.clone()).await;
    }
    for client in &ann {
        assert_eq!(client.until("order:shipped", data.len()).await, data);
    }
    emit(&here, "/v1/users/nobody/events", "order:shipped", json!(1)).await;
    emit(&here, "/v1/users/bob/events", "last", json!(1)).await;
    bob.event("last").await;
    assert_eq!(bob.events("order:shipped"), Vec::<Value>::new());
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_for_a_conversation_reaches_those_who_have_joined() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["ann", "bob", "carl"]).await;
    let inside = [Client::connect(&here, "ann").await, Client::connect(&there, "bob").await];
    for client in &inside {
        client.join("c").await;
    }
    let outside = Client::connect(&there, "carl").await;
    emit(&here, "/v1/conversations/c/events", "quiz:started", json!({"round": 1})).await;
    emit(&here, "/v1/conversations/unheard%20of/events", "quiz:started", json!(2)).await;
    for client in &inside {
        assert_eq!(client.event("quiz:started").await, json!({"round": 1}));
    }
    emit(&here, "/v1/users/carl/events", "last", json!(1)).await;
    outside.event("last").await;
    assert_eq!(outside.events("quiz:started"), Vec::<Value>::new());
    // It takes no place in the conversation's order.
    let sent = inside[0].send("c", "first").await;
    assert_eq!(sent["seq"], 1);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_for_everyone_reaches_every_transport_namespace_and_gateway_once() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    let clients = [Client::connect(&here, "ann").await, Client::connect(&there, "bob").await];
    let mut named = in_namespace(&there, "/native", "carl").await;
    let polling = [polling(&here, "dora").await, polling(&there, "dora").await];
    for number in 0..20 {
        let gateway = if number % 2 == 0 { &here } else { &there };
        emit(gateway, "/v1/events", "maintenance", json!({"number": number})).await;
    }
    let numbers: Vec<Value> = (0..20).map(|number| json!({"number": number})).collect();
    for client in &clients {
        let mut came = client.until("maintenance", 20).await;
        came.sort_by_key(|event| event["number"].as_u64());
        assert_eq!(came, numbers);
        client.ping().await;
        assert_eq!(client.events("maintenance").len(), 20, "each comes once");
    }
    for _ in 0..20 {
        let packet = named.next().await.unwrap();
        assert!(packet.starts_with(r#"42/native,["maintenance",{"number":"#), "{packet}");
    }
    for client in &polling {
        assert!(client.gets(r#"42["maintenance",{"number":1}]"#).await);
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn installations_that_share_a_redis_do_not_hear_each_other() {
    let ((app, here), (other_app, other)) = (TestApp::with_gateway().await, TestApp::with_gateway().await);
    let (ann, stranger) = (Client::connect(&here, "ann").await, Client::connect(&other, "ann").await);
    emit(&here, "/v1/events", "ours", json!(1)).await;
    emit(&here, "/v1/users/ann/events", "ours", json!(2)).await;
    emit(&other, "/v1/events", "theirs", json!(3)).await;
    assert_eq!(ann.until("ours", 2).await.len(), 2);
    stranger.event("theirs").await;
    assert_eq!(stranger.events("ours"), Vec::<Value>::new());
    app.end().await;
    other_app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_break_everyone_is_reached_again() {
    let app = TestApp::new().await;
    let proxy = Proxy::before(&app.redis_url()).await;
    let cut_off = app.gateway(&[("redis.url", proxy.url()), ("redis.command_deadline", "500ms")]).await;
    let elsewhere = app.gateway(&[]).await;
    let (ann, bob) = (Client::connect(&cut_off, "ann").await, Client::connect(&elsewhere, "bob").await);
    let heard = async |number: u64| {
        eventually("an event for everyone comes", async || {
            emit(&elsewhere, "/v1/events", "all", json!(number)).await;
            ann.events("all").contains(&json!(number)).then_some(())
        })
        .await;
    };
    heard(0).await;
    proxy.break_subscriber();
    heard(1).await;
    proxy.cut();
    for path in ["/v1/events", "/v1/users/bob/events", "/v1/conversations/c/events"] {
        let (status, refused) = cut_off.rest("POST", path, json!({"event": "lost", "data": 1})).await;
        assert_eq!((status, &refused["code"]), (503, &json!("unavailable")), "{path}");
        assert_eq!(refused["retryable"], true);
    }
    let (status, refused) = cut_off.rest("DELETE", "/v1/users/bob/sessions", json!({})).await;
    assert_eq!((status, &refused["code"]), (503, &json!("unavailable")));
    proxy.mend();
    heard(2).await;
    // And in the other direction.
    eventually("it is heard again", async || {
        let event = json!({"event": "back", "data": 1});
        (cut_off.rest("POST", "/v1/events", event).await.0 == 202).then_some(())
    })
    .await;
    bob.event("back").await;
    assert!(bob.is_open());
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_backends_emit_and_disconnect() {
    let (app, gateway) = TestApp::with_gateway().await;
    let ann = Client::connect(&gateway, "ann").await;
    let event = json!({"event": "a", "data": 1}).to_string();
    let everything = [
        ("POST", "/v1/events"),
        ("POST", "/v1/users/ann/events"),
        ("POST", "/v1/conversations/c/events"),
        ("DELETE", "/v1/users/ann/sessions"),
    ];
    let json = "Content-Type: application/json\r\n";
    for (method, path) in everything {
        let users = format!("{json}Authorization: Bearer {}\r\n", token("ann"));
        for (headers, status, code) in [(&*users, 403, "forbidden"), (json, 401, "token_missing")] {
            let answer = http(&gateway.address, method, path, headers, &event).await;
            let body: Value = serde_json::from_str(&answer.body).unwrap();
            assert_eq!((answer.status, body["code"].as_str()), (status, Some(code)), "{method} {path}");
        }
    }
    for command in ["custom:emit", "user:disconnect"] {
        let refused = ann.call(command, json!({"userId": "ann", "event": "a", "data": 1})).await;
        assert_refused(&refused, "unknown_event");
    }
    ann.ping().await;
    assert_eq!(ann.events("a"), Vec::<Value>::new());
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_is_refused_with_its_reason() {
    let (app, gateway) = TestApp::with_gateway().await;
    let ann = Client::connect(&gateway, "ann").await;
    let long = "x".repeat(129);
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let large = json!("x".repeat(64 * 1024)).to_string();
    let bodies: &[(String, u16, &str)] = &[
        ("{}".to_owned(), 400, "invalid_payload"),
        (json!({"data": 1}).to_string(), 400, "invalid_payload"),
        (json!({"event": ""}).to_string(), 400, "invalid_payload"),
        (json!({"event": 7}).to_string(), 400, "invalid_payload"),
        (json!({"event": null}).to_string(), 400, "invalid_payload"),
        (json!({"event": long}).to_string(), 400, "invalid_payload"),
        (json!({"event": "a\nb"}).to_string(), 400, "invalid_payload"),
        (json!({"event": "connect"}).to_string(), 400, "invalid_payload"),
        (json!({"event": "disconnect", "data": 1}).to_string(), 400, "invalid_payload"),
        (json!({"event": "a", "payload": 1}).to_string(), 400, "invalid_payload"),
        (json!({"event": "a", "user": "bob"}).to_string(), 400, "invalid_payload"),
        (json!({"event": "a", "conversationId": "c"}).to_string(), 400, "invalid_payload"),
        (format!(r#"{{"event":"a","data":{deep}}}"#), 400, "invalid_payload"),
        (format!(r#"{{"event":"a","data":{large}}}"#), 400, "invalid_payload"),
        ("[]".to_owned(), 400, "invalid_payload"),
        ("{".to_owned(), 400, "invalid_payload"),
        (format!(r#"{{"event":"a","data":"{}"}}"#, "x".repeat(3 << 20)), 413, "payload_too_large"),
    ];
    let headers = format!("Content-Type: application/json\r\nAuthorization: Bearer {SERVICE_KEY}\r\n");
    let refused = async |method: &str, path: &str, body: &str| {
        let answer = http(&gateway.address, method, path, &headers, body).await;
        let problem: Value = serde_json::from_str(&answer.body).unwrap();
        (answer.status, problem["code"].as_str().unwrap_or_default().to_owned())
    };
    for path in ["/v1/users/ann/events", "/v1/conversations/c/events", "/v1/events"] {
        for (body, status, code) in bodies {
            let shown: String = body.chars().take(60).collect();
            assert_eq!(refused("POST", path, body).await, (*status, (*code).to_owned()), "{path} {shown}");
        }
    }
    let long = "x".repeat(129);
    let event = json!({"event": "a"}).to_string();
    for id in [&*long, "%00", "%FF", "a%0Ab"] {
        let refusal = (400, "invalid_payload".to_owned());
        assert_eq!(refused("POST", &format!("/v1/users/{id}/events"), &event).await, refusal, "{id}");
        assert_eq!(refused("POST", &format!("/v1/conversations/{id}/events"), &event).await, refusal, "{id}");
        assert_eq!(refused("DELETE", &format!("/v1/users/{id}/sessions"), "").await, refusal, "{id}");
    }
    let text = refused("POST", "/v1/events", "").await;
    assert_eq!(text.0, 400);
    emit(&gateway, "/v1/users/ann/events", "last", json!("x".repeat(64 * 1024 - 2))).await;
    ann.event("last").await;
    assert_eq!(ann.received().iter().filter(|event| event.name != "session:ready").count(), 1);
    app.end().await;
}
