//! Whether Redis is too full to take more. Nothing that waits there to be persisted may be evicted, so new events
//! are refused before the memory ends.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parlance_broker::Broker;
use parlance_chassis::lifecycle::CancellationToken;

/// How often Redis is asked.
const EVERY: Duration = Duration::from_secs(1);
/// From this share of `maxmemory` on, Redis is too full.
const FULL: f64 = 0.8;

/// A handle on the last answer; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Pressure(Arc<AtomicBool>);

impl Pressure {
    /// Whether Redis was too full when it was last asked.
    pub fn is_high(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Asks until `hard`.
    pub async fn watch(self, broker: Broker, hard: CancellationToken) -> Result<(), Infallible> {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = hard.cancelled() => return Ok(()),
                _ = ticks.tick() => {}
            }
            // While Redis is away nothing is appended anyway.
            if let Ok(used) = broker.memory_used().await {
                let high = used.is_some_and(|share| share >= FULL);
                if self.0.swap(high, Ordering::Relaxed) != high {
                    tracing::warn!(high, used, "the memory of redis");
                }
            }
        }
    }
}
