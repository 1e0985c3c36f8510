//! Wall-clock time as a dependency. The only place that reads the system's clock.
//!
//! Deadlines and intervals are not its business: those are monotonic and belong to `tokio::time`.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A cheap handle that tells the time in milliseconds since the Unix epoch.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The clock of the system.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still at `ms`.
    pub fn fixed(ms: i64) -> Self {
        ManualClock::new(ms).clock()
    }

    /// Milliseconds since the Unix epoch; negative before it.
    pub fn now_ms(&self) -> i64 {
        match &self.0 {
            Source::System => system_ms(),
            Source::Manual(ms) => ms.load(Ordering::Acquire),
        }
    }
}

/// The owner's side of a clock that moves only when it is told to; for tests.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// A clock that shows `ms` until it is moved.
    pub fn new(ms: i64) -> Self {
        Self(Arc::new(AtomicI64::new(ms)))
    }

    /// The handle to give to what is tested. All handles show the same time.
    pub fn clock(&self) -> Clock {
        Clock(Source::Manual(Arc::clone(&self.0)))
    }

    /// Moves the clock forward by the whole milliseconds of `by`.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(whole_ms(by), Ordering::AcqRel);
    }

    /// Sets the clock, also backwards.
    pub fn set(&self, ms: i64) {
        self.0.store(ms, Ordering::Release);
    }
}

fn system_ms() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else takes time from")]
    let now = SystemTime::now();
    match now.duration_since(UNIX_EPOCH) {
        Ok(since) => whole_ms(since),
        Err(before) => -whole_ms(before.duration()),
    }
}

fn whole_ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_clock_shows_unix_milliseconds() {
        let year_2020 = 1_577_836_800_000;
        let year_2200 = 7_258_118_400_000;
        let now = Clock::system().now_ms();
        assert!((year_2020..year_2200).contains(&now), "{now}");
    }

    #[test]
    fn every_handle_of_a_manual_clock_moves_with_it() {
        let manual = ManualClock::new(1_000);
        let (one, two) = (manual.clock(), manual.clock());
        manual.advance(Duration::from_millis(250));
        assert_eq!((one.now_ms(), two.now_ms()), (1_250, 1_250));
        manual.set(5);
        assert_eq!((one.now_ms(), two.now_ms()), (5, 5));
    }

    #[test]
    fn fixed_clock_stands_still() {
        let clock = Clock::fixed(42);
        assert_eq!([clock.now_ms(), clock.now_ms()], [42, 42]);
    }
}
