//! How long to wait before trying again: exponential, bounded, with full jitter.
//!
//! It decides delays only; sleeping, giving up and telling which errors deserve another try is the caller's.

use std::time::Duration;

/// A growing sequence of delays. Each is drawn evenly from zero to a ceiling that doubles with every attempt
/// up to a bound, so that many processes that failed together do not come back together.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    ceiling: Duration,
}

impl Backoff {
    /// A sequence whose ceiling starts at `first` and never exceeds `most`.
    pub fn new(first: Duration, most: Duration) -> Self {
        let first = first.min(most);
        Self { first, most, ceiling: first }
    }

    /// The delay before the next attempt.
    pub fn next_delay(&mut self) -> Duration {
        let delay = rand::random_range(Duration::ZERO..=self.ceiling);
        self.ceiling = self.ceiling.saturating_mul(2).min(self.most);
        delay
    }

    /// Starts over: call it after a success.
    pub fn reset(&mut self) {
        self.ceiling = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_millis(100);
    const MOST: Duration = Duration::from_secs(1);

    #[test]
    fn ceilings_double_up_to_the_bound() {
        let mut backoff = Backoff::new(FIRST, MOST);
        let mut ceilings = Vec::new();
        for _ in 0..6 {
            ceilings.push(backoff.ceiling.as_millis());
            backoff.next_delay();
        }
        assert_eq!(ceilings, [100, 200, 400, 800, 1_000, 1_000]);
    }

    #[test]
    fn no_delay_exceeds_its_ceiling() {
        for _ in 0..200 {
            let mut backoff = Backoff::new(FIRST, MOST);
            assert!(backoff.next_delay() <= FIRST);
            assert!(backoff.next_delay() <= FIRST * 2);
            assert!((0..20).all(|_| backoff.next_delay() <= MOST));
        }
    }

    #[test]
    fn delays_are_spread_rather_than_equal() {
        let draw = || Backoff::new(MOST, MOST).next_delay();
        let first = draw();
        assert!((0..100).any(|_| draw() != first));
    }

    #[test]
    fn reset_starts_over() {
        let mut backoff = Backoff::new(FIRST, MOST);
        (0..10).for_each(|_| {
            backoff.next_delay();
        });
        backoff.reset();
        assert_eq!(backoff.ceiling, FIRST);
    }

    #[test]
    fn a_first_ceiling_beyond_the_bound_is_the_bound() {
        assert_eq!(Backoff::new(MOST, FIRST).ceiling, FIRST);
    }
}
