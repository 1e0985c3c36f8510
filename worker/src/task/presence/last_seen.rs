//! Stores when users were last seen. Redis lists it until it is in Postgres: while that is away, nothing is lost.

use std::sync::Arc;

use parlance_broker::{Broker, BrokerError, partition::Partition, presence::Presences};
use parlance_store::{Store, StoreError};

use crate::metrics;

/// How many users one statement is about.
const BATCH: u64 = 500;
/// How many batches one run works on in each partition.
const BATCHES_A_RUN: u32 = 10;

/// Keeps when users were last seen.
pub(crate) struct Keeper {
    broker: Broker,
    presences: Presences,
    store: Store,
}

/// Why it could not be stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeepError {
    #[error(transparent)]
    Broker(#[from] BrokerError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Keeper {
    pub(crate) fn new(broker: Broker, store: Store) -> Self {
        Self { presences: Presences::new(broker.clone()), broker, store }
    }

    /// Stores what is not stored yet, and says of how many users.
    /// A partition that is away does not hold up the others.
    pub(crate) async fn keep(self: Arc<Self>) -> Result<u64, KeepError> {
        let (mut kept, mut failure) = (0, None);
        for partition in self.broker.keys().partitions().all() {
            match self.keep_of(partition).await {
                Ok(count) => kept += count,
                Err(KeepError::Broker(error)) => failure = failure.or(Some(error)),
                // There is one Postgres for all.
                Err(error @ KeepError::Store(_)) => return Err(error),
            }
        }
        failure.map_or(Ok(kept), |error| Err(error.into()))
    }

    async fn keep_of(&self, partition: Partition) -> Result<u64, KeepError> {
        let mut kept = 0;
        for _ in 0..BATCHES_A_RUN {
            let seen = self.presences.last_seen(partition, BATCH).await?;
            if seen.is_empty() {
                break;
            }
            self.store.write_last_seen(&seen).await?;
            self.presences.stored(partition, &seen).await?;
            let count = seen.len() as u64;
            metrics::counter(&metrics::LAST_SEEN_STORED).increment(count);
            kept += count;
            if count < BATCH {
                break;
            }
        }
        Ok(kept)
    }
}
