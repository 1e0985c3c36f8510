//! Watches over Redis and Postgres for `/ready`.

use std::{convert::Infallible, time::Duration};

use parlance_broker::Broker;
use parlance_chassis::{
    lifecycle::CancellationToken,
    readiness::{Check, Readiness},
};
use parlance_store::Store;

/// How often they are asked.
const EVERY: Duration = Duration::from_secs(2);

/// What stands against readiness until the other side answers.
pub(crate) struct Checks {
    redis: Check,
    postgres: Check,
}

impl Checks {
    /// Checks that are not ready.
    pub(crate) fn new(readiness: &Readiness) -> Self {
        Self { redis: readiness.check("redis"), postgres: readiness.check("postgres") }
    }
}

/// Asks until `stop`.
pub(crate) async fn watch(
    checks: Checks,
    broker: Broker,
    store: Store,
    stop: CancellationToken,
) -> Result<(), Infallible> {
    loop {
        let (redis, postgres) = tokio::join!(broker.ping(), store.ping());
        match redis {
            Ok(()) => checks.redis.ready(),
            Err(_) => checks.redis.not_ready("does not answer"),
        }
        match postgres {
            Ok(()) => checks.postgres.ready(),
            Err(_) => checks.postgres.not_ready("does not answer"),
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}
