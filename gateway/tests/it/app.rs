//! What a test needs: Redis keys and a database of its own, gateways and workers in this process, and the proof that
//! all of them end cleanly.

use std::{
    process::ExitCode,
    sync::{Arc, Mutex},
    time::Duration,
};

use fred::{
    interfaces::{HashesInterface, KeysInterface, PubsubInterface},
    types::{Key, scan::Scanner},
};
use futures_util::TryStreamExt;
use parlance_broker::{Broker, BrokerConfig};
use parlance_chassis::{
    clock::Clock,
    config::{Environment, Sources},
    lifecycle::{Handle, Lifecycle},
};
use parlance_domain::id::ConversationId;
use parlance_gateway::{config::Config, server};
use parlance_store::Store;
use parlance_worker::config::Settings;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tokio::{net::TcpListener, task::JoinHandle, time::Instant};

use crate::{
    database::{TestDatabase, required},
    wire::client::http,
};

/// How long anything may take.
pub const DEADLINE: Duration = Duration::from_secs(20);
pub const SECRET: &str = "a secret of more than thirty-two bytes";
pub const SERVICE_KEY: &str = "a-service-key-of-some-length";

const REDIS: &str = "PARLANCE_TEST_REDIS_URL";
const DATABASE: &str = "PARLANCE_TEST_DATABASE_URL";
const PARTITIONS: u16 = 2;

/// One installation.
pub struct TestApp {
    pub broker: Broker,
    pub store: Store,
    prefix: String,
    database: Option<TestDatabase>,
    processes: Mutex<Vec<Process>>,
}

/// A gateway of it.
#[derive(Clone)]
pub struct Gateway {
    /// Of Socket.IO and REST.
    pub address: String,
    /// Of probes and metrics.
    pub admin: String,
    pub process: Process,
}

/// What a binary would be.
#[derive(Clone)]
pub struct Process {
    handle: Handle,
    running: Arc<tokio::sync::Mutex<Option<JoinHandle<ExitCode>>>>,
}

impl TestApp {
    /// Nothing runs yet.
    pub async fn new() -> Self {
        let (database, store) = TestDatabase::migrated().await;
        let prefix = format!("test-{:016x}:", rand::random::<u64>());
        let broker = Broker::connect(BrokerConfig {
            url: required(REDIS),
            prefix: prefix.clone(),
            partitions: PARTITIONS,
            deadline: Duration::from_secs(5),
        });
        Self {
            broker: broker.await.unwrap(),
            store,
            prefix,
            database: Some(database),
            processes: Mutex::default(),
        }
    }

    /// With one gateway.
    pub async fn with_gateway() -> (Self, Gateway) {
        let app = Self::new().await;
        let gateway = app.gateway(&[]).await;
        (app, gateway)
    }

    /// With two gateways.
    pub async fn with_two_gateways() -> (Self, Gateway, Gateway) {
        let (app, one) = Self::with_gateway().await;
        let other = app.gateway(&[]).await;
        (app, one, other)
    }

    /// The URL of its Redis.
    pub fn redis_url(&self) -> String {
        required(REDIS)
    }

    /// The URL of its database.
    pub fn database_url(&self) -> String {
        self.database.as_ref().unwrap().url()
    }

    /// Starts a gateway. `more` are settings by their keys, stronger than those that all tests have: everybody may
    /// do as much as he likes.
    pub async fn gateway(&self, more: &[(&str, &str)]) -> Gateway {
        let own = [
            ("server.host", "127.0.0.1"),
            ("auth.jwt_secret", SECRET),
            ("auth.service_keys", SERVICE_KEY),
            ("limits.events_per_second", "100000"),
            ("limits.events_burst", "100000"),
            ("limits.sends_per_second", "100000"),
            ("limits.sends_burst", "100000"),
            ("limits.connects_per_second", "100000"),
            ("limits.connects_burst", "100000"),
            ("limits.requests_per_second", "100000"),
            ("limits.requests_burst", "100000"),
            ("limits.statuses_per_second", "100000"),
            ("limits.statuses_burst", "100000"),
            ("limits.typing_per_second", "100000"),
            ("limits.typing_burst", "100000"),
            ("limits.joins_per_second", "100000"),
            ("limits.joins_burst", "100000"),
            ("gateway.dispatch_workers", "3"),
            ("drain.spread", "0s"),
        ];
        let own = own.iter().chain(more).copied();
        let config = Config::from_sources(&self.sources(own)).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let lifecycle = Lifecycle::without_signals();
        let (public, admin) = (listener().await, listener().await);
        let started = server::start(config, Clock::system(), public, admin, &lifecycle.handle()).await;
        let addresses = started.unwrap_or_else(|error| panic!("{error}"));
        Gateway {
            address: addresses.public.to_string(),
            admin: addresses.admin.to_string(),
            process: self.run(lifecycle),
        }
    }

    /// Starts a worker.
    pub async fn worker(&self) -> Process {
        self.worker_with(&[]).await
    }

    /// The same with settings of its own.
    pub async fn worker_with(&self, more: &[(&str, &str)]) -> Process {
        let sources = self.sources(more.iter().copied());
        let settings = Settings::read(&sources).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let lifecycle = Lifecycle::without_signals();
        let admin = listener().await;
        parlance_worker::app::start(settings, Clock::system(), admin, &lifecycle.handle()).await.unwrap();
        self.run(lifecycle)
    }

    fn sources<'a>(&self, more: impl IntoIterator<Item = (&'a str, &'a str)>) -> Sources {
        let pairs = self.environment(more);
        let pairs = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        Sources::new(None, Environment::from_pairs(pairs))
    }

    /// The variables of a process that belongs to it. `more` are settings by their keys, stronger than its own.
    pub fn environment<'a>(
        &self,
        more: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Vec<(String, String)> {
        let (redis, database, partitions) = (self.redis_url(), self.database_url(), PARTITIONS.to_string());
        let own = [
            ("redis.url", &*redis),
            ("redis.prefix", &*self.prefix),
            ("redis.partitions", &*partitions),
            ("postgres.url", &*database),
        ];
        let variable = |(key, value): (&str, &str)| {
            (format!("PARLANCE__{}", key.to_uppercase().replace('.', "__")), value.to_owned())
        };
        let own: Vec<_> = own.into_iter().map(variable).collect();
        own.into_iter().chain(more.into_iter().map(variable)).collect()
    }

    fn run(&self, lifecycle: Lifecycle) -> Process {
        let handle = lifecycle.handle();
        #[expect(clippy::disallowed_methods, reason = "the lifecycle itself cannot be one of its tasks")]
        let running = tokio::spawn(lifecycle.run(Duration::from_secs(10)));
        let process = Process { handle, running: Arc::new(tokio::sync::Mutex::new(Some(running))) };
        self.processes.lock().unwrap().push(process.clone());
        process
    }

    /// Stops what still runs, and asserts that each process ended with success and left nothing behind.
    pub async fn end(mut self) {
        let processes = std::mem::take(&mut *self.processes.lock().unwrap());
        for process in processes {
            process.stop().await;
        }
        self.delete_keys().await;
        self.store.close().await;
        self.broker.close().await;
        let name = self.database_url().rsplit_once('/').unwrap().1.to_owned();
        drop(self.database.take());
        let mut maintenance = PgConnection::connect(&required(DATABASE)).await.unwrap();
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_database WHERE datname = $1")
            .bind(name)
            .fetch_one(&mut maintenance)
            .await
            .unwrap();
        assert_eq!(left, 0, "the database is dropped");
    }

    async fn delete_keys(&self) {
        let client = self.broker.client();
        let mut pages = client.scan(format!("{}*", self.prefix), Some(1_000), None);
        while let Some(mut page) = pages.try_next().await.unwrap() {
            let keys: Vec<Key> = page.take_results().unwrap_or_default();
            if !keys.is_empty() {
                let _: u64 = client.del(keys).await.unwrap();
            }
            page.next();
        }
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        for process in self.processes.lock().unwrap().iter() {
            process.handle.stop_now();
        }
        if !std::thread::panicking() {
            assert!(self.database.is_none(), "a test that succeeds ends its installation");
        }
    }
}

/// What backends do, and what Redis knows.
impl TestApp {
    /// Creates a conversation of these users.
    pub async fn conversation(&self, gateway: &Gateway, id: &str, participants: &[&str]) {
        let body = json!({"id": id, "participants": participants});
        let (status, answer) = gateway.rest("POST", "/v1/conversations", body).await;
        assert_eq!(status, 201, "{answer}");
    }

    /// How many gateways subscribe to a conversation.
    pub async fn subscriptions(&self, conversation: &str) -> u64 {
        let channel = self.broker.keys().channel(&id(conversation));
        let answer: Vec<(String, u64)> = self.broker.client().pubsub_shardnumsub(channel).await.unwrap();
        answer[0].1
    }

    /// How many gateways have noted that they have the user in the conversation.
    pub async fn gateways_with(&self, conversation: &str, user: &str) -> usize {
        let key = self.broker.keys().members(&id(conversation));
        let leases: Option<String> = self.broker.client().hget(key, user).await.unwrap();
        leases.map_or(0, |leases| leases.split(' ').count())
    }

    /// The ids of the conversation's messages in Postgres, in their order.
    pub async fn persisted(&self, conversation: &str) -> Vec<String> {
        let ids: Vec<uuid::Uuid> = self
            .store
            .run("test", async |connection| {
                Ok(sqlx::query_scalar(
                    "SELECT id FROM messages WHERE conversation_id = $1 ORDER BY epoch, rev",
                )
                .bind(conversation)
                .fetch_all(connection)
                .await?)
            })
            .await
            .unwrap();
        ids.iter().map(uuid::Uuid::to_string).collect()
    }

    /// Waits until nothing waits to be persisted in the conversation's partition.
    pub async fn drained(&self, conversation: &str) {
        let id = id(conversation);
        let mark = self.broker.ingest_tail(&id).await.unwrap();
        let Some(mark) = mark else { return };
        eventually("everything is persisted", async || {
            self.broker.is_persisted(&id, &mark).await.unwrap().then_some(())
        })
        .await;
    }
}

impl Gateway {
    /// A gateway in a process of its own, which is not ended with the installation.
    pub fn elsewhere(address: String) -> Self {
        let process = Process { handle: Lifecycle::without_signals().handle(), running: Arc::default() };
        Self { address, admin: String::new(), process }
    }

    /// A backend's request: the status and the body.
    pub async fn rest(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let headers = format!("Authorization: Bearer {SERVICE_KEY}\r\nContent-Type: application/json\r\n");
        let answer = http(&self.address, method, path, &headers, &body.to_string()).await;
        (answer.status, serde_json::from_str(&answer.body).unwrap_or(Value::Null))
    }

    /// Makes somebody take part.
    pub async fn add(&self, conversation: &str, user: &str) {
        let path = format!("/v1/conversations/{conversation}/participants/{user}");
        let (status, answer) = self.rest("PUT", &path, json!({})).await;
        assert!(status == 200 || status == 201, "{status} {answer}");
    }

    /// Makes somebody take part no longer.
    pub async fn remove(&self, conversation: &str, user: &str) {
        let path = format!("/v1/conversations/{conversation}/participants/{user}");
        let (status, answer) = self.rest("DELETE", &path, json!({})).await;
        assert_eq!(status, 204, "{answer}");
    }

    /// Whether it says that it is ready.
    pub async fn is_ready(&self) -> bool {
        http(&self.admin, "GET", "/ready", "", "").await.status == 200
    }

    /// The value of a metric, given as it stands on `/metrics` with its labels; 0 when it is not there.
    pub async fn metric(&self, series: &str) -> f64 {
        let metrics = http(&self.admin, "GET", "/metrics", "", "").await.body;
        let value = metrics.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok());
        value.unwrap_or(0.0)
    }
}

impl Process {
    /// Has it read its files again, as SIGHUP does.
    pub fn reload(&self) {
        self.handle.reload();
    }

    /// Begins the end, as SIGTERM does.
    pub fn ask_to_stop(&self) {
        self.handle.stop();
    }

    /// Stops it, and asserts that all its tasks ended. Stopping it again does nothing.
    pub async fn stop(&self) {
        self.handle.stop();
        let Some(running) = self.running.lock().await.take() else { return };
        let code = tokio::time::timeout(DEADLINE, running).await.expect("the process ends").unwrap();
        assert_eq!(code, ExitCode::SUCCESS);
    }
}

pub fn id(conversation: &str) -> ConversationId {
    ConversationId::new(conversation).unwrap()
}

/// Waits until `check` finds something.
pub async fn eventually<T>(what: &str, check: impl AsyncFn() -> Option<T>) -> T {
    eventually_within(DEADLINE, what, check).await
}

/// The same with a deadline of its own.
pub async fn eventually_within<T>(deadline: Duration, what: &str, check: impl AsyncFn() -> Option<T>) -> T {
    let end = Instant::now() + deadline;
    loop {
        if let Some(found) = check().await {
            return found;
        }
        assert!(Instant::now() < end, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}
