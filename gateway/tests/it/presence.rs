//! Who is online: on whatever gateway, with however many devices, told once, and as the user wants it.

#![cfg(test)]

mod bad_input;
mod disturbed;
mod rooms;

use serde_json::{Value, json};

use crate::{
    app::{Gateway, TestApp, eventually},
    client::{Client, token},
    conversations::as_user,
    dialect::Folder,
    openapi::documented,
};

/// In this dialect everybody is told of everybody.
const LOBBY: &str = r#"
    name = "lobby"
    answer.ack = { ok = true, "..." = "{$}" }
    failure.ack = { ok = false, error = { code = "{code}", message = "{message}", retryable = "{retryable}" } }
    behaviour.presence = "everyone"
    [[inbound]]
    event = "conversation:join"
    command = "conversation.join"
    fields.conversation = "conversationId"
    [[inbound]]
    event = "presence:set"
    command = "presence.set"
    fields.status = "status"
    [[outbound]]
    on = "presence.changed"
    event = "presence:changed"
    audience = "others"
    payload = "{$}"
"#;

/// Two gateways where everybody who speaks the dialect `lobby` is told of everybody who does.
pub struct Lobby {
    pub app: TestApp,
    pub here: Gateway,
    pub there: Gateway,
    /// A socket of a user who does nothing, at `there`.
    pub watcher: Client,
    _folder: Folder,
}

impl Lobby {
    async fn new() -> Self {
        Self::with(&[], &[]).await
    }

    /// With settings of both gateways, and of `here` alone.
    async fn with(both: &[(&str, &str)], of_here: &[(&str, &str)]) -> Self {
        let app = TestApp::new().await;
        let folder = Folder::with(&[("lobby.toml", LOBBY)]);
        let mut settings = vec![folder.setting()];
        settings.extend(both);
        let there = app.gateway(&settings).await;
        settings.extend(of_here);
        let here = app.gateway(&settings).await;
        let watcher = lobby(&there, "watcher").await;
        // Whether everything is subscribed shows when somebody is heard.
        eventually("presence is heard", async || {
            let name = format!("first-{:08x}", rand::random::<u32>());
            drop(lobby(&here, &name).await);
            (!watcher.events("presence:changed").is_empty()).then_some(())
        })
        .await;
        Self { app, here, there, watcher, _folder: folder }
    }

    /// What the watcher was told of a user by now.
    async fn told(&self, user: &str) -> Vec<String> {
        static MARKS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let mark = json!(MARKS.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        // What is published after it, arrives after it.
        let body = json!({"event": "mark", "data": mark});
        assert_eq!(self.there.rest("POST", "/v1/users/watcher/events", body).await.0, 202);
        eventually("the mark comes", async || self.watcher.events("mark").contains(&mark).then_some(()))
            .await;
        told(&self.watcher, user)
    }

    async fn end(self) {
        self.app.end().await;
    }
}

/// A socket that speaks the dialect in which everybody is told.
async fn lobby(gateway: &Gateway, user: &str) -> Client {
    let path = "/socket.io/?EIO=4&transport=websocket&dialect=lobby";
    Client::try_connect(gateway, path, "", json!({"token": token(user)})).await.unwrap()
}

/// What a socket was told of a user.
pub fn told(client: &Client, user: &str) -> Vec<String> {
    let events = client.events("presence:changed").into_iter();
    let of_user = events.filter(|event| event["userId"] == user);
    of_user.map(|event| event["status"].as_str().unwrap().to_owned()).collect()
}

/// What others see of a user.
pub async fn status(gateway: &Gateway, user: &str) -> Value {
    let (status, presence) = gateway.rest("GET", &format!("/v1/users/{user}/presence"), json!({})).await;
    assert_eq!(status, 200, "{presence}");
    documented(gateway, "GET", "/v1/users/{user}/presence", status, &presence).await;
    presence
}

/// Waits until others see this of a user.
pub async fn until_seen(gateway: &Gateway, user: &str, as_what: &str) -> Value {
    eventually(&format!("{user} is {as_what}"), async || {
        Some(status(gateway, user).await).filter(|presence| presence["status"] == as_what)
    })
    .await
}

/// The sockets of a user, as backends read them.
async fn sessions(gateway: &Gateway, user: &str) -> Vec<Value> {
    let path = format!("/v1/users/{user}/sessions");
    let (status, answer) = gateway.rest("GET", &path, json!({})).await;
    documented(gateway, "GET", "/v1/users/{user}/sessions", status, &answer).await;
    answer["sessions"].as_array().unwrap().clone()
}

async fn until_sessions(gateway: &Gateway, user: &str, count: usize) -> Vec<Value> {
    eventually(&format!("{user} has {count} sockets"), async || {
        Some(sessions(gateway, user).await).filter(|sessions| sessions.len() == count)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_device_comes_online_and_only_the_last_one_goes_offline() {
    let lobby_of_two = Lobby::new().await;
    let (here, there) = (&lobby_of_two.here, &lobby_of_two.there);
    let first = lobby(here, "ann").await;
    until_sessions(there, "ann", 1).await;
    let second = lobby(there, "ann").await;
    let sockets = until_sessions(there, "ann", 2).await;
    assert_eq!(sockets[0]["dialect"], "lobby");
    assert!(sockets[0]["connectedAt"].as_str() <= sockets[1]["connectedAt"].as_str(), "oldest first");
    assert_eq!(status(here, "ann").await["status"], "online");
    drop(first);
    until_sessions(here, "ann", 1).await;
    assert_eq!(lobby_of_two.told("ann").await, ["online"]);
    drop(second);
    let gone = until_seen(here, "ann", "offline").await;
    assert_eq!(lobby_of_two.told("ann").await, ["online", "offline"]);
    assert!(gone["lastSeen"].is_string());
    assert_eq!(until_sessions(here, "ann", 0).await, [Value::Null; 0]);
    lobby_of_two.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_back_is_told_of_again() {
    let lobby_of_two = Lobby::new().await;
    for _ in 0..3 {
        let ann = lobby(&lobby_of_two.here, "ann").await;
        until_seen(&lobby_of_two.there, "ann", "online").await;
        drop(ann);
        until_seen(&lobby_of_two.there, "ann", "offline").await;
    }
    let expected = ["online", "offline", "online", "offline", "online", "offline"];
    assert_eq!(lobby_of_two.told("ann").await, expected);
    lobby_of_two.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_holds_for_all_devices_until_the_last_one_has_gone() {
    let lobby_of_two = Lobby::new().await;
    let (here, there) = (&lobby_of_two.here, &lobby_of_two.there);
    let ann = lobby(here, "ann").await;
    for (choice, repeated) in [("away", false), ("busy", false), ("busy", true)] {
        let answer = ann.ok("presence:set", json!({"status": choice})).await;
        assert_eq!(answer["presence"]["status"], choice, "{repeated}");
        assert_eq!(status(there, "ann").await["status"], choice);
    }
    let second = lobby(there, "ann").await;
    until_sessions(there, "ann", 2).await;
    drop(ann);
    until_sessions(there, "ann", 1).await;
    assert_eq!(lobby_of_two.told("ann").await, ["online", "away", "busy"]);
    drop(second);
    until_seen(here, "ann", "offline").await;
    let _back = lobby(here, "ann").await;
    until_seen(there, "ann", "online").await;
    assert_eq!(lobby_of_two.told("ann").await, ["online", "away", "busy", "offline", "online"]);
    lobby_of_two.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_learns_that_somebody_who_looks_offline_is_there() {
    let lobby_of_two = Lobby::new().await;
    let (here, there) = (&lobby_of_two.here, &lobby_of_two.there);
    let ann = Client::connect(here, "ann").await;
    let bob = Client::connect(there, "bob").await;
    let answer = ann.ok("presence:set", json!({"status": "offline"})).await;
    let seen = status(there, "ann").await;
    assert_eq!(seen, answer["presence"]);
    assert_eq!(seen["status"], "offline");
    assert!(seen["lastSeen"].is_string());
    let by_bob = bob.ok("presence:get", json!({"userIds": ["ann"]})).await;
    assert_eq!(by_bob["presences"], json!([seen]));
    assert!(seen.get("connected").is_none() && seen.get("sessionId").is_none(), "{seen}");
    assert!(!online(there).await.contains(&"ann".to_owned()));
    // A backend can know.
    assert_eq!(sessions(there, "ann").await.len(), 1);
    drop(ann);
    until_sessions(there, "ann", 0).await;
    assert_eq!(status(there, "ann").await["status"], "offline");
    lobby_of_two.end().await;
}

/// Everybody who is online, read page by page.
async fn online(gateway: &Gateway) -> Vec<String> {
    let (mut users, mut path) = (Vec::new(), "/v1/presence?limit=2".to_owned());
    loop {
        let (status, page) = gateway.rest("GET", &path, json!({})).await;
        documented(gateway, "GET", "/v1/presence", status, &page).await;
        let presences = page["presences"].as_array().unwrap();
        assert!(presences.len() <= 2);
        users.extend(presences.iter().map(|presence| presence["userId"].as_str().unwrap().to_owned()));
        match page["nextCursor"].as_str() {
            Some(next) => path = format!("/v1/presence?limit=2&cursor={next}"),
            None => return users,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_reads_page_by_page_who_is_online() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    assert_eq!(online(&here).await, [""; 0]);
    let mut names: Vec<String> = (0..7).map(|n| format!("user-{n}")).collect();
    let mut clients = Vec::new();
    for (n, name) in names.iter().enumerate() {
        clients.push(Client::connect(if n % 2 == 0 { &here } else { &there }, name).await);
    }
    for name in &names {
        until_seen(&there, name, "online").await;
    }
    clients[3].ok("presence:set", json!({"status": "away"})).await;
    clients[4].ok("presence:set", json!({"status": "offline"})).await;
    names.remove(4);
    let mut found = online(&here).await;
    found.sort();
    assert_eq!(found, names);
    let (_, page) = there.rest("GET", "/v1/presence", json!({})).await;
    assert_eq!((&page["total"], &page["nextCursor"]), (&json!(6), &Value::Null));
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_presence_of_many_users_is_read_at_once() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    let (ann, bob) = (Client::connect(&here, "ann").await, Client::connect(&there, "bob").await);
    drop(Client::connect(&here, "carl").await);
    let carl = until_seen(&there, "carl", "offline").await;
    bob.ok("presence:set", json!({"status": "busy"})).await;
    app.store
        .run("test", async |connection| {
            let insert = "INSERT INTO users (id, last_seen_at) VALUES ('dora', '2026-01-31T09:30:00Z')";
            Ok(sqlx::query(insert).execute(connection).await?)
        })
        .await
        .unwrap();
    let users = json!(["nobody", "bob", "carl", "dora", "ann", "bob"]);
    let answer = ann.ok("presence:get", json!({"userIds": users})).await;
    let presences = answer["presences"].as_array().unwrap();
    let seen: Vec<_> = presences
        .iter()
        .map(|one| (one["userId"].as_str().unwrap(), one["status"].as_str().unwrap()))
        .collect();
    assert_eq!(
        seen,
        [
            ("nobody", "offline"),
            ("bob", "busy"),
            ("carl", "offline"),
            ("dora", "offline"),
            ("ann", "online"),
            ("bob", "busy")
        ]
    );
    assert_eq!(presences[0], json!({"userId": "nobody", "status": "offline", "lastSeen": null, "at": null}));
    assert_eq!(presences[1]["lastSeen"], Value::Null);
    assert!(presences[1]["at"].is_string());
    assert_eq!(presences[2], carl);
    assert_eq!(presences[3]["lastSeen"], "2026-01-31T09:30:00.000Z");
    let most: Vec<String> = (0..500).map(|n| format!("u{n}")).collect();
    let answer = ann.ok("presence:get", json!({"userIds": most})).await;
    assert_eq!(answer["presences"].as_array().unwrap().len(), 500);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_can_be_chosen_by_a_request_too() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    let _ann = Client::connect(&here, "ann").await;
    let path = "/v1/users/ann/presence";
    // The gateway that the user is connected to tells Redis first.
    let (code, presence) = as_user(&here, "ann", "PUT", path, json!({"status": "away"})).await;
    assert_eq!((code, &presence["status"]), (200, &json!("away")));
    documented(&here, "PUT", "/v1/users/{user}/presence", code, &presence).await;
    assert_eq!(status(&there, "ann").await, presence);
    let (code, presence) = there.rest("PUT", path, json!({"status": "busy"})).await;
    assert_eq!((code, &presence["status"]), (200, &json!("busy")));
    app.end().await;
}
