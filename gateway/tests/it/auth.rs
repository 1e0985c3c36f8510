//! Connecting: who is let in, what the others are told, and what the first moments hold.

#![cfg(test)]

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::future::join_all;
use parlance_chassis::clock::Clock;
use serde_json::{Value, json};

use crate::{
    app::{DEADLINE, Gateway, SECRET, TestApp, eventually},
    client::{Client, sign, token},
    wire::client::{Polling, Ws},
};

const PATH: &str = "/socket.io/?EIO=4&transport=websocket";

fn now() -> i64 {
    Clock::system().now_ms() / 1_000
}

/// The `message` of the `connect_error`.
async fn refusal(gateway: &Gateway, auth: Value) -> String {
    match Client::try_connect(gateway, PATH, "", auth.clone()).await {
        Ok(_) => panic!("let in with {auth}"),
        Err(refused) => refused["message"].as_str().unwrap().to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshakes_are_refused_with_their_code() {
    let (app, gateway) = TestApp::with_gateway().await;
    let soon = now() + 600;
    let unsigned = |header: Value| {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.", part(&header), part(&json!({"sub": "ann", "exp": soon})))
    };
    let forged = sign(&json!({"sub": "ann", "exp": soon}), "another secret of more than thirty-two bytes");
    let mut tampered = sign(&json!({"sub": "ann", "exp": soon}), SECRET);
    let payload = URL_SAFE_NO_PAD.encode(json!({"sub": "root", "exp": soon}).to_string());
    let parts: Vec<&str> = tampered.split('.').collect();
    tampered = [parts[0], &payload, parts[2]].join(".");
    for (auth, code) in [
        (Value::Null, "token_missing"),
        (json!({}), "token_missing"),
        (json!({"token": ""}), "token_missing"),
        (json!({"token": "nonsense"}), "token_malformed"),
        (json!({"token": forged}), "token_invalid"),
        (json!({"token": tampered}), "token_invalid"),
        (json!({"token": unsigned(json!({"alg": "none"}))}), "token_invalid"),
        (json!({"token": unsigned(json!({"alg": "HS256"}))}), "token_invalid"),
        (json!({"token": sign(&json!({"exp": soon}), SECRET)}), "token_invalid"),
        (json!({"token": sign(&json!({"sub": "", "exp": soon}), SECRET)}), "token_invalid"),
        (json!({"token": sign(&json!({"sub": "x".repeat(300), "exp": soon}), SECRET)}), "token_invalid"),
        (json!({"token": sign(&json!({"sub": "a\u{0}b", "exp": soon}), SECRET)}), "token_invalid"),
        (json!({"token": sign(&json!({"sub": {"a": 1}, "exp": soon}), SECRET)}), "token_invalid"),
        (json!({"token": sign(&json!({"sub": "ann"}), SECRET)}), "token_invalid"),
        (json!({"token": sign(&json!({"sub": "ann", "exp": now() - 600}), SECRET)}), "token_expired"),
    ] {
        assert_eq!(refusal(&gateway, auth.clone()).await, code, "{auth}");
    }
    Client::connect(&gateway, "ann").await.ping().await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_taken_from_auth_then_the_header_then_the_query() {
    let (app, gateway) = TestApp::with_gateway().await;
    let bearer = format!("authorization: Bearer {}", token("header"));
    let query = format!("{PATH}&token={}", token("query"));
    for (path, headers, auth, user) in [
        (&*query, &*bearer, json!({"token": token("auth")}), "auth"),
        (&*query, &*bearer, Value::Null, "header"),
        (&*query, "", Value::Null, "query"),
        (&*query, "", json!({"unrelated": true}), "query"),
    ] {
        let client = Client::try_connect(&gateway, path, headers, auth)
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(client.event("session:ready").await["userId"], user);
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_event_tells_who_and_where_one_is() {
    let (app, gateway) = TestApp::with_gateway().await;
    let claims = json!({"userId": 7, "name": "Ann", "exp": now() + 600});
    let auth = json!({"token": sign(&claims, SECRET)});
    let client =
        Client::try_connect(&gateway, PATH, "", auth).await.unwrap_or_else(|error| panic!("{error}"));
    let ready = client.event("session:ready").await;
    assert_eq!(client.received()[0].name, "session:ready");
    assert_eq!((&ready["userId"], &ready["dialect"]), (&json!("7"), &json!("native")));
    assert_eq!((&ready["user"]["id"], &ready["user"]["name"]), (&json!("7"), &json!("Ann")));
    assert_eq!(ready["pingIntervalMs"], 25_000);
    assert!(ready["sessionId"].as_str().is_some_and(|id| !id.is_empty()));
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_emitted_right_behind_the_connect_packet_is_heard() {
    let (app, gateway) = TestApp::with_gateway().await;
    for n in 0..50 {
        let client = Client::open(&gateway, PATH, "").await;
        client.packet(&format!("40{}", json!({"token": token("ann")}))).await;
        client.connected().await.unwrap();
        let asked = client.ask("echo", json!(n)).await;
        assert_eq!(client.answer(asked).await["echo"], n);
    }
    app.end().await;
}

/// A socket whose first event is sent as soon as it may be.
async fn hasty(gateway: &Gateway, user: &str, event: Value) -> Ws {
    let mut ws = Ws::open(&gateway.address, PATH, "").await.unwrap();
    assert!(ws.next().await.unwrap().starts_with("0{"));
    let auth = json!({"token": sign(&json!({"sub": user, "iat": now() - 5, "exp": now() + 600}), SECRET)});
    ws.send(&format!("40{auth}")).await;
    assert!(ws.next().await.unwrap().starts_with("40{"));
    ws.send(&format!("421{event}")).await;
    ws
}

/// There are far more threads than processors, so that some sockets' first events are read before their connect handlers
/// run.
#[tokio::test(flavor = "multi_thread", worker_threads = 16)]
async fn sockets_that_emit_at_once_are_greeted_counted_and_met_by_revocations_and_kicks_like_others() {
    const SOCKETS: usize = 300;
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("limits.connections_per_user", "1000")]).await;
    let hasty = join_all((0..SOCKETS).map(async |n| {
        let user = if n % 2 == 0 { "ann" } else { "bob" };
        let mut ws = hasty(&gateway, user, json!(["echo", n])).await;
        let (mut ready, mut answered) = (false, false);
        while !(ready && answered) {
            let packet = ws.next().await.unwrap();
            ready |= packet.starts_with("42[\"session:ready\"");
            answered |= packet.starts_with("431[");
        }
        ws
    }));
    let sockets = tokio::time::timeout(DEADLINE, hasty).await.expect("all are greeted");
    let connections = async || gateway.metric("parlance_connections{dialect=\"native\"}").await;
    assert_eq!(connections().await, 300.0);
    let (status, _) = gateway.rest("POST", "/v1/users/ann/revoke", json!({})).await;
    assert_eq!(status, 200);
    let (status, _) = gateway.rest("DELETE", "/v1/users/bob/sessions", json!({})).await;
    assert_eq!(status, 204);
    for mut ws in sockets {
        let mut last = String::new();
        while let Some(packet) = ws.next().await {
            last = packet;
        }
        assert_eq!(last, "41", "it is disconnected for good");
    }
    eventually("none is left", async || (connections().await == 0.0).then_some(())).await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 16)]
async fn the_first_event_of_a_socket_can_choose_a_status() {
    let (app, gateway) = TestApp::with_gateway().await;
    let all = join_all((0..200).map(async |n| {
        let event = json!(["presence:set", {"status": "busy"}]);
        let mut ws = hasty(&gateway, &format!("user-{n}"), event).await;
        loop {
            let packet = ws.next().await.unwrap();
            if let Some(answer) = packet.strip_prefix("431") {
                let answer: Value = serde_json::from_str(answer).unwrap();
                assert_eq!(answer[0]["ok"], true, "{n}: {answer}");
                return;
            }
        }
    }));
    tokio::time::timeout(DEADLINE, all).await.expect("all are answered");
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_carried_out_for_whom_was_refused() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let message = json!({"conversationId": "c", "content": "let me in"});
    // An event for a namespace that is not connected ends the transport.
    let eve = Client::open(&gateway, PATH, "").await;
    eve.packet("40").await;
    assert_eq!(eve.connected().await.unwrap_err()["message"], "token_missing");
    eve.emit("message:send", message.clone()).await;
    eve.ended().await;
    // It may do so before the refusal is there.
    let mut hasty = Ws::open(&gateway.address, PATH, "").await.unwrap();
    assert!(hasty.next().await.unwrap().starts_with("0{"));
    hasty.send("40").await;
    hasty.try_send(&format!("42{}", json!(["message:send", message]))).await;
    while let Some(packet) = hasty.next().await {
        // `1` is the end of the transport.
        assert!([r#"44{"message":"token_missing"}"#, "1"].contains(&packet.as_str()), "{packet}");
    }
    let ann = Client::connect(&gateway, "ann").await;
    ann.ping().await;
    assert_eq!(ann.history(json!({"conversationId": "c"})).await.0.len(), 0);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_can_hold_two_namespaces_of_a_dialect() {
    let (app, gateway) = TestApp::with_gateway().await;
    let mut ws = Ws::open(&gateway.address, PATH, "").await.unwrap();
    assert!(ws.next().await.unwrap().starts_with("0{"));
    let auth = json!({"token": token("ann")});
    for namespace in ["", "/native,"] {
        ws.send(&format!("40{namespace}{auth}")).await;
        let connected = ws.next().await.unwrap();
        assert!(connected.starts_with(&format!("40{namespace}{{")), "{connected}");
        let ready = ws.next().await.unwrap();
        assert!(ready.starts_with(&format!("42{namespace}[\"session:ready\"")), "{ready}");
    }
    ws.send(r#"42/native,1["echo","second"]"#).await;
    assert_eq!(ws.next().await.unwrap(), r#"43/native,1[{"ok":true,"echo":"second"}]"#);
    ws.send(r#"422["echo","first"]"#).await;
    assert_eq!(ws.next().await.unwrap(), r#"432[{"ok":true,"echo":"first"}]"#);
    drop(ws);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polling_clients_are_refused_and_let_in_with_the_same_words() {
    let (app, gateway) = TestApp::with_gateway().await;
    let polling = Polling::open(&gateway.address).await;
    assert_eq!(polling.post("40").await.body, "ok");
    assert!(polling.gets(r#"44{"message":"token_missing"}"#).await);
    let polling = Polling::connect_with(&gateway.address, &json!({"token": token("ann")}).to_string()).await;
    polling.post(r#"421["echo","hello"]"#).await;
    assert!(polling.gets(r#"431[{"ok":true,"echo":"hello"}]"#).await);
    app.end().await;
}
