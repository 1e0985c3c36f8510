//! The end of a gateway: clients lose their transport and come back by themselves, and nothing is left undone.

#![cfg(test)]

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    app::{Gateway, TestApp, eventually},
    client::{Client, token},
    lock::{Lock, blocked},
    wire::client::{Polling, http},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_closes_transports_without_a_disconnect_packet_and_ends_cleanly() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["ann", "bob"]).await;
    let ann = Client::connect(&here, "ann").await;
    ann.join("c").await;
    let (bob, stays) = (Client::connect(&here, "bob").await, Client::connect(&there, "bob").await);
    stays.join("c").await;
    let auth = json!({"token": token("ann")}).to_string();
    let polling = Polling::connect_with(&here.address, &auth).await;
    here.process.stop().await;
    for client in [&ann, &bob] {
        client.ended().await;
        assert!(!client.was_disconnected());
    }
    assert!(TcpStream::connect(&here.address).await.is_err(), "nobody listens");
    drop(polling);
    let back = Client::connect(&there, "ann").await;
    back.join("c").await;
    let sent = back.send("c", "here we go again").await;
    assert_eq!(stays.event("message:created").await, sent);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sent_before_the_stop_is_carried_out() {
    let app = TestApp::new().await;
    let settings = [
        ("postgres.statement_deadline", "30s"),
        ("limits.events_per_second", "1"),
        ("limits.events_burst", "5"),
    ];
    let here = app.gateway(&settings).await;
    let there = app.gateway(&[]).await;
    app.conversation(&here, "c", &["ann", "bob"]).await;
    let (ann, bob) = (Client::connect(&here, "ann").await, Client::connect(&there, "bob").await);
    bob.join("c").await;
    let lock = Lock::on(&app, "participants").await;
    for n in 0..5 {
        ann.ask("message:send", json!({"conversationId": "c", "content": n.to_string()})).await;
    }
    blocked(&app.store, 1).await;
    // Answered at once, because it is too much: so all that came before it has arrived.
    ann.refused("ping", json!({}), "rate_limited").await;
    here.process.ask_to_stop();
    ann.ended().await;
    lock.release().await;
    here.process.stop().await;
    let came: Vec<Value> =
        bob.until("message:created", 5).await.iter().map(|message| message["content"].clone()).collect();
    assert_eq!(came, ["0", "1", "2", "3", "4"]);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_fails_while_it_drains() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("postgres.statement_deadline", "30s")]).await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let ann = Client::connect(&gateway, "ann").await;
    let lock = Lock::on(&app, "messages").await;
    ann.ask("message:history", json!({"conversationId": "c"})).await;
    blocked(&app.store, 1).await;
    gateway.process.ask_to_stop();
    ann.ended().await;
    assert!(!gateway.is_ready().await);
    let live = http(&gateway.admin, "GET", "/live", "", "").await;
    assert_eq!(live.status, 200, "{:?}", Value::from(live.body));
    lock.release().await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transports_are_closed_in_small_groups_over_the_spread() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("drain.spread", "4s")]).await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let clients = join_all((0..16).map(|_| Client::connect(&gateway, "ann"))).await;
    let open = || clients.iter().filter(|client| client.is_open()).count();
    gateway.process.ask_to_stop();
    eventually("the first is closed", async || (open() < 16).then_some(())).await;
    // At one a quarter of a second there are three seconds until so many are gone.
    assert!(open() > 4, "{} are left", open());
    // Those that are left are served as ever.
    let last = async || {
        for client in clients.iter().filter(|client| client.is_open()) {
            let asked = client.ask("ping", json!({})).await;
            let answered = async || client.answered(asked).is_some().then_some(true);
            let gone = async || (!client.is_open()).then_some(false);
            if eventually("an answer or the end", async || answered().await.or(gone().await)).await {
                return true;
            }
        }
        false
    };
    assert!(last().await, "somebody is answered");
    let remaining = "parlance_drain_remaining_connections";
    eventually("it is told how many are left", async || {
        let told = gateway.metric(remaining).await;
        (0.0 < told && told < 16.0).then_some(())
    })
    .await;
    gateway.process.stop().await;
    for client in &clients {
        client.ended().await;
        assert!(!client.was_disconnected());
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_end_is_announced_clients_come_and_are_closed_with_the_others() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("drain.announce", "4s")]).await;
    app.conversation(&gateway, "c", &["ann", "bob"]).await;
    let ann = Client::connect(&gateway, "ann").await;
    ann.join("c").await;
    gateway.process.ask_to_stop();
    eventually("it is not ready", async || (!gateway.is_ready().await).then_some(())).await;
    let bob = Client::connect(&gateway, "bob").await;
    bob.join("c").await;
    let sent = bob.send("c", "just in time").await;
    assert_eq!(ann.event("message:created").await, sent);
    // Everybody is told of him, as ever.
    eventually("bob is noted", async || (app.gateways_with("c", "bob").await == 1).then_some(())).await;
    assert!(ann.is_open() && bob.is_open());
    gateway.process.stop().await;
    for client in [&ann, &bob] {
        client.ended().await;
        assert!(!client.was_disconnected());
    }
    app.end().await;
}

/// What nobody answers any more: a client that would open a session.
async fn is_let_in(gateway: &Gateway) -> bool {
    let Ok(mut stream) = TcpStream::connect(&gateway.address).await else { return false };
    let request = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let mut answer = String::new();
    stream.write_all(request.as_bytes()).await.ok();
    stream.read_to_string(&mut answer).await.ok();
    !answer.is_empty()
}

async fn until_closing(gateway: &Gateway) {
    eventually("nobody is let in", async || (!is_let_in(gateway).await).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sent_before_the_stop_is_acknowledged_before_the_transport_is_closed() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("postgres.statement_deadline", "30s")]).await;
    app.conversation(&gateway, "c", &["ann", "bob"]).await;
    let ann = Client::connect(&gateway, "ann").await;
    let auth = json!({"token": token("bob")}).to_string();
    let bob = Polling::connect_with(&gateway.address, &auth).await;
    bob.drain_with("ping").await;
    let lock = Lock::on(&app, "participants").await;
    let send = |content: &str| json!({"conversationId": "c", "content": content});
    let mut asked = Vec::new();
    for content in ["1", "2", "3"] {
        asked.push(ann.ask("message:send", send(content)).await);
    }
    assert_eq!(bob.post(&format!("427{}", json!(["message:send", send("4")]))).await.body, "ok");
    blocked(&app.store, 2).await;
    gateway.process.ask_to_stop();
    let release = async {
        until_closing(&gateway).await;
        lock.release().await;
    };
    let (polled, ()) = tokio::join!(bob.until_closed(), release);
    ann.ended().await;
    for asked in asked {
        assert_eq!(ann.answered(asked).map(|answer| answer["ok"] == true), Some(true));
    }
    assert!(!ann.was_disconnected());
    assert!(polled.iter().any(|packet| packet.starts_with("437[{\"ok\":true")), "{polled:?}");
    assert!(!polled.iter().any(|packet| packet.starts_with("41")), "{polled:?}");
    gateway.process.stop().await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polling_clients_are_told_first_and_then_connections_are_refused() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("drain.spread", "4s")]).await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let auth = json!({"token": token("ann")}).to_string();
    let polling = join_all((0..8).map(|_| Polling::connect_with(&gateway.address, &auth))).await;
    let streams = join_all((0..8).map(|_| Client::connect(&gateway, "ann"))).await;
    join_all(polling.iter().map(|client| client.drain_with("ping"))).await;
    let stop = async {
        gateway.process.ask_to_stop();
        let refused = async || TcpStream::connect(&gateway.address).await.is_err().then_some(());
        eventually("nobody listens", refused).await;
        assert!(streams.iter().any(Client::is_open), "the others have time");
    };
    let (told, ()) = tokio::join!(join_all(polling.iter().map(Polling::until_closed)), stop);
    for packets in told {
        assert!(!packets.iter().any(|packet| packet.starts_with("41")), "{packets:?}");
    }
    gateway.process.stop().await;
    app.end().await;
}
