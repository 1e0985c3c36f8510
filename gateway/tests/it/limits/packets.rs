//! Packets of any kind: of a client that is not let in, and faster than a client may bring them.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use super::DEFAULT;
use crate::{
    abuse::{Raw, TEXT},
    app::{Gateway, TestApp, eventually},
    client::{Client, token},
    wire::client::Polling,
};

/// The acknowledgement of nothing, which the gateway passes over.
const NOTHING: &str = "430[]";
/// Bytes of its frame, with the long header of [`Raw`].
const FRAME: f64 = 14.0 + 5.0;

/// An event of so many bytes to a namespace that nobody has, which it passes over even from clients that are not let in.
fn nothing_of(bytes: usize) -> String {
    format!("42/nowhere,[\"{}\"]", "x".repeat(bytes))
}

async fn strangers(gateway: &Gateway) -> f64 {
    gateway.metric("parlance_wire_kills_total{reason=\"stranger\"}").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_let_in_may_not_send_much_on_a_websocket() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[]).await;
    let mut stranger = Raw::open(&gateway).await;
    stranger.send(TEXT, nothing_of(50_000).as_bytes()).await;
    // There is room for a token, and one that is refused changes nothing.
    stranger.send(TEXT, b"40{\"token\":\"forged\"}").await;
    stranger.until("token_malformed").await;
    assert_eq!(strangers(&gateway).await, 0.0);
    // A frame that would be taken from anybody else, and does not even end.
    stranger.announce(TEXT, 1_000_000).await;
    stranger.write(&[b'x'; 20_000]).await;
    stranger.ended().await;
    assert_eq!(strangers(&gateway).await, 1.0);
    let mut ann = Raw::connect(&gateway, "ann").await;
    ann.send(TEXT, nothing_of(1_000_000).as_bytes()).await;
    ann.send(TEXT, b"421[\"ping\",{}]").await;
    ann.until("431[{\"ok\":true").await;
    assert_eq!(strangers(&gateway).await, 1.0);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_let_in_may_not_send_much_by_polling() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[]).await;
    let stranger = Polling::open(&gateway.address).await;
    for _ in 0..2 {
        assert_eq!(stranger.post(&nothing_of(25_000)).await.status, 200);
    }
    assert_eq!(strangers(&gateway).await, 0.0);
    assert_eq!(stranger.post(&nothing_of(25_000)).await.status, 413);
    assert_eq!(strangers(&gateway).await, 1.0);
    eventually("its session is gone", async || (stranger.get().await.status == 400).then_some(())).await;
    let auth = json!({"token": token("ann")}).to_string();
    let ann = Polling::connect_with(&gateway.address, &auth).await;
    assert_eq!(ann.post(&nothing_of(1_000_000)).await.status, 200);
    assert_eq!(ann.post("421[\"ping\",{}]").await.status, 200);
    assert!(ann.gets("431[{\"ok\":true").await);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packets_that_come_too_fast_wait_in_the_clients_own_connection() {
    let app = TestApp::new().await;
    let gateway = app.gateway(DEFAULT).await;
    let other = Client::connect(&gateway, "other").await;
    let mut ann = Raw::connect(&gateway, "ann").await;
    let (begun, before) = (Instant::now(), gateway.metric("parlance_wire_received_bytes_total").await);
    let mut flood = JoinSet::new();
    flood.spawn(async move {
        loop {
            ann.send(TEXT, NOTHING.as_bytes()).await;
        }
    });
    eventually("it is made to wait", async || {
        let pauses = gateway.metric("parlance_limited_total{limit=\"packets\"}").await;
        (pauses >= 30.0).then_some(())
    })
    .await;
    other.ping().await;
    let read = gateway.metric("parlance_wire_received_bytes_total").await - before;
    // 500 may come at once and 500 a second, and one read more than are due. The other one's packets have some hundred
    // bytes.
    let most = FRAME * (1_000.0 + 500.0 * begun.elapsed().as_secs_f64());
    assert!(read < most + 2_000.0, "{read} bytes in {:?}", begun.elapsed());
    flood.shutdown().await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_of_many_packets_is_taken_in_no_faster_and_whole() {
    let app = TestApp::new().await;
    let gateway = app.gateway(DEFAULT).await;
    let auth = json!({"token": token("ann")}).to_string();
    let ann = Polling::connect_with(&gateway.address, &auth).await;
    let mut packets = vec![NOTHING; 1_200];
    packets.push("427[\"ping\",{}]");
    let begun = Instant::now();
    assert_eq!(ann.post(&packets.join("\u{1e}")).await.status, 200);
    assert!(begun.elapsed() > Duration::from_secs(1), "{:?}", begun.elapsed());
    assert!(ann.gets("437[{\"ok\":true").await, "the last one is carried out");
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_within_the_limits_and_the_largest_packet_do_not_wait() {
    let app = TestApp::new().await;
    let gateway = app.gateway(DEFAULT).await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let ann = Client::connect(&gateway, "ann").await;
    let content = "\u{1}".repeat(300_000);
    ann.ok("message:send", json!({"conversationId": "c", "content": content})).await;
    let mut asked = Vec::new();
    for _ in 0..15 {
        asked.push(ann.ask("ping", json!({})).await);
    }
    for asked in asked {
        assert_eq!(ann.answer(asked).await["ok"], true);
    }
    assert_eq!(gateway.metric("parlance_limited_total{limit=\"packets\"}").await, 0.0);
    app.end().await;
}
