//! The acknowledgement level `replica`: what is acknowledged is on a replica, and who waits for one holds up nobody.

#![cfg(test)]

use std::{
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use fred::{
    interfaces::{ClientLike, StreamsInterface},
    types::InfoKind,
};
use parlance_broker::{Broker, BrokerConfig};
use serde_json::{Value, json};

use crate::{
    app::{TestApp, eventually},
    client::{Client, assert_refused},
};

const REPLICA: (&str, &str) = ("gateway.acknowledgement", "replica");

fn message(client_id: &str) -> Value {
    json!({"conversationId": "c", "content": "hello", "clientId": client_id})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_replica_messages_are_published_and_not_acknowledged() {
    let app = TestApp::new().await;
    let waiting = app.gateway(&[REPLICA, ("redis.command_deadline", "1s")]).await;
    let other = app.gateway(&[]).await;
    app.conversation(&other, "c", &["ann", "bob"]).await;
    let (ann, bob) = (Client::connect(&waiting, "ann").await, Client::connect(&other, "bob").await);
    bob.join("c").await;

    let sent = ann.ask("message:send", message("1")).await;
    // What was sent after it is answered before it.
    ann.ok("ping", json!({})).await;
    assert_eq!(ann.answered(sent), None);
    let published = bob.event("message:created").await;
    let answer = ann.answer(sent).await;
    assert_eq!(assert_refused(&answer, "unavailable")["retryable"], true, "{answer}");

    // Nothing is lost: it is the same message, and the other gateway asks for less.
    let ann = Client::connect(&other, "ann").await;
    assert_eq!(ann.ok("message:send", message("1")).await["message"]["id"], published["id"]);
    assert_eq!(ann.history(json!({"conversationId": "c"})).await.0.len(), 1);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_replica_a_change_of_participants_is_done_and_its_event_stays_in_the_outbox() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[REPLICA, ("redis.command_deadline", "200ms")]).await;
    app.conversation(&gateway, "c", &["ann"]).await;
    gateway.add("c", "bob").await;
    let waiting: i64 = app
        .store
        .run("test", async |connection| {
            Ok(sqlx::query_scalar("SELECT count(*) FROM outbox").fetch_one(connection).await?)
        })
        .await
        .unwrap();
    assert_eq!(waiting, 2);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledged_message_is_on_the_replica() {
    let app = TestApp::new().await;
    let primary = Redis::start(&[]).await;
    let replica = Redis::start(&["--replicaof", "127.0.0.1", &primary.port.to_string()]).await;
    let copy = replica.broker(&app).await;
    let source = primary.broker(&app).await;
    eventually("the replica is online", async || {
        let info: String = source.client().info(Some(InfoKind::Replication)).await.unwrap();
        info.contains("state=online").then_some(())
    })
    .await;
    let gateway = app.gateway(&[REPLICA, ("redis.url", &primary.url())]).await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let ann = Client::connect(&gateway, "ann").await;
    let ingest = copy.keys().ingest(copy.keys().partitions().of("c"));
    for n in 1..=20 {
        ann.send("c", &n.to_string()).await;
        // Read at once. The first entry is that of the conversation.
        let entries: u64 = copy.client().xlen(&ingest).await.unwrap();
        assert_eq!(entries, n + 1);
    }
    copy.close().await;
    source.close().await;
    app.end().await;
}

/// A Redis of its own; ended, with its data, when dropped.
struct Redis {
    process: Child,
    directory: PathBuf,
    port: u16,
}

impl Redis {
    async fn start(more: &[&str]) -> Self {
        let directory = std::env::temp_dir().join(format!("parlance-gateway-{:016x}", rand::random::<u64>()));
        std::fs::create_dir(&directory).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--dir"])
            .arg(&directory)
            .args(["--repl-diskless-sync-delay", "0"])
            .args(more)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        let redis = Self { process, directory, port };
        eventually("redis-server listens", async || {
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok().map(drop)
        })
        .await;
        redis
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// On the keys of this installation.
    async fn broker(&self, app: &TestApp) -> Broker {
        Broker::connect(BrokerConfig { url: self.url(), ..app.broker.config().clone() }).await.unwrap()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
