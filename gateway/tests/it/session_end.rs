//! Tokens end, and so do their sockets, unless a newer token of the same user comes in time.

#![cfg(test)]

use parlance_chassis::clock::Clock;
use serde_json::{Value, json};

use crate::{
    app::{Gateway, SECRET, TestApp},
    client::{Client, sign},
};

const PATH: &str = "/socket.io/?EIO=4&transport=websocket";

fn token_of(user: &str, seconds: f64) -> String {
    let now = Clock::system().now_ms();
    #[expect(clippy::cast_precision_loss, reason = "a time of today")]
    let end = now as f64 / 1_000.0 + seconds;
    sign(&json!({"sub": user, "exp": end}), SECRET)
}

async fn connect(gateway: &Gateway, token: &str) -> Client {
    let client = Client::try_connect(gateway, PATH, "", json!({"token": token})).await.unwrap();
    client.event("session:ready").await;
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_is_told_before_its_token_ends_and_is_disconnected_then() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("auth.leeway", "0s"), ("auth.expiry_warning", "60s")]).await;
    let client = connect(&gateway, &token_of("ann", 3.0)).await;
    let told = client.event("session:expiring").await;
    let remaining = told["expiresInMs"].as_u64().unwrap();
    assert!(remaining <= 3_000, "{told}");
    assert!(told["expiresAt"].is_string());
    client.ended().await;
    assert!(client.was_disconnected(), "it must not come back by itself with the same token");
    assert_eq!(client.events("error")[0]["code"], "token_expired");
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_token_of_the_same_user_keeps_the_socket() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("auth.leeway", "0s")]).await;
    let client = connect(&gateway, &token_of("ann", 3.0)).await;
    let other = connect(&gateway, &token_of("ann", 3.0)).await;
    client.refused("session:authenticate", json!({"token": token_of("bob", 600.0)}), "forbidden").await;
    client.refused("session:authenticate", json!({"token": "nonsense"}), "token_malformed").await;
    client.refused("session:authenticate", json!({"token": token_of("ann", -5.0)}), "token_expired").await;
    client.refused("session:authenticate", json!({}), "invalid_payload").await;
    let answer = client.ok("session:authenticate", json!({"token": token_of("ann", 600.0)})).await;
    assert_ne!(answer["expiresAt"], Value::Null);
    // The other one ends when the first would have.
    other.ended().await;
    client.ok("ping", Value::Null).await;
    assert!(client.is_open());
    app.end().await;
}
