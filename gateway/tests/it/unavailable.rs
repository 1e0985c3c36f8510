//! Redis or Postgres is away: what can go on goes on, the rest is refused in time, and nobody has to reconnect.

#![cfg(test)]

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    app::{Gateway, TestApp, eventually},
    client::{Client, assert_refused},
    proxy::Proxy,
};

/// The deadlines of a command, and some time to notice.
const IN_TIME: Duration = Duration::from_secs(8);

async fn refused_in_time(client: &Client, event: &str, payload: Value) {
    let asked = Instant::now();
    let error = client.refused(event, payload, "unavailable").await;
    assert_eq!(error["retryable"], true);
    assert!(asked.elapsed() < IN_TIME, "{event} took {:?}", asked.elapsed());
}

/// A gateway whose way to Postgres can be cut, with two conversations of which only one is in use.
async fn without_postgres() -> (TestApp, Proxy, Gateway) {
    let app = TestApp::new().await;
    let proxy = Proxy::before(&app.database_url()).await;
    let gateway = app.gateway(&[("postgres.url", proxy.url()), ("postgres.statement_deadline", "2s")]).await;
    app.conversation(&gateway, "live", &["ann", "bob"]).await;
    app.conversation(&gateway, "idle", &["ann", "bob"]).await;
    (app, proxy, gateway)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_postgres_live_conversations_go_on_and_others_are_refused() {
    let (app, proxy, gateway) = without_postgres().await;
    let (ann, bob) = (Client::connect(&gateway, "ann").await, Client::connect(&gateway, "bob").await);
    for client in [&ann, &bob] {
        client.join("live").await;
        client.send("live", "known from here on").await;
    }
    proxy.cut();
    let before = bob.events("message:created").len();
    let mut sent = Vec::new();
    for n in 0..5 {
        sent.push(ann.send("live", &n.to_string()).await);
    }
    assert_eq!(bob.until("message:created", before + 5).await[before..], sent);
    ann.ok("typing:start", json!({"conversationId": "live"})).await;
    bob.event("typing:started").await;
    bob.ok("receipt:read", json!({"conversationId": "live", "seq": 3})).await;
    ann.event("receipt:read").await;

    let idle = json!({"conversationId": "idle", "content": "hello", "clientId": "1"});
    refused_in_time(&ann, "message:send", idle.clone()).await;
    refused_in_time(&ann, "conversation:join", json!({"conversationId": "idle"})).await;
    refused_in_time(&ann, "message:history", json!({"conversationId": "live"})).await;
    ann.send("live", "still here").await;

    proxy.mend();
    ann.ok("message:send", idle).await;
    ann.join("idle").await;
    let (messages, _) = ann.history(json!({"conversationId": "live"})).await;
    assert_eq!(messages.len(), 8);
    assert_eq!(ann.history(json!({"conversationId": "idle"})).await.0.len(), 1);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_that_neither_side_knows_are_not_made_up() {
    use fred::interfaces::KeysInterface;
    let (app, proxy, gateway) = without_postgres().await;
    let worker = app.worker().await;
    let ann = Client::connect(&gateway, "ann").await;
    ann.join("live").await;
    let first = ann.send("live", "one").await;
    app.drained("live").await;
    worker.stop().await;
    let keys = app.broker.keys();
    let lost = vec![keys.state(&crate::app::id("live")), keys.log(&crate::app::id("live"))];
    let _: u64 = app.broker.client().del(lost).await.unwrap();
    proxy.cut();
    let second = json!({"conversationId": "live", "content": "two", "clientId": "2"});
    refused_in_time(&ann, "message:send", second.clone()).await;
    proxy.mend();
    let second = ann.ok("message:send", second).await;
    assert_eq!(second["message"]["seq"], 2);
    assert!(second["message"]["offset"].as_u64() > first["offset"].as_u64());
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_hangs_is_as_one_that_is_away() {
    let (app, proxy, gateway) = without_postgres().await;
    let (ann, bob) = (Client::connect(&gateway, "ann").await, Client::connect(&gateway, "bob").await);
    for client in [&ann, &bob] {
        client.join("live").await;
        client.send("live", "known from here on").await;
    }
    proxy.freeze();
    let history = ann.ask("message:history", json!({"conversationId": "live"})).await;
    let sent = ann.send("live", "not held up").await;
    eventually("it comes", async || bob.events("message:created").contains(&sent).then_some(())).await;
    assert_refused(&ann.answer(history).await, "unavailable");
    refused_in_time(&ann, "conversation:join", json!({"conversationId": "idle"})).await;
    proxy.mend();
    eventually("history answers again", async || {
        let answer = ann.call("message:history", json!({"conversationId": "live"})).await;
        (answer["ok"] == true).then_some(())
    })
    .await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_can_connect_while_postgres_is_away() {
    let (app, proxy, gateway) = without_postgres().await;
    proxy.cut();
    let ann = Client::connect(&gateway, "ann").await;
    ann.ping().await;
    refused_in_time(&ann, "conversation:join", json!({"conversationId": "idle"})).await;
    proxy.mend();
    ann.join("idle").await;
    app.end().await;
}

/// Readers and senders on a gateway whose way to Redis a test disturbs; another gateway's are not disturbed.
struct Scene {
    app: TestApp,
    proxy: Proxy,
    cut_off: Client,
    elsewhere: Client,
}

impl Scene {
    async fn new() -> Self {
        let app = TestApp::new().await;
        let proxy = Proxy::before(&app.redis_url()).await;
        let here = app.gateway(&[("redis.url", proxy.url())]).await;
        let there = app.gateway(&[]).await;
        app.conversation(&there, "c", &["ann", "bob"]).await;
        app.conversation(&there, "d", &["ann", "bob"]).await;
        let (cut_off, elsewhere) =
            (Client::connect(&here, "ann").await, Client::connect(&there, "bob").await);
        cut_off.join("c").await;
        elsewhere.join("c").await;
        Self { app, proxy, cut_off, elsewhere }
    }

    async fn refuses(&self) {
        let message = json!({"conversationId": "c", "content": "into the void", "clientId": "void"});
        refused_in_time(&self.cut_off, "message:send", message).await;
        refused_in_time(&self.cut_off, "conversation:join", json!({"conversationId": "d"})).await;
        refused_in_time(&self.cut_off, "message:history", json!({"conversationId": "c"})).await;
        refused_in_time(&self.cut_off, "receipt:read", json!({"conversationId": "c", "seq": 1})).await;
        self.cut_off.ping().await;
    }

    /// It catches up without having reconnected, and a repeated send is one message.
    async fn catches_up(&self, missed: &[Value]) {
        let message = json!({"conversationId": "c", "content": "into the void", "clientId": "void"});
        let repeated = eventually("a send is taken again", async || {
            let answer = self.cut_off.call("message:send", message.clone()).await;
            (answer["ok"] == true).then(|| answer["message"].clone())
        })
        .await;
        let came = self.elsewhere.event("message:created").await;
        assert_eq!(came, repeated);
        let after = self.elsewhere.send("c", "after").await;
        let all: Vec<Value> = missed.iter().cloned().chain([after]).collect();
        assert_eq!(self.cut_off.until("message:created", all.len()).await, all);
        let last = self.cut_off.send("c", "last").await;
        assert_eq!(self.elsewhere.until("message:created", 2).await, [came, last]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_lost_redis_refuses_in_time_and_catches_up_later() {
    let scene = Scene::new().await;
    scene.proxy.cut();
    let mut missed = Vec::new();
    for n in 0..5 {
        missed.push(scene.elsewhere.send("c", &n.to_string()).await);
    }
    scene.refuses().await;
    scene.proxy.mend();
    scene.catches_up(&missed).await;
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_hangs_is_as_one_that_is_away() {
    let scene = Scene::new().await;
    scene.proxy.freeze();
    let mut missed = Vec::new();
    for n in 0..5 {
        missed.push(scene.elsewhere.send("c", &n.to_string()).await);
    }
    scene.refuses().await;
    scene.proxy.mend();
    scene.catches_up(&missed).await;
    scene.app.end().await;
}
