//! How many sockets, users and rooms there are.

#![cfg(test)]

use serde_json::{Value, json};

use crate::{
    app::{Gateway, SERVICE_KEY, TestApp, eventually},
    client::{Client, token},
    openapi::documented,
    wire::client::http,
};

const PATH: &str = "/v1/stats";

async fn request(gateway: &Gateway, headers: &str) -> (u16, Value) {
    let answer = http(&gateway.address, "GET", PATH, headers, "").await;
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    documented(gateway, "GET", PATH, answer.status, &body).await;
    (answer.status, body)
}

async fn stats(gateway: &Gateway) -> Value {
    let (status, stats) = request(gateway, &format!("Authorization: Bearer {SERVICE_KEY}\r\n")).await;
    assert_eq!(status, 200, "{stats}");
    stats
}

/// What each gateway says, without when it said so.
fn gateways(stats: &Value) -> Vec<Value> {
    let mut gateways = stats["gateways"].as_array().unwrap().clone();
    for gateway in &mut gateways {
        assert!(gateway.as_object_mut().unwrap().remove("at").is_some());
    }
    gateways.sort_by_key(|gateway| gateway["gateway"].to_string());
    gateways
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_gateway_knows_what_all_of_them_have() {
    let app = TestApp::new().await;
    let here = app.gateway(&[("gateway.name", "one")]).await;
    let there = app.gateway(&[("gateway.name", "two"), ("presence.linger", "0s")]).await;
    for conversation in ["c", "d"] {
        app.conversation(&here, conversation, &["ann", "bob"]).await;
    }
    let ann = Client::connect(&here, "ann").await;
    let ann_elsewhere = Client::connect(&there, "ann").await;
    let bob = Client::connect(&there, "bob").await;
    ann.join("c").await;
    ann_elsewhere.join("c").await;
    bob.join("d").await;
    let one = json!({"gateway": "one", "connected": 1, "users": 1, "rooms": 1, "dialects": {"native": 1}});
    let two = json!({"gateway": "two", "connected": 2, "users": 2, "rooms": 2, "dialects": {"native": 2}});
    for gateway in [&here, &there] {
        eventually("both are counted", async || {
            let stats = stats(gateway).await;
            let sums = [&stats["connected"], &stats["users"], &stats["rooms"]];
            (sums == [&json!(3), &json!(2), &json!(2)] && gateways(&stats) == [one.clone(), two.clone()])
                .then_some(())
        })
        .await;
    }
    drop((ann, bob));
    let left = |name: &str, count: u64| {
        let dialects = json!({"native": count});
        json!({"gateway": name, "connected": count, "users": count, "rooms": count, "dialects": dialects})
    };
    eventually("who went counts no longer", async || {
        let stats = stats(&here).await;
        (stats["connected"] == 1 && gateways(&stats) == [left("one", 0), left("two", 1)]).then_some(())
    })
    .await;
    there.process.stop().await;
    ann_elsewhere.ended().await;
    eventually("a gateway that has ended is not listed", async || {
        let stats = stats(&here).await;
        (stats["connected"] == 0 && gateways(&stats) == [left("one", 0)]).then_some(())
    })
    .await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stats_are_for_backends_alone() {
    let (app, gateway) = TestApp::with_gateway().await;
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");
    for (headers, status, code) in [
        (String::new(), 401, "token_missing"),
        (bearer("nobody"), 401, "token_malformed"),
        (bearer(&token("ann")), 403, "forbidden"),
    ] {
        let (answered, body) = request(&gateway, &headers).await;
        assert_eq!((answered, &body["code"]), (status, &json!(code)), "{body}");
    }
    let ann = Client::connect(&gateway, "ann").await;
    ann.refused("stats:get", json!({}), "unknown_event").await;
    app.end().await;
}
