//! What a test needs: keys of its own, events to append, and a look at what Redis really holds.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    future::{Ready, ready},
    time::Duration,
};

use fred::{
    interfaces::{HashesInterface, KeysInterface, LuaInterface, SortedSetsInterface, StreamsInterface},
    types::{Key, Value, scan::Scanner},
};
use futures_util::TryStreamExt;
use parlance_broker::{
    Broker, BrokerConfig, BrokerError,
    append::{Append, Appended, Appender, Bounds, Floors, Object, Once},
};
use parlance_domain::{
    entry::Header,
    event::EventKind,
    id::{ClientId, ConversationId, MessageId, UserId},
    version::{Heads, Seq, Version},
};
use serde_json::json;

const REDIS: &str = "PARLANCE_TEST_REDIS_URL";

/// How long anything may take.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// How long a repeated command is recognised, as the gateway asks for it.
pub const KEEP: Duration = Duration::from_secs(600);

/// Bounds that no test reaches by accident.
pub const ROOMY: Bounds = Bounds { entries: 1_000_000, bytes: 1 << 30 };

/// A stream entry: its id, and its fields by name.
pub type Row = (String, BTreeMap<String, String>);

/// Keys of its own, in two partitions.
pub struct World {
    pub broker: Broker,
    pub prefix: String,
    appender: Appender,
}

impl World {
    /// On the Redis that the environment names.
    pub async fn new() -> Self {
        Self::at(&redis_url(), DEADLINE).await
    }

    /// On the Redis of this URL, with commands that may take up to `deadline`.
    pub async fn at(url: &str, deadline: Duration) -> Self {
        let prefix = format!("test-{:016x}:", rand::random::<u64>());
        let broker = connect(url, &prefix, 2, deadline).await;
        let appender = Appender::new(broker.clone(), ROOMY);
        Self { broker, prefix, appender }
    }

    /// Appends to a conversation that Postgres knows nothing of.
    pub async fn append(&self, append: &Append) -> Appended {
        self.append_from(append, Floors::default()).await
    }

    /// Appends where Postgres and this process know `floors`.
    pub async fn append_from(&self, append: &Append, floors: Floors) -> Appended {
        self.appender.append(append, answering(floors)).await.unwrap()
    }

    /// Appends where nobody may ask for floors.
    pub async fn append_known(&self, append: &Append) -> Appended {
        self.try_append_known(append).await.unwrap()
    }

    pub async fn try_append_known(&self, append: &Append) -> Result<Appended, BrokerError> {
        self.appender.append(append, || -> Ready<_> { panic!("floors were asked for") }).await
    }

    /// An appender with other bounds.
    pub fn appender_within(&self, entries: u64, bytes: u64) -> Appender {
        Appender::new(self.broker.clone(), Bounds { entries, bytes })
    }

    /// A message of user `u`; `client_id` is its text, and makes it recognisable.
    pub fn message(&self, conversation: &ConversationId, client_id: &str) -> Append {
        self.message_of("u", conversation, client_id, client_id)
    }

    pub fn message_of(
        &self,
        user: &str,
        conversation: &ConversationId,
        client_id: &str,
        text: &str,
    ) -> Append {
        let keys = self.broker.keys();
        let id =
            MessageId::new(1_700_000_000_000, rand::random(), keys.partitions().of(conversation.as_str()).0);
        let body = json!({
            "id": id, "sender": {"id": user, "name": user}, "type": "text", "content": text,
        });
        let (user, client_id) = (UserId::new(user).unwrap(), ClientId::new(client_id).unwrap());
        let key = keys.once("message.send", conversation, &user, &client_id);
        Append {
            conversation: conversation.clone(),
            kind: EventKind::MessageCreated,
            body: body.to_string(),
            origin: None,
            trace: None,
            acl: None,
            once: Once { key, keep: KEEP, mark: id.to_string() },
            object: Some(Object {
                id: id.into(),
                expected: None,
                fields: vec![("sender", user.as_str().to_owned())],
            }),
        }
    }

    /// Somebody comes or goes; the row of the outbox makes it recognisable.
    pub fn participant(&self, conversation: &ConversationId, row: i64, kind: EventKind) -> Append {
        let body = json!({"participant": {"id": "p", "name": "P"}}).to_string();
        Append::from_outbox(self.broker.keys(), row, conversation.clone(), kind, body, None)
    }

    /// The entries of the conversation's hot log.
    pub async fn hot_log(&self, id: &ConversationId) -> Vec<Row> {
        self.stream(self.broker.keys().log(id)).await
    }

    /// The entries of the ingest stream of the conversation's partition.
    pub async fn ingest(&self, id: &ConversationId) -> Vec<Row> {
        let keys = self.broker.keys();
        self.stream(keys.ingest(keys.partitions().of(id.as_str()))).await
    }

    pub async fn stream(&self, key: String) -> Vec<Row> {
        self.broker.client().xrange(key, "-", "+", None).await.unwrap()
    }

    /// A hash, or no fields.
    pub async fn hash(&self, key: String) -> BTreeMap<String, String> {
        self.broker.client().hgetall(key).await.unwrap()
    }

    /// Entries and bytes that the ingest stream of the conversation's partition is said to hold.
    pub async fn ingest_size(&self, id: &ConversationId) -> (u64, u64) {
        let keys = self.broker.keys();
        size(&self.hash(keys.ingest_size(keys.partitions().of(id.as_str()))).await)
    }

    /// What the state hash says that the hot log takes.
    pub async fn log_bytes(&self, id: &ConversationId) -> u64 {
        self.hash(self.broker.keys().state(id)).await["log_bytes"].parse().unwrap()
    }

    /// The time by which the conversation is known not to be settled.
    pub async fn unsettled_since(&self, id: &ConversationId) -> Option<f64> {
        let keys = self.broker.keys();
        let key = keys.unsettled(keys.partitions().of(id.as_str()));
        self.broker.client().zscore(key, id.as_str()).await.unwrap()
    }

    /// Sets the low-water mark of the conversation's partition.
    pub async fn set_persisted(&self, id: &ConversationId, mark: &str) {
        let keys = self.broker.keys();
        let key = keys.persisted(keys.partitions().of(id.as_str()));
        let _: Value = self.broker.client().set(key, mark, None, None, false).await.unwrap();
    }

    /// Seconds that a key still lives; -1 without an end, -2 when it is not there.
    pub async fn ttl(&self, key: String) -> i64 {
        self.broker.client().ttl(key).await.unwrap()
    }

    pub async fn delete(&self, key: String) {
        let _: i64 = self.broker.client().del(key).await.unwrap();
    }

    /// Every key of this world.
    pub async fn keys(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut pages = self.broker.client().scan(format!("{}*", self.prefix), Some(1_000), None);
        while let Some(mut page) = pages.try_next().await.unwrap() {
            let keys: Vec<Key> = page.take_results().unwrap_or_default();
            found.extend(keys.into_iter().map(|key| key.into_string().unwrap()));
            page.next();
        }
        found.sort();
        found.dedup();
        found
    }

    /// Every key with its value, to find out whether something was written.
    pub async fn snapshot(&self) -> BTreeMap<String, Value> {
        let mut values = BTreeMap::new();
        for key in self.keys().await {
            let value = self.broker.client().eval(VALUE, vec![key.clone()], ()).await.unwrap();
            values.insert(key, value);
        }
        values
    }

    /// Deletes the keys. Called at the end of a test; what a failed test leaves does no harm to others.
    pub async fn clean_up(&self) {
        for keys in self.keys().await.chunks(500) {
            let _: i64 = self.broker.client().del(keys.to_vec()).await.unwrap();
        }
        self.broker.close().await;
    }
}

/// What a key holds. The fields of a hash are sorted: Redis may answer them, and dump them, in another order when nothing
/// was written.
const VALUE: &str = "
    local kind = redis.call('TYPE', KEYS[1]).ok
    if kind == 'string' then return redis.call('GET', KEYS[1]) end
    if kind == 'zset' then return redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES') end
    if kind == 'stream' then return redis.call('XRANGE', KEYS[1], '-', '+') end
    local fields = redis.call('HGETALL', KEYS[1])
    local pairs = {}
    for i = 1, #fields, 2 do pairs[#pairs + 1] = #fields[i] .. ':' .. fields[i] .. fields[i + 1] end
    table.sort(pairs)
    return pairs";

pub async fn connect(url: &str, prefix: &str, partitions: u16, deadline: Duration) -> Broker {
    Broker::connect(BrokerConfig { url: url.to_owned(), prefix: prefix.to_owned(), partitions, deadline })
        .await
        .unwrap()
}

/// What callers of [`Appender::append`] pass when they know the floors.
pub fn answering(floors: Floors) -> impl Fn() -> Ready<Result<Floors, BrokerError>> + Send {
    move || ready(Ok(floors))
}

pub fn conversation(id: &str) -> ConversationId {
    ConversationId::new(id).unwrap()
}

pub fn heads(epoch: u64, rev: u64, seq: u64) -> Heads {
    Heads { version: Version::new(epoch, rev), seq: Seq(seq) }
}

/// Floors where this process has seen nothing itself.
pub fn stored(epoch: u64, rev: u64, seq: u64) -> Floors {
    Floors { stored: heads(epoch, rev, seq), seen: Heads::default() }
}

/// The header of an event that was appended now.
pub fn now(appended: Appended) -> Header {
    match appended {
        Appended::Now(header) => header,
        other => panic!("not appended now: {other:?}"),
    }
}

/// Epoch, rev and seq of an event that was appended now.
pub fn numbers(appended: Appended) -> (u64, u64, u64) {
    let header = now(appended);
    (header.version.epoch, header.version.rev, header.seq.0)
}

/// Entries and bytes of a stream, from its hash.
pub fn size(hash: &BTreeMap<String, String>) -> (u64, u64) {
    let number = |name: &str| hash.get(name).map_or(0, |digits| digits.parse().unwrap());
    (number("entries"), number("bytes"))
}

/// The bytes of the named fields.
pub fn bytes_of(rows: &[Row], fields: &[&str]) -> u64 {
    rows.iter().flat_map(|(_, row)| fields.iter().map(|field| row[*field].len() as u64)).sum()
}

/// The revs of a hot log's entries.
pub fn revs(rows: &[Row]) -> Vec<u64> {
    rows.iter().map(|(id, _)| id.strip_suffix("-0").unwrap().parse().unwrap()).collect()
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

/// The Redis that tests share.
pub fn redis_url() -> String {
    #[expect(clippy::disallowed_methods, reason = "tests have no configuration")]
    let url = std::env::var(REDIS);
    url.unwrap_or_else(|_| panic!("{REDIS} is not set: the tests need a Redis; `make test-rust` starts one"))
}
