//! What to do after an attempt to write: go on, divide the batch, park an entry, or try again.

use std::{fmt, time::Duration};

use parlance_chassis::{backoff::Backoff, lifecycle::CancellationToken};
use parlance_store::StoreError;

use super::decode::Fault;
use crate::metrics;

/// What came of an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// It is written.
    Done,
    /// Postgres does not take an entry of it.
    Refused(Fault),
    /// It took too long, more than once.
    TooSlow,
}

/// The process stops and Postgres or Redis is away: what is not acknowledged is left to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GaveUp;

/// Tries again and again, ever more slowly, for as long as the other side is away, and says so once.
pub(crate) struct Patience<'a> {
    what: &'static str,
    until: &'a CancellationToken,
    backoff: Backoff,
    failures: u64,
}

impl<'a> Patience<'a> {
    /// Patience until the process stops.
    pub(crate) fn new(what: &'static str, until: &'a CancellationToken) -> Self {
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        Self { what, until, backoff, failures: 0 }
    }

    /// What came of an attempt to write. After a failure that is nobody's fault it waits a while; `None` is to try
    /// again.
    pub(crate) async fn judge(&mut self, written: Result<(), StoreError>) -> Result<Option<Attempt>, GaveUp> {
        let error = match written {
            Ok(()) => {
                self.succeeded();
                return Ok(Some(Attempt::Done));
            }
            Err(StoreError::Data { sqlstate, message }) => {
                return Ok(Some(Attempt::Refused(Fault { reason: message, sqlstate: Some(sqlstate) })));
            }
            Err(error) => error,
        };
        metrics::counter(&metrics::RETRIES).increment(1);
        self.wait(&error, error.is_retryable()).await?;
        let too_slow = matches!(error, StoreError::TimedOut(_)) && self.failures > 1;
        Ok(too_slow.then_some(Attempt::TooSlow))
    }

    /// Waits before another attempt. An error that does not pass by itself is told more loudly.
    pub(crate) async fn wait(&mut self, error: &impl fmt::Display, passes: bool) -> Result<(), GaveUp> {
        self.failures += 1;
        let (what, failures) = (self.what, self.failures);
        match (failures, passes) {
            (1, true) => tracing::warn!(what, %error, "failed, trying on"),
            (1, false) => tracing::error!(what, %error, "failed, somebody has to look at it; trying on"),
            _ => tracing::debug!(what, %error, failures, "failed again"),
        }
        tokio::select! {
            biased;
            () = self.until.cancelled() => Err(GaveUp),
            () = tokio::time::sleep(self.backoff.next_delay()) => Ok(()),
        }
    }

    /// Says that it works again, if it did not.
    pub(crate) fn succeeded(&self) {
        if self.failures > 0 {
            tracing::info!(what = self.what, failures = self.failures, "succeeded again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away() -> Result<(), StoreError> {
        Err(StoreError::Unavailable(String::from("refused")))
    }

    fn slow() -> Result<(), StoreError> {
        Err(StoreError::TimedOut(String::from("late")))
    }

    #[tokio::test]
    async fn only_the_values_fault_is_a_refusal_and_only_time_divides() {
        let running = CancellationToken::new();
        let mut patience = Patience::new("test", &running);
        assert_eq!(patience.judge(away()).await, Ok(None));
        assert_eq!(patience.judge(slow()).await, Ok(Some(Attempt::TooSlow)));
        let schema = StoreError::Refused { sqlstate: "42P01".into(), message: "no table".into() };
        assert_eq!(patience.judge(Err(schema)).await, Ok(None));
        let data = StoreError::Data { sqlstate: "22021".into(), message: "bad byte".into() };
        let refused = patience.judge(Err(data)).await;
        assert!(matches!(refused, Ok(Some(Attempt::Refused(_)))), "{refused:?}");
        assert_eq!(patience.judge(Ok(())).await, Ok(Some(Attempt::Done)));
    }

    #[tokio::test]
    async fn a_stopping_process_gives_up_at_the_first_failure() {
        let stopped = CancellationToken::new();
        stopped.cancel();
        assert_eq!(Patience::new("test", &stopped).judge(away()).await, Err(GaveUp));
        assert_eq!(Patience::new("test", &stopped).judge(Ok(())).await, Ok(Some(Attempt::Done)));
    }
}
