//! How often and how many may be connected.

use serde_json::{Value, json};

use crate::{
    app::{Gateway, TestApp, eventually},
    client::{Client, token},
    wire::client::{Answer, Polling, Ws, http},
};

const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";
const POLLING: &str = "/socket.io/?EIO=4&transport=polling";
const FEW: &[(&str, &str)] = &[("limits.connects_per_second", "1"), ("limits.connects_burst", "3")];

async fn open(gateway: &Gateway, headers: &str) -> Answer {
    http(&gateway.address, "GET", POLLING, headers, "").await
}

fn assert_refused(answer: &Answer, status: u16, seconds: &str) {
    assert_eq!((answer.status, answer.header("retry-after")), (status, Some(seconds)), "{}", answer.body);
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert!(body["retryAfterMs"].as_u64().unwrap() >= 1, "{body}");
}

/// Opens sessions until one is refused; how many were not.
async fn until_refused(gateway: &Gateway, headers: impl Fn(u32) -> String) -> u32 {
    for opened in 0..30 {
        let answer = open(gateway, &headers(opened)).await;
        if answer.status != 200 {
            assert_refused(&answer, 429, "1");
            return opened;
        }
    }
    panic!("nothing is refused");
}

fn forwarded(address: &str) -> String {
    format!("X-Forwarded-For: {address}\r\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_opens_so_many_sessions_whatever_it_says_of_itself() {
    let app = TestApp::new().await;
    let gateway = app.gateway(FEW).await;
    let before = Client::connect(&gateway, "ann").await;
    let opened = until_refused(&gateway, |n| forwarded(&format!("10.0.0.{n}"))).await;
    assert!((2..=10).contains(&opened), "{opened}");
    let refused = eventually("a websocket is refused too", async || {
        Ws::open(&gateway.address, WEBSOCKET, "").await.err()
    });
    assert_eq!(refused.await, 429);
    before.ping().await;
    assert!(gateway.metric("parlance_limited_total{limit=\"connects\"}").await >= 2.0);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_proxy_an_address_is_what_the_proxy_says() {
    let app = TestApp::new().await;
    let behind = [FEW, &[("server.trusted_hops", "1")]].concat();
    let gateway = app.gateway(&behind).await;
    // Only the last entry is the proxy's; the client wrote the others.
    let opened = until_refused(&gateway, |n| forwarded(&format!("10.0.0.{n}, 192.0.2.1"))).await;
    assert!((3..=10).contains(&opened), "{opened}");
    // One IPv6 host has a whole /64.
    let opened = until_refused(&gateway, |n| forwarded(&format!("2001:db8::{n:x}"))).await;
    assert!((3..=10).contains(&opened), "{opened}");
    for n in 0..20 {
        assert_eq!(open(&gateway, &forwarded(&format!("198.51.100.{n}"))).await.status, 200);
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_has_so_many_sessions_and_their_places_come_back() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("limits.connections", "2")]).await;
    let ann = Client::connect(&gateway, "ann").await;
    let auth = json!({"token": token("bob")}).to_string();
    let bob = Polling::connect_with(&gateway.address, &auth).await;
    for _ in 0..3 {
        assert_refused(&open(&gateway, "").await, 503, "5");
        assert_eq!(Ws::open(&gateway.address, WEBSOCKET, "").await.err(), Some(503));
    }
    ann.ping().await;
    // The engine's close packet, and a connection that just goes.
    bob.post("1").await;
    drop(ann);
    let both = eventually("both places are free", async || {
        let first = Ws::open(&gateway.address, WEBSOCKET, "").await.ok()?;
        let second = Ws::open(&gateway.address, WEBSOCKET, "").await.ok()?;
        Some((first, second))
    })
    .await;
    assert_eq!(open(&gateway, "").await.status, 503);
    drop(both);
    eventually("they are free again", async || (open(&gateway, "").await.status == 200).then_some(())).await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgraded_session_is_one_and_its_place_comes_back() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("limits.connections", "1")]).await;
    let auth = json!({"token": token("ann")}).to_string();
    let polling = Polling::connect_with(&gateway.address, &auth).await;
    let mut ws = polling.upgrade().await.unwrap();
    ws.send("5").await;
    ws.send("421[\"ping\",{}]").await;
    while !ws.next().await.unwrap().starts_with("431[") {}
    assert_eq!(open(&gateway, "").await.status, 503);
    drop(ws);
    eventually("its place is free", async || (open(&gateway, "").await.status == 200).then_some(())).await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_has_so_many_sessions_at_a_time() {
    let app = TestApp::new().await;
    let settings = [("limits.connections_per_address", "2"), ("server.trusted_hops", "1")];
    let gateway = app.gateway(&settings).await;
    for _ in 0..2 {
        assert_eq!(open(&gateway, &forwarded("192.0.2.1")).await.status, 200);
    }
    assert_refused(&open(&gateway, &forwarded("10.0.0.1, 192.0.2.1")).await, 503, "5");
    assert_eq!(open(&gateway, &forwarded("192.0.2.2")).await.status, 200);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_has_so_many_sockets_and_their_places_come_back() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("limits.connections_per_user", "2")]).await;
    let try_ann = async || Client::try_connect(&gateway, WEBSOCKET, "", json!({"token": token("ann")})).await;
    let (first, _second) = (try_ann().await.unwrap(), try_ann().await.unwrap());
    for _ in 0..3 {
        let Err(refused) = try_ann().await else { panic!("a third one") };
        assert_eq!(refused["message"], "limit_reached");
    }
    Client::connect(&gateway, "bob").await.ping().await;
    // A place is given back by a Socket.IO DISCONNECT and by the end of a connection alike.
    first.packet("41").await;
    let third = eventually("there is a place", async || try_ann().await.ok()).await;
    drop(third);
    eventually("there is a place", async || try_ann().await.ok()).await.ping().await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_connects_again_and_again_within_a_session_is_ended_at_last() {
    let app = TestApp::new().await;
    let gateway = app.gateway(FEW).await;
    let bob = Client::connect(&gateway, "bob").await;
    let mut ws = Ws::open(&gateway.address, WEBSOCKET, "").await.unwrap();
    let mut refused = Vec::new();
    // Each waits for its answer: what comes while the first is looked at is ignored.
    loop {
        ws.send("40{\"token\":\"forged\"}").await;
        let answer = loop {
            match ws.next().await {
                Some(packet) if packet.starts_with('4') => break Some(packet),
                Some(_) => {}
                None => break None,
            }
        };
        let Some(answer) = answer else { break };
        refused.push(answer);
        assert!(refused.len() < 100, "it goes on");
    }
    // The first ones are free: some clients use several namespaces.
    assert!(refused.len() >= 8, "{refused:?}");
    assert!(refused.iter().all(|refused| refused == "44{\"message\":\"token_malformed\"}"), "{refused:?}");
    assert_eq!(ws.close_code(), Some(1013), "it may try again later");
    bob.ping().await;
    app.end().await;
}
