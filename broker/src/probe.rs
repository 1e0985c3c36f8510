//! Probes: small publications that show whether a partition's subscription is alive.

use fred::interfaces::PubsubInterface;

use crate::{broker::Broker, error::BrokerError, metrics::begin, partition::Partition};

impl Broker {
    /// Publishes `mark` on the partition's probe channel, by the path that events take.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn probe(&self, partition: Partition, mark: &str) -> Result<(), BrokerError> {
        let _: i64 = begin("probe").end(self.client().spublish(self.keys().probe(partition), mark).await)?;
        Ok(())
    }
}
