//! Lets the keys of conversations expire of which everything is in Postgres.

use std::{sync::Arc, time::Duration};

use parlance_broker::{Broker, BrokerError, ingest::Settler};

/// How often.
pub(crate) const EVERY: Duration = Duration::from_secs(1);

/// How many conversations of one partition at a time.
const CONVERSATIONS_A_PARTITION: u64 = 5_000;

/// Settles conversations.
pub(crate) struct Settling {
    broker: Broker,
    settler: Settler,
}

impl Settling {
    pub(crate) fn new(broker: Broker) -> Self {
        Self { settler: Settler::new(broker.clone()), broker }
    }

    /// Settles what can be settled, and says how many conversations that were.
    pub(crate) async fn settle(self: Arc<Self>) -> Result<u64, BrokerError> {
        let mut settled = 0;
        for partition in self.broker.keys().partitions().all() {
            settled += self.settler.settle(partition, CONVERSATIONS_A_PARTITION).await?;
        }
        Ok(settled)
    }
}
