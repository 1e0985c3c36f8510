//! What a gateway that works says on `/metrics`.

#![cfg(test)]

use parlance_chassis::metrics::{METRICS, Metric, PROCESS};
use parlance_gateway::metrics::SECTIONS;
use serde_json::{Value, json};

use crate::{
    app::{Gateway, TestApp, eventually},
    client::Client,
    exposition::mistakes,
    wire::client::http,
};

/// What nobody did here: no task panicked, no dialect does without tokens, no limit was reached.
const SELDOM: [&str; 3] =
    ["parlance_task_panics_total", "parlance_insecure_dialects", "parlance_limited_total"];

fn declared() -> Vec<Metric> {
    let own = SECTIONS.iter().flat_map(|section| section.metrics);
    own.chain(METRICS).chain(PROCESS).copied().collect()
}

async fn text(gateway: &Gateway) -> String {
    http(&gateway.admin, "GET", "/metrics", "", "").await.body
}

#[test]
fn each_name_is_declared_once_and_ends_as_its_kind_wants() {
    let mut names: Vec<&str> = declared().iter().map(|metric| metric.name).collect();
    for metric in declared() {
        assert_eq!(metric.kind.as_str() == "counter", metric.name.ends_with("_total"), "{}", metric.name);
    }
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all);
}

/// Somebody comes in vain, ann and cy talk, ann errs and goes. Cy is still there.
async fn traffic(app: &TestApp, gateway: &Gateway) -> Client {
    app.conversation(gateway, "c", &["ann", "cy"]).await;
    let refused =
        Client::try_connect(gateway, "/socket.io/?EIO=4&transport=websocket", "", json!({"token": "x"}));
    assert!(refused.await.is_err());
    let (ann, cy) = (Client::connect(gateway, "ann").await, Client::connect(gateway, "cy").await);
    ann.join("c").await;
    cy.join("c").await;
    ann.send("c", "hello").await;
    cy.event("message:created").await;
    ann.refused("message:send", json!({"conversationId": "c"}), "invalid_payload").await;
    gateway.rest("GET", "/v1/nothing", Value::Null).await;
    ann.packet("41").await;
    eventually("ann is gone", async || {
        (gateway.metric(r#"parlance_disconnects_total{reason="client"}"#).await == 1.0).then_some(())
    })
    .await;
    cy
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_are_those_that_are_declared_and_count_what_happens() {
    let (app, gateway) = TestApp::with_gateway().await;
    let _cy = traffic(&app, &gateway).await;
    let expected = [
        (r#"parlance_connects_total{dialect="native",result="ok"}"#, 2.0),
        (r#"parlance_connects_total{dialect="native",result="token_malformed"}"#, 1.0),
        ("parlance_connect_seconds_count", 3.0),
        (r#"parlance_connections{dialect="native"}"#, 1.0),
        (r#"parlance_commands_total{command="message.send",result="ok"}"#, 1.0),
        (r#"parlance_command_seconds_count{command="message.send"}"#, 1.0),
        (r#"parlance_events_refused_total{code="invalid_payload"}"#, 1.0),
        ("parlance_fanout_seconds_count", 1.0),
        ("parlance_append_seconds_count", 2.0),
        ("parlance_parked_conversations", 0.0),
        (r#"parlance_http_requests_total{method="POST",status="2xx"}"#, 1.0),
        (r#"parlance_http_requests_total{method="GET",status="4xx"}"#, 1.0),
        (r#"parlance_http_request_seconds_count{method="POST"}"#, 1.0),
        ("parlance_ready", 1.0),
        (r#"parlance_not_ready{check="subscriptions"}"#, 0.0),
        ("parlance_redis_connected", 1.0),
        (r#"parlance_wire_kills_total{reason="slow_reader"}"#, 0.0),
        (r#"parlance_redis_errors_total{operation="append"}"#, 0.0),
        (r#"parlance_postgres_errors_total{operation="create_conversation"}"#, 0.0),
        // Set every second.
        ("parlance_online_users", 1.0),
        ("parlance_live_conversations", 1.0),
    ];
    for (series, value) in expected {
        eventually(series, async || (gateway.metric(&format!("{series} ")).await == value).then_some(()))
            .await;
    }
    assert!(gateway.metric(r#"parlance_redis_command_seconds_count{operation="append"} "#).await >= 2.0);
    assert!(gateway.metric("parlance_postgres_pool_max_connections ").await >= 2.0);
    assert_eq!(mistakes(&text(&gateway).await, &declared(), &SELDOM), [""; 0]);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_no_labels_is_there_before_anything_happens() {
    let (app, gateway) = TestApp::with_gateway().await;
    let labelled: Vec<&str> =
        declared().iter().filter(|metric| !metric.labels.is_empty()).map(|metric| metric.name).collect();
    let text = text(&gateway).await;
    let mistakes = mistakes(&text, &declared(), &labelled);
    let missing: Vec<&String> = mistakes.iter().filter(|mistake| mistake.ends_with("is missing")).collect();
    assert!(missing.is_empty(), "{missing:?}");
    app.end().await;
}
