//! Revoked tokens: refused everywhere from then on, and no socket lives by one, whatever happens in between.

#![cfg(test)]

use parlance_chassis::clock::Clock;
use parlance_domain::{id::UserId, time::Timestamp};
use serde_json::{Value, json};

use crate::{
    app::{Gateway, SECRET, SERVICE_KEY, TestApp, eventually},
    client::{Client, sign},
    proxy::Proxy,
    wire::client::{Polling, Ws, http},
};

const PATH: &str = "/socket.io/?EIO=4&transport=websocket";

fn now() -> i64 {
    Clock::system().now_ms() / 1_000
}

/// A token that was issued so many seconds ago.
fn issued(user: &str, seconds_ago: i64) -> String {
    sign(&json!({"sub": user, "iat": now() - seconds_ago, "exp": now() + 3_600}), SECRET)
}

async fn connect(gateway: &Gateway, token: &str) -> Client {
    let client = try_connect(gateway, token).await.unwrap_or_else(|code| panic!("refused: {code}"));
    client.event("session:ready").await;
    client
}

/// The code of the refusal, if it is one.
async fn try_connect(gateway: &Gateway, token: &str) -> Result<Client, String> {
    let refused = |error: Value| error["message"].as_str().unwrap().to_owned();
    Client::try_connect(gateway, PATH, "", json!({"token": token})).await.map_err(refused)
}

async fn revoke(gateway: &Gateway, user: &str, body: Value) -> String {
    let (status, answer) = gateway.rest("POST", &format!("/v1/users/{user}/revoke"), body).await;
    assert_eq!((status, &answer["userId"]), (200, &json!(user)), "{answer}");
    answer["before"].as_str().unwrap().to_owned()
}

/// What a request with this token is answered: the status and the code.
async fn rest(gateway: &Gateway, token: &str) -> (u16, Value) {
    let answer =
        http(&gateway.address, "GET", "/v1/conversations", &format!("Authorization: Bearer {token}\r\n"), "")
            .await;
    let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    (answer.status, body["code"].clone())
}

async fn assert_dismissed(client: &Client) {
    client.ended().await;
    assert!(client.was_disconnected(), "it must not come back by itself with the same token");
    assert_eq!(
        client.events("error").last().map(|error| error["code"].clone()),
        Some(json!("token_revoked"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_token_is_refused_everywhere_and_its_sockets_end_on_every_gateway() {
    let (app, one, other) = TestApp::with_two_gateways().await;
    let old = issued("ann", 5);
    let (here, there) = (connect(&one, &old).await, connect(&other, &old).await);
    let bob = connect(&one, &issued("bob", 5)).await;
    revoke(&one, "ann", json!({})).await;
    assert_dismissed(&here).await;
    assert_dismissed(&there).await;
    let new = issued("ann", -1);
    for gateway in [&one, &other] {
        assert_eq!(try_connect(gateway, &old).await.err().as_deref(), Some("token_revoked"));
        assert_eq!(rest(gateway, &old).await, (401, json!("token_revoked")));
        assert_eq!(rest(gateway, &new).await.0, 200);
        let client = connect(gateway, &new).await;
        client.refused("session:authenticate", json!({"token": old}), "token_revoked").await;
        client.ping().await;
    }
    bob.ping().await;
    assert!(bob.is_open());
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_does_not_say_when_it_was_issued_is_older_than_every_revocation() {
    let (app, gateway) = TestApp::with_gateway().await;
    let token = sign(&json!({"sub": "ann", "exp": now() + 600}), SECRET);
    let ann = connect(&gateway, &token).await;
    revoke(&gateway, "ann", json!({"before": 1})).await;
    assert_dismissed(&ann).await;
    assert_eq!(try_connect(&gateway, &token).await.err().as_deref(), Some("token_revoked"));
    connect(&gateway, &issued("ann", 600)).await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_is_older_than_the_moment_is_revoked_and_the_moment_never_falls() {
    let (app, gateway) = TestApp::with_gateway().await;
    let (older, newer) =
        (connect(&gateway, &issued("ann", 120)).await, connect(&gateway, &issued("ann", 30)).await);
    let moment = Timestamp((now() - 60) * 1_000).to_iso();
    assert_eq!(revoke(&gateway, "ann", json!({"before": moment})).await, moment);
    assert_dismissed(&older).await;
    newer.ping().await;
    let earlier = (now() - 600) * 1_000;
    assert_eq!(revoke(&gateway, "ann", json!({"before": earlier})).await, moment, "it only rises");
    assert!(try_connect(&gateway, &issued("ann", 120)).await.is_err());
    newer.ping().await;
    assert!(newer.is_open());
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_backends_revoke_and_nobody_is_locked_out_for_long() {
    let (app, gateway) = TestApp::with_gateway().await;
    let path = "/v1/users/ann/revoke";
    let by = |key: &str| format!("Authorization: Bearer {key}\r\nContent-Type: application/json\r\n");
    let answer = http(&gateway.address, "POST", path, &by(&issued("ann", 5)), "{}").await;
    assert_eq!(answer.status, 403);
    for odd in
        [json!({"before": (now() + 3_600) * 1_000}), json!({"before": "tomorrow"}), json!({"befor": 1})]
    {
        assert_eq!(gateway.rest("POST", path, odd.clone()).await.0, 400, "{odd}");
    }
    connect(&gateway, &issued("ann", 5)).await;
    let bare =
        http(&gateway.address, "POST", path, &format!("Authorization: Bearer {SERVICE_KEY}\r\n"), "").await;
    assert_eq!(bare.status, 200, "{}", bare.body);
    assert!(try_connect(&gateway, &issued("ann", 5)).await.is_err());
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_that_is_not_heard_is_found_when_the_connection_is_back() {
    let app = TestApp::new().await;
    let proxy = Proxy::before(&app.redis_url()).await;
    let gateway = app.gateway(&[("redis.url", proxy.url())]).await;
    let other = app.gateway(&[]).await;
    let ann = connect(&gateway, &issued("ann", 5)).await;
    proxy.deafen_subscriber();
    // Its check is before the revocation, and its subscription is never confirmed.
    let carl = try_connect(&gateway, &issued("carl", 5)).await.unwrap();
    for user in ["ann", "carl"] {
        revoke(&other, user, json!({})).await;
    }
    proxy.has_thrown_away("revoked").await;
    ann.ping().await;
    carl.ping().await;
    assert!(ann.is_open() && carl.is_open(), "nobody has told them");
    proxy.break_subscriber();
    assert_dismissed(&ann).await;
    assert_dismissed(&carl).await;
    app.end().await;
}

/// Between the check at connect and the subscription there is a moment in which a revocation could be missed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_socket_slips_in_while_its_token_is_revoked() {
    let (app, one, other) = TestApp::with_two_gateways().await;
    for round in 0..8 {
        let user = format!("user-{round}");
        let old = issued(&user, 5);
        let connects = (0..24).map(|n| try_connect(if n % 2 == 0 { &one } else { &other }, &old));
        let connecting = futures_util::future::join_all(connects);
        let (clients, _) = tokio::join!(connecting, revoke(&one, &user, json!({})));
        for client in clients.into_iter().flatten() {
            assert_dismissed(&client).await;
        }
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_nobody_is_let_in_unchecked() {
    let app = TestApp::new().await;
    let proxy = Proxy::before(&app.redis_url()).await;
    let gateway = app.gateway(&[("redis.url", proxy.url()), ("redis.command_deadline", "1s")]).await;
    let token = issued("ann", 5);
    connect(&gateway, &token).await;
    proxy.freeze();
    // It sees the end of its transport, and no connect_error: after one, clients do not come back by themselves.
    let mut ws = Ws::open(&gateway.address, PATH, "").await.unwrap();
    assert!(ws.next().await.unwrap().starts_with("0{"));
    ws.send(&format!("40{}", json!({"token": token}))).await;
    assert_eq!((ws.next().await, ws.close_code()), (None, Some(1013)));
    let polling = Polling::open(&gateway.address).await;
    assert_eq!(polling.post(&format!("40{}", json!({"token": token}))).await.body, "ok");
    assert_eq!(until_its_end(&polling).await, Vec::<String>::new());
    assert_eq!(rest(&gateway, &token).await, (503, json!("unavailable")));
    proxy.mend();
    eventually("it is let in again", async || {
        let mut ws = Ws::open(&gateway.address, PATH, "").await.ok()?;
        ws.next().await?;
        ws.send(&format!("40{}", json!({"token": token}))).await;
        ws.next().await?.starts_with("40{").then_some(())
    })
    .await;
    app.end().await;
}

/// The Socket.IO packets that a polling client gets until its session ends.
async fn until_its_end(polling: &Polling) -> Vec<String> {
    let mut packets = Vec::new();
    loop {
        let answer = polling.get().await;
        if answer.status != 200 {
            return packets;
        }
        let found = answer.body.split('\u{1e}').filter(|packet| packet.starts_with('4'));
        packets.extend(found.map(str::to_owned));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_is_kept_as_long_as_it_is_configured() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("auth.revocation_ttl", "2h")]).await;
    revoke(&gateway, "ann", json!({})).await;
    let ann = UserId::new("ann").unwrap();
    let key = app.broker.keys().revoked(&ann);
    let seconds: i64 = fred::interfaces::KeysInterface::ttl(app.broker.client(), key).await.unwrap();
    // A little longer: the clocks' leeway before and after it, and as far ahead as the moment may be.
    assert!((7_450..=7_520).contains(&seconds), "{seconds}");
    assert!(app.broker.revoked_before(&ann).await.unwrap().is_some());
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_of_tokens_that_need_no_end_has_none() {
    let app = TestApp::new().await;
    let endless = app.gateway(&[("auth.require_exp", "false")]).await;
    let other = app.gateway(&[("auth.revocation_ttl", "2h")]).await;
    let token = sign(&json!({"sub": "ann", "iat": now() - 5}), SECRET);
    let ann = connect(&endless, &token).await;
    revoke(&endless, "ann", json!({})).await;
    assert_dismissed(&ann).await;
    // One that is configured otherwise does not give it an end.
    revoke(&other, "ann", json!({})).await;
    let key = app.broker.keys().revoked(&UserId::new("ann").unwrap());
    let ttl: i64 = fred::interfaces::KeysInterface::ttl(app.broker.client(), key).await.unwrap();
    assert_eq!(ttl, -1, "it is there and has no end");
    assert_eq!(try_connect(&endless, &token).await.err().as_deref(), Some("token_revoked"));
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_from_the_future_is_not_out_of_reach() {
    let (app, gateway) = TestApp::with_gateway().await;
    // Milliseconds, where seconds belong.
    let token = sign(&json!({"sub": "ann", "iat": now() * 1_000, "exp": now() + 3_600}), SECRET);
    let ann = connect(&gateway, &token).await;
    revoke(&gateway, "ann", json!({})).await;
    assert_dismissed(&ann).await;
    assert_eq!(try_connect(&gateway, &token).await.err().as_deref(), Some("token_revoked"));
    app.end().await;
}
