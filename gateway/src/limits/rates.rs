//! Rates by key: so many in a second in the long run, and so many at once after a pause.

use std::{fmt, hash::Hash, num::NonZeroU32, time::Duration};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::NoOpMiddleware,
    state::keyed::HashMapStateStore,
};
use parlance_domain::rejection::{Code, Rejection};

/// Below this, nobody is told to wait: a client that came back at once would be too early.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// How often something may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many in `per`, in the long run.
    pub count: NonZeroU32,
    /// Never zero.
    pub per: Duration,
    /// How many at once after a pause.
    pub burst: NonZeroU32,
}

impl Rate {
    /// So many a second.
    pub const fn per_second(count: NonZeroU32, burst: NonZeroU32) -> Self {
        Self { count, per: Duration::from_secs(1), burst }
    }

    /// The time between two, in the long run.
    pub fn interval(self) -> Duration {
        self.per / self.count.get()
    }

    /// The same for the limiter.
    pub fn quota(self) -> Quota {
        // More than one a nanosecond is no limit.
        let quota = Quota::with_period(self.interval().max(Duration::from_nanos(1)));
        quota.unwrap_or(Quota::per_second(NonZeroU32::MAX)).allow_burst(self.burst)
    }
}

/// A rate of each of many keys.
pub struct Rates<K: Clone + Eq + Hash, C: Clock = DefaultClock> {
    limiter: RateLimiter<K, HashMapStateStore<K>, C, NoOpMiddleware<C::Instant>>,
}

impl<K: Clone + Eq + Hash> Rates<K> {
    /// Nothing has happened yet.
    pub fn new(rate: Rate) -> Self {
        Self::with_clock(rate, DefaultClock::default())
    }
}

impl<K: Clone + Eq + Hash, C: Clock> Rates<K, C> {
    fn with_clock(rate: Rate, clock: C) -> Self {
        Self { limiter: RateLimiter::new(rate.quota(), HashMapStateStore::default(), clock) }
    }

    /// Counts one.
    ///
    /// # Errors
    /// It was not counted; the time after which it would be.
    pub fn check(&self, key: &K) -> Result<(), Duration> {
        let checked = self.limiter.check_key(key);
        checked.map_err(|until| until.wait_time_from(self.limiter.clock().now()).max(SHORTEST_WAIT))
    }

    /// Forgets the keys that are as good as new.
    pub fn tidy(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
    }
}

impl<K: Clone + Eq + Hash, C: Clock> fmt::Debug for Rates<K, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rates").field("keys", &self.limiter.len()).finish_non_exhaustive()
    }
}

/// The rejection of what was too fast.
pub fn rate_limited(wait: Duration) -> Rejection {
    Rejection::new(Code::RateLimited).after(wait.max(SHORTEST_WAIT))
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn number(n: u32) -> NonZeroU32 {
        NonZeroU32::new(n).unwrap()
    }

    fn rates(rate: Rate) -> (Rates<&'static str, FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        (Rates::with_clock(rate, clock.clone()), clock)
    }

    #[test]
    fn a_key_has_its_burst_and_then_its_rate_and_others_have_their_own() {
        let (rates, clock) = rates(Rate::per_second(number(10), number(3)));
        for _ in 0..3 {
            assert_eq!(rates.check(&"a"), Ok(()));
        }
        assert_eq!(rates.check(&"a"), Err(Duration::from_millis(100)));
        assert_eq!(rates.check(&"b"), Ok(()));
        clock.advance(Duration::from_millis(99));
        assert_eq!(rates.check(&"a"), Err(Duration::from_millis(1)));
        clock.advance(Duration::from_millis(1));
        assert_eq!(rates.check(&"a"), Ok(()));
        assert!(rates.check(&"a").is_err());
    }

    #[test]
    fn ten_a_minute_are_one_every_six_seconds() {
        let rate = Rate { count: number(10), per: Duration::from_secs(60), burst: number(1) };
        let (rates, clock) = rates(rate);
        assert_eq!(rates.check(&"a"), Ok(()));
        assert_eq!(rates.check(&"a"), Err(Duration::from_secs(6)));
        clock.advance(Duration::from_secs(6));
        assert_eq!(rates.check(&"a"), Ok(()));
    }

    #[test]
    fn only_keys_that_are_not_as_good_as_new_are_remembered() {
        let (rates, clock) = rates(Rate::per_second(number(1), number(2)));
        rates.check(&"old").unwrap();
        clock.advance(Duration::from_secs(10));
        rates.check(&"new").unwrap();
        assert_eq!(rates.limiter.len(), 2);
        rates.tidy();
        assert_eq!(rates.limiter.len(), 1);
        rates.check(&"new").unwrap();
        assert!(rates.check(&"new").is_err(), "what is remembered still counts");
    }
}
