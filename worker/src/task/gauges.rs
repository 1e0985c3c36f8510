//! Measures what waits: in the streams, among the dead letters, and to be notified of.

use std::{sync::Arc, time::Duration};

use parlance_broker::{Broker, BrokerError, ingest::StreamKind};
use parlance_chassis::clock::Clock;
use parlance_store::{Store, StoreError};

use crate::{dead_letter, metrics};

/// How often.
pub(crate) const EVERY: Duration = Duration::from_secs(5);

/// Measures.
pub(crate) struct Gauges {
    broker: Broker,
    store: Store,
    clock: Clock,
}

/// Why it could not be measured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GaugesError {
    #[error(transparent)]
    Broker(#[from] BrokerError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Gauges {
    pub(crate) fn new(broker: Broker, store: Store, clock: Clock) -> Self {
        Self { broker, store, clock }
    }

    /// Sets the gauges. Says 0: there is nothing to boast of.
    pub(crate) async fn measure(self: Arc<Self>) -> Result<u64, GaugesError> {
        self.broker.record_connection();
        self.store.record_pool();
        for stream in StreamKind::ALL {
            self.measure_stream(stream).await?;
        }
        let parked = dead_letter::count(&self.store).await?;
        metrics::gauge(&metrics::DEAD_LETTERS_PARKED).set(parked as f64);
        let jobs = self.store.waiting_notification_jobs().await?;
        metrics::gauge(&metrics::NOTIFICATION_JOBS).set(jobs as f64);
        Ok(0)
    }

    async fn measure_stream(&self, stream: StreamKind) -> Result<(), BrokerError> {
        let (mut entries, mut bytes, mut pending, mut oldest) = (0, 0, 0, None);
        for partition in self.broker.keys().partitions().all() {
            let status = self.broker.stream_status(partition, stream).await?;
            entries += status.entries;
            bytes += status.bytes;
            pending += status.pending;
            oldest = oldest.into_iter().chain(status.oldest.map(|id| id.ms)).min();
        }
        let now = u64::try_from(self.clock.now_ms()).unwrap_or(0);
        let lag = oldest.map_or(Duration::ZERO, |ms| Duration::from_millis(now.saturating_sub(ms)));
        let name = stream.as_str();
        metrics::gauge_of(&metrics::WAITING, name).set(entries as f64);
        metrics::gauge_of(&metrics::WAITING_BYTES, name).set(bytes as f64);
        metrics::gauge_of(&metrics::PENDING, name).set(pending as f64);
        metrics::gauge_of(&metrics::LAG_SECONDS, name).set(lag.as_secs_f64());
        Ok(())
    }
}
