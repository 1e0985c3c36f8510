//! Stores when users were last seen. Redis lists it until it is in Postgres: while that is away, nothing is lost.

use std::sync::Arc;

use futures_util::{StreamExt, stream::FuturesUnordered};
use parlance_broker::{Broker, BrokerError, partition::Partition, presence::Presences};
use parlance_domain::{id::UserId, time::Timestamp};
use parlance_store::{Store, StoreError};

use crate::metrics;

/// How many users one statement is about.
const BATCH: u64 = 500;
/// How many batches one run works on in each partition.
const BATCHES_A_RUN: u32 = 10;

/// Users, and when they went offline.
type Seen = Vec<(UserId, Timestamp)>;

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
    /// All partitions are read at the same time: one that is away does not hold up the others. They are written one after
    /// the other, with one connection to Postgres.
    pub(crate) async fn keep(self: Arc<Self>) -> Result<u64, KeepError> {
        let (mut kept, mut failure) = (0, None);
        let partitions = self.broker.keys().partitions().all();
        let read = async |partition| (partition, self.presences.last_seen(partition, BATCH).await);
        let mut reads: FuturesUnordered<_> = partitions.map(read).collect();
        while let Some((partition, seen)) = reads.next().await {
            match self.keep_of(partition, seen).await {
                Ok(count) => kept += count,
                Err(KeepError::Broker(error)) => failure = failure.or(Some(error)),
                // There is one Postgres for all.
                Err(error @ KeepError::Store(_)) => return Err(error),
            }
        }
        failure.map_or(Ok(kept), |error| Err(error.into()))
    }

    /// Stores what was read of a partition, and what is there beyond it.
    async fn keep_of(
        &self,
        partition: Partition,
        first: Result<Seen, BrokerError>,
    ) -> Result<u64, KeepError> {
        let mut kept = 0;
        let mut first = Some(first);
        for _ in 0..BATCHES_A_RUN {
            let seen = match first.take() {
                Some(first) => first?,
                None => self.presences.last_seen(partition, BATCH).await?,
            };
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
