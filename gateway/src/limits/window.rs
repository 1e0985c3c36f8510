//! Counting in windows of time: cheaper than a rate, and a number that can be looked at without being changed.

use std::time::{Duration, Instant};

/// Counts what happens, from zero in each window. One begins with the first thing that happens after the last.
#[derive(Debug)]
pub struct Window {
    length: Duration,
    began: Option<Instant>,
    count: u32,
}

impl Window {
    /// Nothing has happened yet.
    pub fn new(length: Duration) -> Self {
        Self { length, began: None, count: 0 }
    }

    /// Counts one; how many there are in this window now.
    pub fn note(&mut self, now: Instant) -> u32 {
        if !self.goes_on(now) {
            self.began = Some(now);
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
        self.count
    }

    /// How many there are in this window.
    pub fn count(&self, now: Instant) -> u32 {
        if self.goes_on(now) { self.count } else { 0 }
    }

    fn goes_on(&self, now: Instant) -> bool {
        self.began.is_some_and(|began| now.saturating_duration_since(began) < self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_counts_from_zero() {
        let (mut window, begin) = (Window::new(Duration::from_secs(10)), Instant::now());
        let at = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!(window.count(at(0)), 0);
        assert_eq!([window.note(at(0)), window.note(at(9)), window.count(at(9))], [1, 2, 2]);
        assert_eq!(window.count(at(10)), 0);
        assert_eq!([window.note(at(12)), window.note(at(21)), window.note(at(22))], [1, 2, 1]);
    }
}
