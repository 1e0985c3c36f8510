//! Dialects that are read again while the gateway runs.

use std::fs;

use serde_json::{Value, json};

use crate::{
    app::{Gateway, TestApp, eventually},
    client::{Client, token},
    dialect::Folder,
    wire::client::{Ws, http},
};

/// An application that calls a message so, and has more at the top of its file.
fn file(event: &str, more: &str) -> String {
    format!(
        r#"
name = "app"
{more}
answer.ack = {{ ok = true }}
failure.ack = {{ ok = false, why = "{{code}}" }}
quotas.say = "1000/s"

[[inbound]]
event = "enter"
command = "conversation.join"
fields.conversation = "$"

[[inbound]]
event = "say"
command = "message.send"
fields = {{ conversation = "at", content = "text" }}

[[outbound]]
on = "session.ready"
event = "ready"
payload = {{ user = "{{userId}}" }}

[[outbound]]
on = "message.created"
event = "{event}"
payload = {{ text = "{{content}}" }}

[[route]]
method = "GET"
path = "/api/{event}"
command = "ping"
access = "public"
"#
    )
}

async fn reloads(gateway: &Gateway, result: &str) -> f64 {
    gateway.metric(&format!("parlance_dialect_reloads_total{{result=\"{result}\"}}")).await
}

/// Has the gateway read its folder again, with this result.
async fn reload(gateway: &Gateway, result: &str) {
    let before = reloads(gateway, result).await;
    gateway.process.reload();
    eventually(&format!("the reload is {result}"), async || {
        (reloads(gateway, result).await > before).then_some(())
    })
    .await;
}

/// Connects to `/` where the handshake says what it means.
async fn connect(gateway: &Gateway, user: &str, path: &str) -> Result<Client, Value> {
    Client::try_connect(gateway, path, "", json!({"token": token(user)})).await
}

const APP: &str = "/socket.io/?EIO=4&transport=websocket&dialect=app";

async fn joined(gateway: &Gateway, user: &str, path: &str) -> Client {
    let client = connect(gateway, user, path).await.unwrap();
    assert_eq!(client.event("ready").await["user"], user);
    let answer = client.ask("enter", json!("c")).await;
    assert_eq!(client.answer(answer).await, json!({"ok": true}));
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_connections_get_what_is_new_and_old_ones_go_on() {
    let app = TestApp::new().await;
    let folder = Folder::with(&[("app.toml", &file("said", ""))]);
    let gateway = app.gateway(&[folder.setting(), ("server.origins", "https://ours.example")]).await;
    app.conversation(&gateway, "c", &["ann", "ben"]).await;
    let old = joined(&gateway, "ann", APP).await;

    let more =
        "paths = [\"/api/sockets\"]\nnamespaces = [\"/other\"]\norigins = [\"https://theirs.example\"]";
    fs::write(folder.0.join("app.toml"), file("told", more)).unwrap();
    reload(&gateway, "ok").await;

    // By the new path, whose `/` is the dialect's.
    let new = joined(&gateway, "ben", "/api/sockets/?EIO=4&transport=websocket").await;
    let answer = new.ask("say", json!({"at": "c", "text": "hi"})).await;
    assert_eq!(new.answer(answer).await, json!({"ok": true}));
    assert_eq!(new.event("told").await, json!({"text": "hi"}));
    assert_eq!(old.event("said").await, json!({"text": "hi"}));
    let answer = old.ask("say", json!({"at": "c", "text": "yo"})).await;
    assert_eq!(old.answer(answer).await, json!({"ok": true}));
    assert_eq!(new.event("told").await, json!({"text": "yo"}));
    assert_eq!(old.event("said").await, json!({"text": "yo"}));

    // The namespace, the routes and the pages are the new ones.
    let mut ws = Ws::open(&gateway.address, "/socket.io/?EIO=4&transport=websocket", "").await.unwrap();
    ws.send(&format!("40/other,{}", json!({"token": token("ann")}))).await;
    while !ws.next().await.expect("an answer to CONNECT").starts_with("40/other,") {}
    let status = async |path| http(&gateway.address, "GET", path, "", "").await.status;
    assert_eq!((status("/api/told").await, status("/app/api/told").await), (200, 200));
    assert_eq!((status("/api/said").await, status("/app/api/said").await), (404, 404));
    let polling = async |origin: &str| {
        let origin = format!("Origin: {origin}\r\n");
        http(&gateway.address, "GET", "/api/sockets/?EIO=4&transport=polling", &origin, "").await.status
    };
    assert_eq!((polling("https://theirs.example").await, polling("https://evil.example").await), (200, 403));
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_went_away_is_refused_to_new_connections_and_old_ones_go_on() {
    let app = TestApp::new().await;
    let folder = Folder::with(&[("app.toml", &file("said", "paths = [\"/api/sockets\"]"))]);
    let gateway = app.gateway(&[folder.setting()]).await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let old = joined(&gateway, "ann", APP).await;
    fs::remove_file(folder.0.join("app.toml")).unwrap();
    reload(&gateway, "ok").await;
    assert_eq!(connect(&gateway, "ann", APP).await.err(), Some(json!({"message": "not_found"})));
    assert_eq!(
        http(&gateway.address, "GET", "/api/sockets/?EIO=4&transport=polling", "", "").await.status,
        404
    );
    let answer = old.ask("say", json!({"at": "c", "text": "still"})).await;
    assert_eq!(old.answer(answer).await, json!({"ok": true}));
    assert_eq!(old.event("said").await, json!({"text": "still"}));
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mistake_anywhere_changes_nothing() {
    let app = TestApp::new().await;
    let folder = Folder::with(&[("app.toml", &file("said", ""))]);
    let gateway = app.gateway(&[folder.setting(), ("auth.insecure_dialects", "app")]).await;
    let file_path = folder.0.join("app.toml");
    for wrong in [
        file("told", "colour = 1"),
        // Right by themselves, and wrong here.
        file("told", "paths = [\"/v1/sockets\"]"),
        file("told", "namespaces = [\"/a#b\"]"),
        file("told", "").replace("name = \"app\"", "name = \"other\""),
    ] {
        fs::write(&file_path, wrong).unwrap();
        reload(&gateway, "refused").await;
        let status = async |path| http(&gateway.address, "GET", path, "", "").await.status;
        assert_eq!((status("/api/said").await, status("/api/told").await), (200, 404));
        connect(&gateway, "ann", APP).await.unwrap();
    }
    assert_eq!(reloads(&gateway, "ok").await, 0.0);
    fs::write(&file_path, file("told", "")).unwrap();
    reload(&gateway, "ok").await;
    app.end().await;
}
