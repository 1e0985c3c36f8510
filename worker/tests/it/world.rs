//! What a test needs: keys and a database of its own, and workers.

use std::{fmt::Debug, net::SocketAddr, process::ExitCode, time::Duration};

use fred::{
    interfaces::{HashesInterface, KeysInterface, StreamsInterface},
    types::{Key, Value, scan::Scanner},
};
use futures_util::TryStreamExt;
use parlance_broker::{
    Broker, BrokerConfig,
    ingest::{StreamKind, StreamStatus},
    partition::Partition,
};
use parlance_chassis::{
    clock::Clock,
    config::{Environment, Sources},
    lifecycle::{Handle, Lifecycle},
};
use parlance_domain::{id::ConversationId, version::Heads};
use parlance_store::Store;
use parlance_worker::{app, config::Settings};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    database::{TestDatabase, required},
    entries::TestEntry,
};

const REDIS: &str = "PARLANCE_TEST_REDIS_URL";

/// How long anything may take.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Two partitions, so that batches are gathered over more than one.
const PARTITIONS: u16 = 2;

/// Keys and a database of its own.
pub struct World {
    pub broker: Broker,
    pub store: Store,
    pub prefix: String,
    pub database: TestDatabase,
    redis: String,
    partitions: u16,
}

impl World {
    pub async fn new() -> Self {
        Self::on(&required(REDIS)).await
    }

    /// A world on a Redis of its own.
    pub async fn on(redis: &str) -> Self {
        Self::of(redis, PARTITIONS, Duration::from_secs(5)).await
    }

    /// A world in a Redis cluster of its own, with two partitions on each master. While one of them does not answer, the
    /// tests' own connection is not to be replaced for the lack of answers: that would hold up the other masters' too.
    pub async fn in_cluster(redis: &str) -> Self {
        Self::of(redis, 6, DEADLINE).await
    }

    async fn of(redis: &str, partitions: u16, deadline: Duration) -> Self {
        let (database, store) = TestDatabase::migrated().await;
        let prefix = format!("test-{:016x}:", rand::random::<u64>());
        let broker = Broker::connect(BrokerConfig {
            url: redis.to_owned(),
            prefix: prefix.clone(),
            partitions,
            deadline,
        })
        .await
        .unwrap();
        Self { broker, store, prefix, database, redis: redis.to_owned(), partitions }
    }

    /// What a worker of this world is told, weaker than `more`.
    pub fn environment(&self, more: &[(&str, &str)]) -> Vec<(String, String)> {
        let own = [
            ("PARLANCE__REDIS__URL", self.redis.clone()),
            ("PARLANCE__REDIS__PREFIX", self.prefix.clone()),
            ("PARLANCE__REDIS__PARTITIONS", self.partitions.to_string()),
            ("PARLANCE__POSTGRES__URL", self.database.url()),
            ("PARLANCE__ADMIN__PORT", String::from("0")),
        ];
        let mut all: Vec<(String, String)> = own.map(|(name, value)| (name.to_owned(), value)).into();
        for (name, value) in more {
            all.retain(|(there, _)| there != name);
            all.push(((*name).to_owned(), (*value).to_owned()));
        }
        all
    }

    /// Starts a worker in this process.
    pub async fn start(&self, more: &[(&str, &str)]) -> TestWorker {
        let environment = self.environment(more);
        let pairs = environment.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let settings = Settings::read(&Sources::new(None, Environment::from_pairs(pairs))).unwrap();
        let lifecycle = Lifecycle::without_signals();
        let handle = lifecycle.handle();
        let admin = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let admin = app::start(settings, Clock::system(), admin, &handle).await.unwrap();
        #[expect(clippy::disallowed_methods, reason = "the lifecycle itself cannot be one of its tasks")]
        let running = tokio::spawn(lifecycle.run(Duration::from_secs(10)));
        TestWorker { admin, handle, running: Some(running) }
    }

    /// Puts an entry in its stream as the append script does, and returns its id.
    pub async fn append(&self, entry: &TestEntry) -> String {
        self.append_as(entry, "*").await
    }

    pub async fn append_as(&self, entry: &TestEntry, id: &str) -> String {
        let TestEntry { stream, conversation, header, body } = entry;
        let keys = self.broker.keys();
        let partition = keys.partitions().of(conversation);
        let (key, size_key) = match stream {
            StreamKind::Ingest => (keys.ingest(partition), keys.ingest_size(partition)),
            StreamKind::Receipts => (keys.receipts(partition), keys.receipts_size(partition)),
        };
        let client = self.broker.client();
        let fields: Vec<(&str, Value)> = vec![
            ("c", conversation.as_str().into()),
            ("h", header.as_str().into()),
            ("b", Value::Bytes(body.clone().into())),
        ];
        let id: String = client.xadd(key, false, None::<()>, id, fields).await.unwrap();
        let _: i64 = client.hincrby(&size_key, "entries", 1).await.unwrap();
        let bytes = i64::try_from(conversation.len() + header.len() + body.len()).unwrap();
        let _: i64 = client.hincrby(&size_key, "bytes", bytes).await.unwrap();
        id
    }

    pub async fn append_all<'a>(&self, entries: impl IntoIterator<Item = &'a TestEntry>) {
        for entry in entries {
            self.append(entry).await;
        }
    }

    pub fn partition(&self, conversation: &str) -> Partition {
        self.broker.keys().partitions().of(conversation)
    }

    pub async fn status(&self, conversation: &str, stream: StreamKind) -> StreamStatus {
        self.broker.stream_status(self.partition(conversation), stream).await.unwrap()
    }

    /// The low-water mark of the conversation's partition.
    pub async fn persisted(&self, conversation: &str) -> Option<String> {
        let key = self.broker.keys().persisted(self.partition(conversation));
        self.broker.client().get(key).await.unwrap()
    }

    /// Waits until nothing is left in any stream.
    pub async fn drained(&self) {
        eventually("the streams are empty", async || {
            for partition in self.broker.keys().partitions().all() {
                for stream in StreamKind::ALL {
                    let status = self.broker.stream_status(partition, stream).await.unwrap();
                    if status.entries > 0 || status.pending > 0 {
                        return Err(status);
                    }
                }
            }
            Ok(())
        })
        .await;
    }

    /// The places of the conversation's messages in Postgres.
    pub async fn seqs(&self, conversation: &str) -> Vec<i64> {
        self.store
            .run("test", async |connection| {
                Ok(sqlx::query_scalar("SELECT seq FROM messages WHERE conversation_id = $1 ORDER BY seq")
                    .bind(conversation)
                    .fetch_all(connection)
                    .await?)
            })
            .await
            .unwrap()
    }

    pub async fn heads(&self, conversation: &str) -> Option<Heads> {
        self.store.heads(&ConversationId::new(conversation).unwrap()).await.unwrap()
    }

    /// Runs a statement without parameters.
    pub async fn sql(&self, statement: &'static str) {
        self.store
            .run("test", async |connection| {
                sqlx::query(statement).execute(connection).await?;
                Ok(())
            })
            .await
            .unwrap();
    }

    /// Deletes the keys. Called at the end of a test; what a failed test leaves does no harm to others.
    pub async fn clean_up(&self) {
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

/// A worker in this process.
pub struct TestWorker {
    /// Where its admin listener is.
    pub admin: SocketAddr,
    handle: Handle,
    running: Option<JoinHandle<ExitCode>>,
}

impl TestWorker {
    /// Stops it as SIGTERM does, and asserts that it ended cleanly.
    pub async fn stop(mut self) {
        self.handle.stop();
        let code = tokio::time::timeout(DEADLINE, self.running.take().unwrap()).await;
        assert_eq!(code.expect("the worker ends in time").unwrap(), ExitCode::SUCCESS);
    }
}

impl Drop for TestWorker {
    fn drop(&mut self) {
        self.handle.stop_now();
    }
}

/// Waits until `check` answers `Ok`; what it answered last is in the failure.
pub async fn eventually<T, E: Debug>(what: &str, check: impl AsyncFn() -> Result<T, E>) -> T {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    loop {
        match check().await {
            Ok(answer) => return answer,
            Err(last) if tokio::time::Instant::now() > deadline => panic!("not in time: {what}: {last:?}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}
