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

    /// Notes an answer: how long it took, and whether there was none.
    pub(crate) fn note<T>(&self, begun: Instant, answer: &Result<T, Error>) {
        self.seconds.record(begun.elapsed());
        // One that succeeded lets the counter show, at zero.
        self.errors.increment(u64::from(answer.is_err()));
    }
}

/// A command that is under way. What nobody waits for to the end is not noted. It does not take the command's future,
/// which is large, and would be twice as large inside another one.
pub(crate) struct Command {
    operation: &'static str,
    begun: Instant,
}

/// Begins a command; `begin("name").end(client.command().await)`.
pub(crate) fn begin(operation: &'static str) -> Command {
    Command { operation, begun: Instant::now() }
}

impl Command {
    /// Notes the answer, and gives it back.
    pub(crate) fn end<T>(self, answer: Result<T, Error>) -> Result<T, Error> {
        Recorded::of(self.operation).note(self.begun, &answer);
        answer
    }
}

impl Broker {
    /// Sets the gauge that says whether the connection for commands is there.
    pub fn record_connection(&self) {
        gauge!(CONNECTED.name).set(f64::from(u8::from(self.client().is_connected())));
    }
}
