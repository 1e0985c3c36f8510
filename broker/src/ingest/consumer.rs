//! One consumer of a partition's two streams.

use std::time::Duration;

use fred::{
    clients::Client,
    error::Error,
    interfaces::{ClientLike, StreamsInterface},
    types::{Value, streams::XID},
};

use super::{Entry, EntryId, GROUP, StreamKind, reply};
use crate::{broker::Broker, error::BrokerError, metrics::begin, partition::Partition, script::Script};

const MAKE_GROUP: &str =
    concat!(include_str!("../../lua/low_water.lua"), include_str!("../../lua/group.lua"));
const FORGET: &str = include_str!("../../lua/forget.lua");

/// How much longer than its block time a read may take before the connection is taken for dead.
const READ_GRACE: Duration = Duration::from_secs(5);

/// How many ids one command names.
const IDS_A_COMMAND: usize = 1_000;

/// An entry and the stream that it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The stream.
    pub stream: StreamKind,
    /// The entry.
    pub entry: Entry,
}

/// Where the search for entries of dead consumers goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimCursor(String);

impl Default for ClaimCursor {
    fn default() -> Self {
        Self(String::from("0-0"))
    }
}

/// One consumer of a partition's two streams, with a connection of its own for reading.
#[derive(Debug)]
pub struct Consumer {
    broker: Broker,
    connection: Client,
    partition: Partition,
    name: String,
    block: Duration,
    make_group: Script,
    forget: Script,
}

impl Consumer {
    /// Connects, and makes stream and group when they are missing. `name` must be unique among living consumers;
    /// a read waits up to `block` for entries.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn connect(
        broker: &Broker,
        partition: Partition,
        name: &str,
        block: Duration,
    ) -> Result<Self, BrokerError> {
        let consumer = Self {
            broker: broker.clone(),
            connection: broker.connect_blocking(block + READ_GRACE).await?,
            partition,
            name: name.to_owned(),
            block,
            make_group: Script::new("group", MAKE_GROUP),
            forget: Script::new("forget", FORGET),
        };
        for stream in StreamKind::ALL {
            consumer.make_group(stream).await?;
        }
        Ok(consumer)
    }

    /// The partition whose streams it reads.
    pub fn partition(&self) -> Partition {
        self.partition
    }

    /// Up to `count` new entries of each stream, waiting when there are none. They are pending for this consumer
    /// from here on. When Redis lost the group, it is made again and nothing is returned.
    ///
    /// # Errors
    /// When Redis is away. Entries whose answer was lost are found by [`Consumer::claim`] later.
    pub async fn read(&self, count: u64) -> Result<Vec<Delivery>, BrokerError> {
        let keys = StreamKind::ALL.map(|stream| self.key(stream));
        let block = u64::try_from(self.block.as_millis()).unwrap_or(u64::MAX).max(1);
        let answer: Result<Value, Error> = self
            .connection
            .xreadgroup(
                GROUP,
                self.name.as_str(),
                Some(count),
                Some(block),
                false,
                keys.to_vec(),
                vec![XID::NewInGroup; StreamKind::ALL.len()],
            )
            .await;
        match answer {
            Ok(answer) => self.deliveries(answer, &keys),
            Err(error) if lost_group(&error) => {
                tracing::warn!(
                    partition = self.partition.0,
                    "redis lost the consumer group, making it again"
                );
                for stream in StreamKind::ALL {
                    self.make_group(stream).await?;
                }
                Ok(Vec::new())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn deliveries(&self, answer: Value, keys: &[String; 2]) -> Result<Vec<Delivery>, BrokerError> {
        let mut deliveries = Vec::new();
        for read in reply::list("streams", answer)? {
            let mut parts = reply::list("stream", read)?.into_iter();
            let (Some(key), Some(entries)) = (parts.next(), parts.next()) else {
                continue;
            };
            let key = reply::text("stream name", &key)?;
            let Some(stream) = StreamKind::ALL.into_iter().zip(keys).find(|(_, name)| **name == key) else {
                return Err(BrokerError::Unexpected(format!("entries of the stream {key}")));
            };
            let stream = stream.0;
            deliveries.extend(reply::entries(entries)?.into_iter().map(|entry| Delivery { stream, entry }));
        }
        Ok(deliveries)
    }

    /// Takes over up to `count` entries that nobody held for `idle`, and says where to go on; `None` when all were
    /// looked at.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn claim(
        &self,
        stream: StreamKind,
        idle: Duration,
        count: u64,
        from: ClaimCursor,
    ) -> Result<(Vec<Entry>, Option<ClaimCursor>), BrokerError> {
        let idle = u64::try_from(idle.as_millis()).unwrap_or(u64::MAX);
        let answer: Result<Value, Error> = begin("claim").end(
            self.broker
                .client()
                .xautoclaim(
                    self.key(stream),
                    GROUP,
                    self.name.as_str(),
                    idle,
                    from.0.as_str(),
                    Some(count),
                    false,
                )
                .await,
        );
        let answer = match answer {
            // The next read makes the group again.
            Err(error) if lost_group(&error) => return Ok((Vec::new(), None)),
            answer => answer?,
        };
        let mut parts = reply::list("claimed entries", answer)?.into_iter();
        let (Some(next), Some(entries)) = (parts.next(), parts.next()) else {
            return Err(BrokerError::Unexpected(String::from("claimed entries without a cursor")));
        };
        let next = reply::text("claim cursor", &next)?;
        Ok((reply::entries(entries)?, (next != "0-0").then_some(ClaimCursor(next))))
    }

    /// Says that this consumer still works on these entries, so that nobody claims them. Those that are
    /// acknowledged already are passed over.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn hold(&self, stream: StreamKind, ids: &[EntryId]) -> Result<(), BrokerError> {
        for some in ids.chunks(IDS_A_COMMAND) {
            let ids: Vec<String> = some.iter().map(EntryId::to_string).collect();
            let answer: Result<Value, Error> = begin("hold").end(
                self.broker
                    .client()
                    .xclaim(
                        self.key(stream),
                        GROUP,
                        self.name.as_str(),
                        0,
                        ids,
                        None,
                        None,
                        None,
                        false,
                        true,
                    )
                    .await,
            );
            match answer {
                Err(error) if lost_group(&error) => return Ok(()),
                answer => drop(answer?),
            }
        }
        Ok(())
    }

    /// Deletes consumers that were not heard of for `idle` and left nothing pending, and says how many.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn forget_dead(&self, idle: Duration) -> Result<u64, BrokerError> {
        let mut deleted = 0;
        for stream in StreamKind::ALL {
            deleted += self.forget(stream, idle, "").await?;
        }
        Ok(deleted)
    }

    /// Leaves the group, if nothing is pending, and ends the connection.
    ///
    /// # Errors
    /// When Redis is away; then another consumer forgets this one later.
    pub async fn leave(&self) -> Result<(), BrokerError> {
        for stream in StreamKind::ALL {
            self.forget(stream, Duration::ZERO, &self.name).await?;
        }
        if let Err(error) = self.connection.quit().await {
            tracing::debug!(%error, "redis connection did not end cleanly");
        }
        Ok(())
    }

    async fn forget(&self, stream: StreamKind, idle: Duration, only: &str) -> Result<u64, BrokerError> {
        let arguments = vec![GROUP.to_owned(), idle.as_millis().to_string(), only.to_owned()];
        let answer = self.forget.run(self.broker.client(), vec![self.key(stream)], arguments).await?;
        answer.as_u64().ok_or_else(|| BrokerError::Unexpected(String::from("forget.lua answered no number")))
    }

    async fn make_group(&self, stream: StreamKind) -> Result<(), BrokerError> {
        let mut keys = vec![self.key(stream)];
        if stream == StreamKind::Ingest {
            keys.push(self.broker.keys().persisted(self.partition));
        }
        self.make_group.run(self.broker.client(), keys, vec![GROUP.to_owned()]).await?;
        Ok(())
    }

    fn key(&self, stream: StreamKind) -> String {
        stream.key(self.broker.keys(), self.partition)
    }
}

/// `UNBLOCKED`: the stream was deleted while the read waited.
fn lost_group(error: &Error) -> bool {
    ["NOGROUP", "UNBLOCKED"].iter().any(|word| error.details().starts_with(word))
}
