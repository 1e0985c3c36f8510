//! The end of a gateway: clients lose their transport and come back by themselves, and nothing is left undone.

#![cfg(test)]

use serde_json::{Value, json};

use crate::{
    app::TestApp,
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
    assert!(tokio::net::TcpStream::connect(&here.address).await.is_err(), "nobody listens");
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
