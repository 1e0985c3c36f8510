//! Too much of something: that command is refused, or that connection ends, and nobody else notices.

#![cfg(test)]

mod connections;
mod packets;
mod presence;
mod quotas;
mod refusals;
mod requests;
mod sends;

use std::time::Duration;

use serde_json::json;

use crate::{
    app::{TestApp, eventually},
    client::{Client, assert_refused},
    lock::{Lock, blocked},
    wire::client::Polling,
};

/// The limits as they are when nothing is set.
const DEFAULT: &[(&str, &str)] = &[("limits.events_per_second", "10"), ("limits.events_burst", "20")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_beyond_the_rate_are_refused_and_those_after_the_wait_are_not() {
    let app = TestApp::new().await;
    let gateway = app.gateway(DEFAULT).await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let (ann, other) = (Client::connect(&gateway, "ann").await, Client::connect(&gateway, "ann").await);
    let mut asked = Vec::new();
    for n in 0..40 {
        asked.push(ann.ask("message:send", json!({"conversationId": "c", "content": n.to_string()})).await);
    }
    let (mut taken, mut waits) = (0, Vec::new());
    for asked in asked {
        let answer = ann.answer(asked).await;
        if answer["ok"] == true {
            taken += 1;
            continue;
        }
        let error = assert_refused(&answer, "rate_limited");
        assert_eq!(error["retryable"], true);
        waits.push(error["retryAfterMs"].as_u64().unwrap());
    }
    assert!((20..=30).contains(&taken), "{taken}");
    assert!(waits.iter().all(|ms| (1..=200).contains(ms)), "{waits:?}");
    other.ping().await;
    assert_eq!(other.history(json!({"conversationId": "c"})).await.0.len(), taken);
    tokio::time::sleep(Duration::from_millis(*waits.last().unwrap())).await;
    ann.ping().await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rate_limited_event_without_an_acknowledgement_is_an_error_event() {
    let app = TestApp::new().await;
    let gateway = app.gateway(DEFAULT).await;
    let ann = Client::connect(&gateway, "ann").await;
    for _ in 0..40 {
        ann.emit("ping", json!({})).await;
    }
    let error = ann.event("error").await;
    assert_eq!((&error["code"], &error["event"]), (&json!("rate_limited"), &json!("ping")));
    assert!(error["retryAfterMs"].is_u64(), "{error}");
    assert!(ann.is_open());
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_beyond_what_may_wait_are_refused_and_the_others_carried_out_in_order() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("postgres.statement_deadline", "30s")]).await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let (ann, other) = (Client::connect(&gateway, "ann").await, Client::connect(&gateway, "other").await);
    let lock = Lock::on(&app, "participants").await;
    // Nothing is known of the conversation here, so the first one waits for Postgres, and the rest behind it.
    let mut asked = Vec::new();
    for n in 0..100 {
        asked.push(ann.ask("message:send", json!({"conversationId": "c", "content": n.to_string()})).await);
    }
    blocked(&app.store, 1).await;
    let refused = eventually("some are refused", async || {
        let refused: Vec<_> = asked.iter().filter_map(|asked| ann.answered(*asked)).collect();
        (refused.len() >= 30).then_some(refused)
    })
    .await;
    for answer in &refused {
        let error = assert_refused(answer, "overloaded");
        assert!(error["retryAfterMs"].is_u64(), "{error}");
    }
    other.ping().await;
    lock.release().await;
    let mut expected = Vec::new();
    for (n, asked) in asked.into_iter().enumerate() {
        if ann.answer(asked).await["ok"] == true {
            expected.push(n.to_string());
        }
    }
    assert!(expected.len() >= 60, "{}", expected.len());
    let (messages, _) = ann.history(json!({"conversationId": "c", "limit": 200})).await;
    let contents: Vec<&str> = messages.iter().map(|message| message["content"].as_str().unwrap()).collect();
    assert_eq!(contents, expected);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_events_are_refused_and_counted_under_one_name() {
    let (app, gateway) = TestApp::with_gateway().await;
    let ann = Client::connect(&gateway, "ann").await;
    let series = "parlance_events_refused_total{code=\"unknown_event\"}";
    let before = gateway.metric(series).await;
    for event in ["message.send", "MESSAGE:SEND", "", "__proto__", &"x".repeat(5_000)] {
        ann.refused(event, json!({}), "unknown_event").await;
    }
    assert_eq!(gateway.metric(series).await - before, 5.0);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_oversized_frame_ends_that_connection_alone() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann", "bob"]).await;
    let (ann, bob) = (Client::connect(&gateway, "ann").await, Client::connect(&gateway, "bob").await);
    bob.join("c").await;
    let large = json!({"conversationId": "c", "content": "x".repeat(2_100_000)});
    ann.emit("message:send", large).await;
    ann.ended().await;
    assert!(!ann.was_disconnected(), "it may come back");
    let again = Client::connect(&gateway, "ann").await;
    let sent = again.send("c", "smaller").await;
    assert_eq!(bob.event("message:created").await, sent);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_oversized_polling_payload_is_refused_and_nobody_else_notices() {
    let (app, gateway) = TestApp::with_gateway().await;
    let ann = Client::connect(&gateway, "ann").await;
    let token = crate::client::token("bob");
    let polling = Polling::connect_with(&gateway.address, &json!({"token": token}).to_string()).await;
    let status = polling.post(&"x".repeat(2_100_000)).await.status;
    assert!((400..500).contains(&status), "{status}");
    ann.ping().await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_echo_beyond_its_bound_is_refused() {
    let (app, gateway) = TestApp::with_gateway().await;
    let ann = Client::connect(&gateway, "ann").await;
    for payload in [json!(null), json!([1, {"a": "é"}]), json!("x".repeat(65_000))] {
        assert_eq!(ann.ok("echo", payload.clone()).await["echo"], payload);
    }
    ann.refused("echo", json!("x".repeat(66_000)), "invalid_payload").await;
    app.end().await;
}
