//! What is measured of the exchange with Postgres: each unit of work by its name here, and the pool.

use std::time::Duration;

use metrics::{counter, gauge, histogram};
use parlance_metric::Metric;

use crate::store::Store;

/// How long Postgres took.
pub const QUERY_SECONDS: Metric = Metric::seconds(
    "parlance_postgres_query_seconds",
    "Time that a unit of work (a query, or a transaction with what is done in it) took with its connection, by operation",
    &["operation"],
);
/// What Postgres did not do.
pub const ERRORS: Metric = Metric::counter(
    "parlance_postgres_errors_total",
    "Units of work that failed: no connection, no answer in time, or refused by Postgres; by operation",
    &["operation"],
);
/// How long a connection was waited for.
pub const WAIT_SECONDS: Metric = Metric::seconds(
    "parlance_postgres_pool_wait_seconds",
    "Time until a unit of work had a connection of the pool, or none within the deadline",
    &[],
);
/// The connections there are.
pub const CONNECTIONS: Metric = Metric::gauge(
    "parlance_postgres_pool_connections",
    "Connections of the pool, by state (idle, in_use)",
    &["state"],
);
/// The connections there may be.
pub const MAX_CONNECTIONS: Metric = Metric::gauge(
    "parlance_postgres_pool_max_connections",
    "The most connections that the pool may have",
    &[],
);

/// All of them.
pub const METRICS: &[Metric] = &[QUERY_SECONDS, ERRORS, WAIT_SECONDS, CONNECTIONS, MAX_CONNECTIONS];

/// Notes how long somebody waited for a connection.
pub(crate) fn waited(time: Duration) {
    histogram!(WAIT_SECONDS.name).record(time);
}

/// Notes a unit of work that had a connection.
pub(crate) fn worked(operation: &'static str, time: Duration, succeeded: bool) {
    histogram!(QUERY_SECONDS.name, "operation" => operation).record(time);
    // One that succeeded lets the counter show, at zero.
    counter!(ERRORS.name, "operation" => operation).increment(u64::from(!succeeded));
}

/// Notes a unit of work that had none.
pub(crate) fn had_no_connection(operation: &'static str) {
    counter!(ERRORS.name, "operation" => operation).increment(1);
}

impl Store {
    /// Sets the gauges of the pool.
    pub fn record_pool(&self) {
        let pool = self.pool();
        let (all, idle) = (pool.size(), u32::try_from(pool.num_idle()).unwrap_or(u32::MAX));
        gauge!(CONNECTIONS.name, "state" => "idle").set(f64::from(idle));
        gauge!(CONNECTIONS.name, "state" => "in_use").set(f64::from(all.saturating_sub(idle)));
        gauge!(MAX_CONNECTIONS.name).set(f64::from(pool.options().get_max_connections()));
    }
}
