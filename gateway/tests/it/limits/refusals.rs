//! What becomes of a socket whose events have to be refused over and over.

use std::time::{Duration, Instant};

use serde_json::json;

use super::DEFAULT;
use crate::{
    app::{TestApp, eventually},
    client::{Asked, Client, assert_refused, token},
    wire::client::Polling,
};

const IMPATIENT: &[(&str, &str)] = &[("limits.abuse_refusals", "50"), ("limits.abuse_window", "60s")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_is_refused_over_and_over_is_told_so_and_disconnected_for_good() {
    let app = TestApp::new().await;
    let gateway = app.gateway(IMPATIENT).await;
    let (ann, bob) = (Client::connect(&gateway, "ann").await, Client::connect(&gateway, "bob").await);
    for n in 0..100 {
        match n % 3 {
            0 => ann.ask("no:such:event", json!({})).await,
            1 => ann.ask("message:send", json!({"content": 7})).await,
            _ => ann.ask("conversation:join", json!("nothing")).await,
        };
    }
    ann.ended().await;
    assert!(ann.was_disconnected(), "it must not come back");
    let errors = ann.events("error");
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!((&errors[0]["code"], &errors[0]["retryable"]), (&json!("limit_reached"), &json!(false)));
    assert_eq!(gateway.metric("parlance_limited_total{limit=\"abuse\"}").await, 1.0);
    bob.ping().await;
    // It is the socket that has gone, not the user.
    Client::connect(&gateway, "ann").await.ping().await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_beyond_the_rate_is_disconnected_for_good_on_both_transports() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[DEFAULT, IMPATIENT].concat()).await;
    let (ann, bob) = (Client::connect(&gateway, "ann").await, Client::connect(&gateway, "bob").await);
    for _ in 0..200 {
        ann.emit("ping", json!({})).await;
    }
    ann.ended().await;
    assert!(ann.was_disconnected(), "it must not come back");
    let auth = json!({"token": token("carol")}).to_string();
    let carol = Polling::connect_with(&gateway.address, &auth).await;
    let flood = vec!["42[\"ping\",{}]"; 200].join("\u{1e}");
    carol.post(&flood).await;
    assert!(carol.gets("41").await, "it must not come back");
    eventually("its session has ended", async || (carol.get().await.status == 400).then_some(())).await;
    bob.ping().await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_user_may_not_or_cannot_do_is_no_abuse() {
    let app = TestApp::new().await;
    let gateway = app.gateway(IMPATIENT).await;
    let ann = Client::connect(&gateway, "ann").await;
    for _ in 0..100 {
        ann.refused("conversation:join", json!({"conversationId": "of others"}), "not_a_participant").await;
    }
    ann.ping().await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_tries_again_when_he_is_told_to_is_never_disconnected() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("limits.events_per_second", "50"), ("limits.events_burst", "20")]).await;
    let ann = Client::connect(&gateway, "ann").await;
    // Every event by itself, without regard to the others: the least that can be expected of an application.
    let mut pending: Vec<(Instant, Option<Asked>)> = vec![(Instant::now(), None); 60];
    let deadline = Instant::now() + Duration::from_secs(15);
    while !pending.is_empty() {
        assert!(Instant::now() < deadline, "{} are left", pending.len());
        let mut left = Vec::new();
        for (due, asked) in pending {
            let Some(asked) = asked else {
                let now = Instant::now() >= due;
                left.push((due, if now { Some(ann.ask("ping", json!({})).await) } else { None }));
                continue;
            };
            let answer = ann.answer(asked).await;
            if answer["ok"] != true {
                let error = assert_refused(&answer, "rate_limited");
                let wait = Duration::from_millis(error["retryAfterMs"].as_u64().unwrap());
                left.push((Instant::now() + wait, None));
            }
        }
        pending = left;
        tokio::task::yield_now().await;
    }
    assert!(ann.is_open());
    assert!(gateway.metric("parlance_limited_total{limit=\"events\"}").await > 60.0);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_not_answered_with_a_flood_of_error_events_and_every_acknowledgement_is() {
    let app = TestApp::new().await;
    let gateway = app.gateway(DEFAULT).await;
    let ann = Client::connect(&gateway, "ann").await;
    let begun = Instant::now();
    for _ in 0..400 {
        ann.emit("ping", json!({})).await;
    }
    let mut asked = Vec::new();
    for _ in 0..40 {
        asked.push(ann.ask("ping", json!({})).await);
    }
    for asked in asked {
        ann.answer(asked).await;
    }
    let seconds = usize::try_from(begun.elapsed().as_secs()).unwrap() + 2;
    let told = ann.events("error").len();
    assert!((20..=20 * seconds).contains(&told), "{told} in {seconds} s");
    let dropped = eventually("what was not told is counted", async || {
        let dropped = gateway.metric("parlance_limited_total{limit=\"error_events\"}").await;
        (dropped >= 300.0).then_some(dropped)
    });
    assert!(dropped.await <= 400.0);
    assert!(ann.is_open());
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_joins_so_many_conversations_and_others_after_it_has_left_some() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("limits.joined_conversations", "2")]).await;
    for conversation in ["a", "b", "c"] {
        app.conversation(&gateway, conversation, &["ann"]).await;
    }
    let ann = Client::connect(&gateway, "ann").await;
    ann.join("a").await;
    ann.join("b").await;
    let error = ann.refused("conversation:join", json!({"conversationId": "c"}), "limit_reached").await;
    assert_eq!(error["retryable"], false);
    ann.join("a").await;
    ann.leave("a").await;
    ann.join("c").await;
    app.end().await;
}
