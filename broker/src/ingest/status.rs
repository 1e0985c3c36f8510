//! How far behind the consumers of a stream are.

use std::time::Duration;

use fred::{
    error::Error,
    interfaces::{HashesInterface, StreamsInterface},
    types::Value,
};

use super::{EntryId, GROUP, StreamKind, reply};
use crate::{broker::Broker, error::BrokerError, metrics::begin, partition::Partition};

/// What waits in a stream, and for whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamStatus {
    /// Entries that are not persisted.
    pub entries: u64,
    /// Their size in bytes, as the appenders counted it.
    pub bytes: u64,
    /// How many of them a consumer has taken.
    pub pending: u64,
    /// The oldest of them.
    pub oldest: Option<EntryId>,
    /// Who takes them.
    pub consumers: Vec<ConsumerStatus>,
}

/// A consumer of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerStatus {
    /// Its name.
    pub name: String,
    /// Entries that it has taken and not acknowledged.
    pub pending: u64,
    /// How long ago it was last heard of.
    pub idle: Duration,
}

impl Broker {
    /// What waits in a stream.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn stream_status(
        &self,
        partition: Partition,
        stream: StreamKind,
    ) -> Result<StreamStatus, BrokerError> {
        let key = stream.key(self.keys(), partition);
        let entries: u64 = begin("stream_status").end(self.client().xlen(&key).await)?;
        let bytes: Option<u64> = begin("stream_status")
            .end(self.client().hget(stream.size_key(self.keys(), partition), "bytes").await)?;
        let first: Value = begin("stream_status").end(self.client().xrange(&key, "-", "+", Some(1)).await)?;
        let consumers = match begin("stream_consumers")
            .end(self.client().xinfo_consumers::<Value, _, _>(&key, GROUP).await)
        {
            Ok(consumers) => reply::list("consumers", consumers)?,
            Err(error) if is_missing(&error) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let consumers = consumers.into_iter().map(consumer).collect::<Result<Vec<_>, _>>()?;
        Ok(StreamStatus {
            entries,
            bytes: bytes.unwrap_or(0),
            pending: consumers.iter().map(|consumer| consumer.pending).sum(),
            oldest: reply::entries(first)?.first().map(|entry| entry.id),
            consumers,
        })
    }
}

fn is_missing(error: &Error) -> bool {
    error.details().starts_with("NOGROUP") || error.details().contains("no such key")
}

fn consumer(value: Value) -> Result<ConsumerStatus, BrokerError> {
    let mut status = ConsumerStatus { name: String::new(), pending: 0, idle: Duration::ZERO };
    for (name, value) in reply::pairs("consumer", value)? {
        match name.as_str() {
            "name" => status.name = reply::text("consumer name", &value)?,
            "pending" => status.pending = value.as_u64().unwrap_or(0),
            "idle" => status.idle = Duration::from_millis(value.as_u64().unwrap_or(0)),
            _ => {}
        }
    }
    Ok(status)
}
