//! Taking over the entries of workers that died, and saying that this one is alive.

use std::{sync::Arc, time::Duration};

use parlance_broker::{
    BrokerError,
    ingest::{Consumer, Delivery, StreamKind},
};

use super::{
    held::Held,
    intake::{Closed, Intake},
};
use crate::metrics;

/// How many entries are taken over at once; they may be large.
const ENTRIES_A_CLAIM: u64 = 32;

/// Takes entries over.
#[derive(Debug)]
pub(crate) struct Claimer {
    consumers: Arc<Vec<Arc<Consumer>>>,
    intake: Intake,
    idle: Duration,
}

impl Claimer {
    /// A claimer of what nobody held for `idle`.
    pub(crate) fn new(consumers: Arc<Vec<Arc<Consumer>>>, intake: Intake, idle: Duration) -> Self {
        Self { consumers, intake, idle }
    }

    /// Takes over entries, deletes consumers that went away, and says how many entries they were.
    pub(crate) async fn claim(self: Arc<Self>) -> Result<u64, BrokerError> {
        let mut claimed = 0;
        for consumer in self.consumers.iter() {
            for stream in StreamKind::ALL {
                claimed += self.claim_stream(consumer, stream).await?;
            }
            let (partition, forgotten) = (consumer.partition().0, consumer.forget_dead(self.idle).await?);
            if forgotten > 0 {
                tracing::debug!(partition, forgotten, "deleted consumers that went away");
            }
        }
        Ok(claimed)
    }

    async fn claim_stream(&self, consumer: &Consumer, stream: StreamKind) -> Result<u64, BrokerError> {
        let mut claimed = 0;
        let mut cursor = Some(Default::default());
        while let Some(from) = cursor {
            let (entries, next) = consumer.claim(stream, self.idle, ENTRIES_A_CLAIM, from).await?;
            cursor = next;
            let (partition, count) = (consumer.partition(), entries.len() as u64);
            if count > 0 {
                tracing::info!(partition = partition.0, stream = stream.as_str(), count, "claimed entries");
                metrics::counter(&metrics::CLAIMED).increment(count);
                claimed += count;
            }
            let deliveries = entries.into_iter().map(|entry| Delivery { stream, entry });
            if self.intake.push(partition, deliveries).await == Err(Closed) {
                break;
            }
        }
        Ok(claimed)
    }
}

/// Holds what this process works on.
#[derive(Debug)]
pub(crate) struct Holder {
    consumers: Arc<Vec<Arc<Consumer>>>,
    held: Held,
}

impl Holder {
    /// A holder of everything in `held`.
    pub(crate) fn new(consumers: Arc<Vec<Arc<Consumer>>>, held: Held) -> Self {
        Self { consumers, held }
    }

    /// Says that this process still works on what it holds, and how much that is. It is no reason to claim an entry
    /// that Postgres is away.
    pub(crate) async fn hold(self: Arc<Self>) -> Result<u64, BrokerError> {
        let mut count = 0;
        for consumer in self.consumers.iter() {
            for stream in StreamKind::ALL {
                let ids = self.held.of(consumer.partition(), stream);
                consumer.hold(stream, &ids).await?;
                count += ids.len() as u64;
            }
        }
        Ok(count)
    }
}
