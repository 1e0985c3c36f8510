//! Small units of background work and their runner. A unit takes no input, works in bounded steps, can be repeated
//! at any time by any number of workers, and says how much it did.

pub(crate) mod activity;
pub(crate) mod calls;
pub(crate) mod gauges;
pub(crate) mod notify;
pub(crate) mod outbox;
pub(crate) mod presence;
pub(crate) mod settle;
pub(crate) mod watch;

use std::{convert::Infallible, fmt, time::Duration};

use parlance_chassis::lifecycle::CancellationToken;
use tokio::time::MissedTickBehavior;

/// Runs a unit every `period` until `stop`. A failure is logged once, and the unit runs again at its next time.
pub(crate) async fn every<F, E>(
    what: &'static str,
    period: Duration,
    stop: CancellationToken,
    unit: impl Fn() -> F,
) -> Result<(), Infallible>
where
    F: Future<Output = Result<u64, E>>,
    E: fmt::Display,
{
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            _ = ticks.tick() => {}
        }
        let answer = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            answer = unit() => answer,
        };
        match answer {
            Ok(done) if std::mem::take(&mut failing) => tracing::info!(what, done, "works again"),
            Ok(0) => {}
            Ok(done) => tracing::debug!(what, done, "done"),
            Err(error) if !std::mem::replace(&mut failing, true) => {
                tracing::warn!(what, %error, "failed, trying again later");
            }
            Err(error) => tracing::debug!(what, %error, "failed again"),
        }
    }
}
