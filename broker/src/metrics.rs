//! What is measured of the exchange with Redis: each script and command by its name here, whatever its keys are.
//!
//! Not measured are the blocking reads of a consumer and the waiting for replicas: how long these take says nothing of Redis.

use std::time::Instant;

use fred::{error::Error, interfaces::ClientLike};
use metrics::{Counter, Histogram, counter, gauge, histogram};
use parlance_metric::Metric;

use crate::broker::Broker;

/// How long Redis took.
pub const COMMAND_SECONDS: Metric = Metric::seconds(
    "parlance_redis_command_seconds",
    "Time from a command or script to the answer of Redis, failed ones included, by operation",
    &["operation"],
);
/// What Redis did not do.
pub const ERRORS: Metric = Metric::counter(
    "parlance_redis_errors_total",
    "Commands and scripts that failed: no answer in time, no connection, or refused by Redis; by operation",
    &["operation"],
);
/// Whether the connection is there.
pub const CONNECTED: Metric = Metric::gauge(
    "parlance_redis_connected",
    "1 while the connection for commands is there (that for subscriptions is a matter of readiness), else 0",
    &[],
);

/// All of them.
pub const METRICS: &[Metric] = &[COMMAND_SECONDS, ERRORS, CONNECTED];

/// The handles of one operation. The recorder of the process must be installed before it is made.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    seconds: Histogram,
    errors: Counter,
}

impl Recorded {
    pub(crate) fn of(operation: &'static str) -> Self {
        Self {
            seconds: histogram!(COMMAND_SECONDS.name, "operation" => operation),
            errors: counter!(ERRORS.name, "operation" => operation),
        }
    }

    /// Waits for an answer, and notes how long that took and whether it failed. What nobody waits for to the end is not
    /// noted.
    pub(crate) async fn time<T>(&self, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let begun = Instant::now();
        let answer = answer.await;
        self.seconds.record(begun.elapsed());
        if answer.is_err() {
            self.errors.increment(1);
        }
        answer
    }
}

/// The same for a command that is asked for by name each time.
pub(crate) async fn timed<T>(
    operation: &'static str,
    answer: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    Recorded::of(operation).time(answer).await
}

impl Broker {
    /// Sets the gauge that says whether the connection for commands is there.
    pub fn record_connection(&self) {
        gauge!(CONNECTED.name).set(f64::from(u8::from(self.client().is_connected())));
    }
}
