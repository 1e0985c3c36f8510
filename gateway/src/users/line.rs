//! How many presences for everybody wait for one worker. Each of them is for all its sockets, so few may: a client that
//! comes and goes all the time must not push out what is for single users.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use crate::limits::Limit;

/// How many may wait for one worker. Who misses one reads the list of members, or hears of the next change.
const MOST: usize = 64;

/// Those that wait for one worker.
#[derive(Default)]
pub(super) struct Line {
    waiting: Arc<AtomicUsize>,
    /// Some were dropped since none waited; that was said.
    is_behind: AtomicBool,
}

/// A place in it, as long as it is kept.
pub(super) struct Place(Arc<AtomicUsize>);

impl Line {
    /// Takes a place. `None` when there is none, which is counted; the log tells the first time.
    pub(super) fn enter(&self) -> Option<Place> {
        let enter = |waiting| (waiting < MOST).then_some(waiting + 1);
        let before = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, enter);
        match before {
            Ok(before) => {
                if before == 0 {
                    self.is_behind.store(false, Ordering::Relaxed);
                }
                Some(Place(Arc::clone(&self.waiting)))
            }
            Err(_) => {
                Limit::Presences.count();
                if !self.is_behind.swap(true, Ordering::Relaxed) {
                    tracing::warn!("presences for everybody are dropped: too many wait to be handed on");
                }
                None
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_wait_and_the_outage_is_told_of_once() {
        let line = Line::default();
        let mut places: Vec<Place> = std::iter::from_fn(|| line.enter()).collect();
        assert_eq!(places.len(), MOST);
        assert!(line.is_behind.load(Ordering::Relaxed));
        // One was taken, and the next one is in its place: it is the same outage.
        places.pop();
        places.extend(line.enter());
        assert_eq!((places.len(), line.enter().is_some()), (MOST, false));
        assert!(line.is_behind.load(Ordering::Relaxed));
        // All were taken.
        places.clear();
        assert!(line.enter().is_some());
        assert!(!line.is_behind.load(Ordering::Relaxed));
    }
}
