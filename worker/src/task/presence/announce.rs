//! Tells conversations of changes of presence that nobody told them of: who noted the change crashed, or could not reach
//! Redis any more.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use parlance_broker::{
    Broker, BrokerError,
    partition::Partition,
    presence::{Presences, Transition},
};

use crate::{
    metrics,
    task::presence::{Outcome, each_elsewhere},
};

/// How long a change waits before nobody else can be about to announce it.
const STALE: Duration = Duration::from_secs(2);
/// How many are read at a time.
const BATCH: u64 = 100;
/// How many batches one run works on in each partition.
const BATCHES_A_RUN: u32 = 10;

/// Announces what was left.
pub(crate) struct Announcer {
    broker: Broker,
    presences: Presences,
}

impl Announcer {
    pub(crate) fn new(broker: Broker) -> Self {
        Self { presences: Presences::new(broker.clone()), broker }
    }

    /// Announces what waits too long, and says how many changes that were. One that fails does not hold up the others.
    pub(crate) async fn announce(self: Arc<Self>) -> Result<u64, BrokerError> {
        let mut all = Outcome::default();
        // All partitions at the same time: others do not wait for those whose Redis does not answer.
        let partitions = self.broker.keys().partitions().all();
        let mut runs: FuturesUnordered<_> = partitions.map(|partition| self.announce_in(partition)).collect();
        while let Some(outcome) = runs.next().await {
            let outcome = match outcome {
                Ok(outcome) => outcome,
                Err(failure) => Outcome { failure: Some(failure), ..Outcome::default() },
            };
            all.done += outcome.done;
            all.failure = all.failure.or(outcome.failure);
        }
        all.failure.map_or(Ok(all.done), Err)
    }

    /// An error is that the partition cannot be read.
    async fn announce_in(&self, partition: Partition) -> Result<Outcome, BrokerError> {
        let mut all = Outcome::default();
        for _ in 0..BATCHES_A_RUN {
            let transitions = self.presences.unannounced(partition, STALE, BATCH).await?;
            let is_last = (transitions.len() as u64) < BATCH;
            // The conversations that are told are in other partitions.
            let outcome = each_elsewhere(transitions, |transition| self.announce_one(transition)).await;
            metrics::counter(&metrics::PRESENCE_ANNOUNCED).increment(outcome.done);
            all.failure = all.failure.or(outcome.failure);
            all.done += outcome.done;
            if is_last || outcome.is_outage || outcome.done == 0 {
                break;
            }
        }
        Ok(all)
    }

    async fn announce_one(&self, transition: Transition) -> Result<(), BrokerError> {
        self.presences.announce(&transition).await
    }
}
