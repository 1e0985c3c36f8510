//! Sockets that say by an event who they are, and what they cannot do before and after it.

#![cfg(test)]

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    app::{Gateway, TestApp, eventually},
    client::{Client, assert_refused, token},
    dialect::Folder,
    wire::client::{Polling, Ws},
};

const PATH: &str = "/socket.io/?EIO=4&transport=websocket";

const DIET: &str = r#"
name = "diet"

[ids.user]
type = "number"

[handshake]
conversation = ["auth.room"]

[answer]
ack = { ok = true, "..." = "{$}" }

[failure]
ack = { ok = false, error = { "..." = "{$}" } }
emit = [{ event = "oops", payload = { code = "{code}" } }]

[[inbound]]
event = "join"
command = "session.identify"
fields.user = ["$", "userId"]

[[inbound]]
event = "ping"
command = "ping"

[[inbound]]
event = "enter"
command = "conversation.join"
fields.conversation = "room"

[[inbound]]
event = "say"
command = "message.send"
fields.conversation = ["room", "@conversation"]
fields.content = "text"

[[inbound]]
event = "authenticate"
command = "session.authenticate"
fields.token = "token"

[[outbound]]
on = "message.created"
event = "said"
payload.text = "{content}"

[[outbound]]
on = "notification.created"
event = "news"
payload.text = "{text}"

[[outbound]]
on = "session.ready"
event = "ready"
payload = { userId = "{userId}", room = "{conversationId}" }
"#;

/// Clients of `diet` are believed who they are, those of `strict` are not.
async fn installation(more: &[(&str, &str)]) -> (TestApp, Folder, Gateway) {
    let app = TestApp::new().await;
    let strict = DIET.replace("name = \"diet\"", "name = \"strict\"");
    let folder = Folder::with(&[("diet.toml", DIET), ("strict.toml", &strict)]);
    let settings = [&[folder.setting(), ("auth.insecure_dialects", "diet")], more].concat();
    let gateway = app.gateway(&settings).await;
    app.conversation(&gateway, "c", &["7", "8"]).await;
    (app, folder, gateway)
}

async fn connect(gateway: &Gateway, dialect: &str, auth: Value) -> Result<Client, String> {
    let refused = |error: Value| error["message"].as_str().unwrap().to_owned();
    Client::try_connect(gateway, &format!("{PATH}&dialect={dialect}"), "", auth).await.map_err(refused)
}

/// A socket of nobody.
async fn stranger(gateway: &Gateway) -> Client {
    connect(gateway, "diet", Value::Null).await.unwrap_or_else(|refused| panic!("{refused}"))
}

async fn online(gateway: &Gateway, user: &str) -> bool {
    let (status, presence) = gateway.rest("GET", &format!("/v1/users/{user}/presence"), json!({})).await;
    assert_eq!(status, 200, "{presence}");
    presence["status"] == "online"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_says_by_an_event_who_it_is_and_is_a_session_from_then_on() {
    let (app, _folder, gateway) = installation(&[]).await;
    let client = stranger(&gateway).await;
    // What follows at once is carried out as his, in its turn.
    let stated = client.ask("join", json!(7)).await;
    let first = client.ask("say", json!({"room": "c", "text": "first"})).await;
    let entered = client.ask("enter", json!({"room": "c"})).await;
    assert_eq!(client.answer(stated).await, json!({"ok": true, "userId": 7}));
    assert_eq!(client.answer(first).await["message"]["senderId"], 7);
    assert_eq!(client.answer(entered).await["ok"], true);
    assert_eq!(client.event("ready").await, json!({"userId": 7, "room": null}));
    client.call("say", json!({"room": "c", "text": "hello"})).await;
    assert_eq!(client.event("said").await["text"], "hello");
    assert_eq!(client.events("ready").len(), 1);
    eventually("he is online", async || online(&gateway, "7").await.then_some(())).await;
    let (status, _) =
        gateway.rest("POST", "/v1/users/7/notifications", json!({"type": "x", "text": "for you"})).await;
    assert_eq!(status, 201);
    assert_eq!(client.event("news").await["text"], "for you");
    drop(client);
    eventually("he is gone", async || (!online(&gateway, "7").await).then_some(())).await;
    assert_eq!(gateway.metric("parlance_connections{dialect=\"diet\"}").await, 0.0);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_that_it_can_do_nothing_and_is_told_nothing() {
    let (app, _folder, gateway) = installation(&[]).await;
    let client = stranger(&gateway).await;
    for (event, payload) in [
        ("ping", json!({})),
        ("enter", json!({"room": "c"})),
        ("say", json!({"room": "c", "text": "hello"})),
        ("authenticate", json!({"token": token("7")})),
        ("no:such:event", json!({})),
    ] {
        assert_refused(&client.call(event, payload).await, "token_missing");
        assert_eq!(client.event("oops").await["code"], "token_missing", "{event}");
    }
    for nobody in [json!(null), json!(""), json!({"userId": [7]}), json!("x".repeat(200)), json!("a\u{0}")] {
        assert_refused(&client.call("join", nobody).await, "invalid_payload");
        client.event("oops").await;
    }
    // A backend's event for everyone of the namespace is all that could reach it; nothing of anybody else's does.
    let other = connect(&gateway, "diet", json!({"userId": "8"})).await.unwrap();
    other.call("enter", json!({"room": "c"})).await;
    other.call("say", json!({"room": "c", "text": "among us"})).await;
    assert_eq!(other.event("said").await["text"], "among us");
    assert_refused(&client.call("ping", json!({})).await, "token_missing");
    assert!(client.received().iter().all(|event| event.name == "oops"), "{:?}", client.received());
    assert_eq!(gateway.metric("parlance_connections{dialect=\"diet\"}").await, 1.0);
    let (_, stats) = gateway.rest("GET", "/v1/stats", json!({})).await;
    assert_eq!(stats["users"], 1, "{stats}");
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_says_so_once() {
    let (app, _folder, gateway) = installation(&[]).await;
    let client = stranger(&gateway).await;
    // Both are under way at the same time.
    let (first, second) = (client.ask("join", json!(7)).await, client.ask("join", json!(8)).await);
    assert_eq!(client.answer(first).await["userId"], 7);
    assert_refused(&client.answer(second).await, "forbidden");
    assert_eq!(client.call("join", json!("7")).await["userId"], 7);
    assert_refused(&client.call("join", json!(8)).await, "forbidden");
    assert_eq!(client.call("say", json!({"room": "c", "text": "me"})).await["message"]["senderId"], 7);
    assert!(!online(&gateway, "8").await);
    // So does one that said it in the handshake.
    let other = connect(&gateway, "diet", json!({"userId": 8})).await.unwrap();
    assert_refused(&other.call("join", json!(7)).await, "forbidden");
    assert_eq!(other.call("join", json!(8)).await["userId"], 8);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_a_token_is_needed_nobody_is_let_in_without_and_nobody_says_he_is_another() {
    let (app, _folder, gateway) = installation(&[]).await;
    for auth in [Value::Null, json!({}), json!({"userId": 7})] {
        let refused = connect(&gateway, "strict", auth).await.err();
        assert_eq!(refused.as_deref(), Some("token_missing"));
    }
    let client = connect(&gateway, "strict", json!({"token": token("7")})).await.unwrap();
    assert_eq!(client.event("ready").await["userId"], 7);
    assert_refused(&client.call("join", json!(8)).await, "forbidden");
    assert_eq!(client.call("join", json!(7)).await["userId"], 7);
    // A token that is not good is no reason to be let in without one.
    for dialect in ["diet", "strict"] {
        let refused = connect(&gateway, dialect, json!({"token": "nonsense"})).await.err();
        assert_eq!(refused.as_deref(), Some("token_malformed"));
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_not_kept_for_ever() {
    let (app, _folder, gateway) = installation(&[("socket.connect_timeout", "1s")]).await;
    let started = Instant::now();
    let (silent, known, busy) =
        (stranger(&gateway).await, stranger(&gateway).await, stranger(&gateway).await);
    known.call("join", json!(7)).await;
    assert_refused(&busy.call("ping", json!({})).await, "token_missing");
    silent.ended().await;
    busy.ended().await;
    assert!(started.elapsed() >= Duration::from_millis(900), "{:?}", started.elapsed());
    // It can come back and say it then.
    assert!(!silent.was_disconnected() && !busy.was_disconnected());
    assert_eq!(known.call("ping", json!({})).await["ok"], true);
    // Neither on polling.
    let polling = Polling::open(&gateway.address).await;
    polling.post("40/diet,").await;
    assert!(polling.gets("40/diet,{").await);
    eventually("the session is gone", async || (polling.get().await.status != 200).then_some(())).await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_does_not_wait_for_it() {
    let (app, _folder, gateway) = installation(&[]).await;
    let client = stranger(&gateway).await;
    gateway.process.stop().await;
    client.ended().await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_goes_on_trying_is_ended() {
    let settings = [("limits.abuse_refusals", "20"), ("limits.abuse_window", "60s")];
    let (app, _folder, gateway) = installation(&settings).await;
    let client = stranger(&gateway).await;
    for _ in 0..30 {
        client.emit("ping", json!({})).await;
    }
    client.ended().await;
    assert!(client.events("oops").len() <= 21);
    // What it may send before it is somebody is bounded, too.
    let large = stranger(&gateway).await;
    large.emit("say", json!({"text": "x".repeat(100_000)})).await;
    large.ended().await;
    assert!(large.received().is_empty(), "{:?}", large.received());
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_has_so_many_sockets_whichever_way_they_say_who_they_are() {
    let (app, _folder, gateway) = installation(&[("limits.connections_per_user", "2")]).await;
    let first = stranger(&gateway).await;
    assert_eq!(first.call("join", json!(7)).await["ok"], true);
    let second = connect(&gateway, "diet", json!({"userId": 7})).await.unwrap();
    let third = stranger(&gateway).await;
    assert_refused(&third.call("join", json!(7)).await, "limit_reached");
    drop(first);
    eventually("its place is free", async || {
        (third.call("join", json!(7)).await["ok"] == true).then_some(())
    })
    .await;
    assert_eq!(second.call("ping", json!({})).await["ok"], true);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attempts_cost_an_address_what_handshakes_do() {
    let settings = [("limits.connects_per_second", "1"), ("limits.connects_burst", "3")];
    let (app, _folder, gateway) = installation(&settings).await;
    let client = connect(&gateway, "diet", json!({"room": "of others"})).await.unwrap();
    let mut refused = Vec::new();
    for user in 100..120 {
        let answer = client.call("join", json!(user)).await;
        refused.push(answer["error"]["code"].as_str().unwrap().to_owned());
    }
    assert_eq!(refused[0], "not_found", "{refused:?}");
    assert!(refused.iter().any(|code| code == "rate_limited"), "{refused:?}");
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_conversation_of_the_handshake_is_looked_at_when_it_is_known_who_it_is() {
    let (app, _folder, gateway) = installation(&[]).await;
    let client = connect(&gateway, "diet", json!({"room": "c"})).await.unwrap();
    assert_refused(&client.call("join", json!(9)).await, "not_a_participant");
    assert_refused(&client.call("say", json!({"text": "as nobody"})).await, "token_missing");
    let (stated, said) =
        (client.ask("join", json!(7)).await, client.ask("say", json!({"text": "as one of them"})).await);
    assert_eq!(client.answer(stated).await["userId"], 7);
    assert_eq!(client.answer(said).await["ok"], true);
    assert_eq!(client.event("ready").await, json!({"userId": 7, "room": "c"}));
    assert_eq!(client.event("said").await["text"], "as one of them");
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_works_by_polling_as_well() {
    let (app, _folder, gateway) = installation(&[]).await;
    let polling = Polling::open(&gateway.address).await;
    polling.post("40/diet,").await;
    assert!(polling.gets("40/diet,{").await);
    polling.post(r#"42/diet,1["ping"]"#).await;
    assert!(polling.gets("43/diet,1[").await);
    polling.post(r#"42/diet,2["join",7]"#).await;
    assert!(polling.gets(r#"43/diet,2[{"ok":true,"userId":7}]"#).await);
    polling.post(r#"42/diet,3["enter",{"room":"c"}]"#).await;
    assert!(polling.gets("43/diet,3[").await);
    polling.post(r#"42/diet,["say",{"room":"c","text":"hello"}]"#).await;
    assert!(polling.gets(r#"42/diet,["said",{"text":"hello"}]"#).await);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sockets_that_go_while_they_say_who_they_are_leave_nothing_behind() {
    let (app, _folder, gateway) = installation(&[("limits.connections_per_user", "20")]).await;
    for _ in 0..10 {
        let hasty = (0..20).map(async |_| {
            let mut ws = Ws::open(&gateway.address, &format!("{PATH}&dialect=diet"), "").await.unwrap();
            assert!(ws.next().await.unwrap().starts_with("0{"));
            ws.send("40").await;
            assert!(ws.next().await.unwrap().starts_with("40{"));
            ws.try_send(r#"42["join",7]"#).await;
        });
        futures_util::future::join_all(hasty).await;
    }
    let connections = async || gateway.metric("parlance_connections{dialect=\"diet\"}").await;
    eventually("none is left", async || (connections().await == 0.0).then_some(())).await;
    eventually("he is gone", async || (!online(&gateway, "7").await).then_some(())).await;
    // Every place is free again.
    eventually("all places are free", async || {
        let mut held = Vec::new();
        for _ in 0..20 {
            held.push(connect(&gateway, "diet", json!({"userId": 7})).await.ok()?);
        }
        Some(())
    })
    .await;
    app.end().await;
}
