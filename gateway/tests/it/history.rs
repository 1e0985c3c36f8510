//! History: one answer from Redis and Postgres together, without a hole and without a repetition.

#![cfg(test)]

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{app::TestApp, client::Client};

fn seqs(messages: &[Value]) -> Vec<u64> {
    messages.iter().map(|message| message["seq"].as_u64().unwrap()).collect()
}

async fn page(client: &Client, more: Value) -> (Vec<u64>, bool) {
    let mut page = json!({"conversationId": "c"});
    page.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let (messages, has_more) = client.history(page).await;
    (seqs(&messages), has_more)
}

/// Reads everything from the oldest on, as a client does that was away.
async fn read_all(client: &Client, limit: u64) -> Vec<u64> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let (mut found, more) = page(client, json!({"after": after, "limit": limit})).await;
        after = found.last().copied().unwrap_or(after);
        all.append(&mut found);
        if !more {
            return all;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_over_what_is_persisted_and_what_is_not_have_no_hole_and_no_repetition() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let ann = Client::connect(&gateway, "ann").await;
    let worker = app.worker().await;
    for n in 0..10 {
        ann.send("c", &n.to_string()).await;
    }
    app.drained("c").await;
    worker.stop().await;
    for n in 10..20 {
        ann.send("c", &n.to_string()).await;
    }
    let check = async || {
        let all: Vec<u64> = (1..=20).collect();
        assert_eq!(page(&ann, json!({})).await, (all.clone(), false));
        assert_eq!(page(&ann, json!({"limit": 15})).await, ((6..=20).collect(), true));
        assert_eq!(page(&ann, json!({"limit": 20})).await, (all.clone(), false));
        assert_eq!(page(&ann, json!({"before": 14, "limit": 6})).await, ((8..=13).collect(), true));
        assert_eq!(page(&ann, json!({"before": 11, "limit": 10})).await, ((1..=10).collect(), false));
        assert_eq!(page(&ann, json!({"before": 1})).await, (vec![], false));
        assert_eq!(page(&ann, json!({"before": 1_000_000, "limit": 1})).await, (vec![20], true));
        assert_eq!(page(&ann, json!({"after": 8, "limit": 5})).await, ((9..=13).collect(), true));
        assert_eq!(page(&ann, json!({"after": 15, "limit": 5})).await, ((16..=20).collect(), false));
        assert_eq!(page(&ann, json!({"after": 20})).await, (vec![], false));
        for limit in [1, 3, 10, 200] {
            assert_eq!(read_all(&ann, limit).await, all);
        }
    };
    check().await;
    let _worker = app.worker().await;
    app.drained("c").await;
    check().await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_that_are_read_while_the_worker_writes_have_no_hole_and_no_repetition() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann", "bob"]).await;
    let _worker = app.worker().await;
    let (ann, bob) = (Client::connect(&gateway, "ann").await, Client::connect(&gateway, "bob").await);
    let ann = Arc::new(ann);
    let mut sending = JoinSet::new();
    let sender = Arc::clone(&ann);
    sending.spawn(async move {
        for n in 0..300 {
            sender.send("c", &n.to_string()).await;
        }
    });
    let mut known = 0;
    while !sending.is_empty() {
        let all = read_all(&bob, 40).await;
        assert_eq!(all, (1..=all.len() as u64).collect::<Vec<_>>());
        assert!(all.len() >= known, "what was there is still there");
        known = all.len();
        let (newest, _) = page(&bob, json!({"limit": 30})).await;
        assert!(newest.is_sorted_by(|a, b| a + 1 == *b), "{newest:?}");
        assert!(newest.last().copied().unwrap_or(0) >= known as u64);
        sending.try_join_next();
    }
    assert_eq!(read_all(&bob, 200).await, (1..=300).collect::<Vec<_>>());
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_away_joins_reads_and_has_everything_once() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["ann", "bob"]).await;
    let _worker = app.worker().await;
    let ann = Arc::new(Client::connect(&here, "ann").await);
    for n in 0..30 {
        ann.send("c", &n.to_string()).await;
    }
    let mut sending = JoinSet::new();
    let sender = Arc::clone(&ann);
    sending.spawn(async move {
        for n in 30..130 {
            sender.send("c", &n.to_string()).await;
        }
    });
    let bob = Client::connect(&there, "bob").await;
    let joined = bob.join("c").await["seq"].as_u64().unwrap();
    let read = read_all(&bob, 25).await;
    assert!(*read.last().unwrap() >= joined, "history has at least what the join does not bring");
    sending.join_all().await;
    let live = bob.until("message:created", usize::try_from(130 - joined).unwrap()).await;
    assert_eq!(seqs(&live), (joined + 1..=130).collect::<Vec<_>>());
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_default_is_fifty_and_places_out_of_bounds_are_refused() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let ann = Client::connect(&gateway, "ann").await;
    assert_eq!(page(&ann, json!({})).await, (vec![], false));
    for n in 0..60 {
        ann.send("c", &n.to_string()).await;
    }
    assert_eq!(page(&ann, json!({})).await, ((11..=60).collect(), true));
    for wrong in [
        json!({"limit": 0}),
        json!({"limit": 201}),
        json!({"limit": -1}),
        json!({"limit": 1.5}),
        json!({"limit": "many"}),
        json!({"before": -1}),
        json!({"before": 3, "after": 1}),
        json!({"after": "x"}),
        json!({"after": 1e300}),
    ] {
        let mut payload = wrong.clone();
        payload["conversationId"] = json!("c");
        ann.refused("message:history", payload, "invalid_payload").await;
    }
    app.end().await;
}
