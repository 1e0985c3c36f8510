//! How fast a client's packets are taken in, whatever they are: what comes faster waits in the client's own connection,
//! where it costs nobody else anything. What becomes of an event that is taken in is not decided here.
//!
//! Packets count, as each costs about the same whatever it holds, and so do bytes: [`BYTES_AS_PACKET`] cost as much.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::limits::Rate;

/// So many bytes count as one packet more.
const BYTES_AS_PACKET: u64 = 8 << 10;
/// The least that a transport may bring, however few events its sockets may send: twice the largest packet at once, and
/// whatever an application without a limit of its own queues while it is not connected.
pub(super) const LEAST: Rate = Rate::per_second(FIVE_HUNDRED, FIVE_HUNDRED);
const FIVE_HUNDRED: NonZeroU32 = match NonZeroU32::new(500) {
    Some(number) => number,
    None => NonZeroU32::MIN,
};
/// So much more than the events of a socket: there are other packets, several namespaces, and events that are refused.
const ROOM: NonZeroU32 = match NonZeroU32::new(10) {
    Some(number) => number,
    None => NonZeroU32::MIN,
};

/// How many packets one client's transport may bring, if its sockets may send `events`.
pub fn packets_beside(events: Rate) -> Rate {
    let many = Rate {
        count: events.count.saturating_mul(ROOM),
        per: events.per,
        burst: events.burst.saturating_mul(ROOM),
    };
    let is_faster = many.per / many.count.get() < LEAST.per / LEAST.count.get();
    let Rate { count, per, .. } = if is_faster { many } else { LEAST };
    Rate { count, per, burst: many.burst.max(LEAST.burst) }
}

/// What one client has brought, against a rate. Times are counted from the opening of its session.
#[derive(Debug)]
pub(super) struct Pace {
    /// Nanoseconds that a packet takes in the long run.
    interval: u64,
    /// Nanoseconds that may be spent ahead.
    burst: u64,
    /// Until when, in nanoseconds, what came so far is spent.
    spent: AtomicU64,
}

impl Pace {
    /// Nothing has come yet.
    pub(super) fn new(rate: Rate) -> Self {
        let interval = nanoseconds(rate.per / rate.count.get());
        let burst = interval.saturating_mul(u64::from(rate.burst.get()));
        Self { interval, burst, spent: AtomicU64::new(0) }
    }

    /// Counts what came.
    pub(super) fn count(&self, now: Duration, packets: u64, bytes: u64) {
        let of_bytes = self.interval.saturating_mul(bytes) / BYTES_AS_PACKET;
        let cost = self.interval.saturating_mul(packets).saturating_add(of_bytes);
        let now = nanoseconds(now);
        let spend = |spent: u64| Some(spent.max(now).saturating_add(cost));
        self.spent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend).ok();
    }

    /// How long nothing more is to be taken in; zero when there is room.
    pub(super) fn wait(&self, now: Duration) -> Duration {
        let may_be_spent = nanoseconds(now).saturating_add(self.burst);
        Duration::from_nanos(self.spent.load(Ordering::Relaxed).saturating_sub(may_be_spent))
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(count: u32, burst: u32) -> Rate {
        Rate::per_second(NonZeroU32::new(count).unwrap(), NonZeroU32::new(burst).unwrap())
    }

    #[test]
    fn a_burst_goes_through_and_what_is_beyond_it_waits_its_time() {
        let (pace, begin) = (Pace::new(rate(100, 50)), Duration::from_secs(7));
        pace.count(begin, 50, 0);
        assert_eq!(pace.wait(begin), Duration::ZERO);
        pace.count(begin, 3, 0);
        assert_eq!(pace.wait(begin), Duration::from_millis(30));
        assert_eq!(pace.wait(begin + Duration::from_millis(20)), Duration::from_millis(10));
        assert_eq!(pace.wait(begin + Duration::from_millis(30)), Duration::ZERO);
    }

    #[test]
    fn bytes_count_and_the_largest_packet_goes_through_at_once() {
        let pace = Pace::new(LEAST);
        pace.count(Duration::ZERO, 1, 2 << 20);
        assert_eq!(pace.wait(Duration::ZERO), Duration::ZERO);
        pace.count(Duration::ZERO, 1, 2 << 20);
        assert!(pace.wait(Duration::ZERO) > Duration::ZERO);
    }

    #[test]
    fn there_is_room_beside_the_events_and_never_less_than_the_least() {
        assert_eq!(packets_beside(rate(10, 20)), LEAST);
        assert_eq!(packets_beside(rate(1_000, 20)), rate(10_000, 500));
        assert_eq!(packets_beside(rate(10, 200)), rate(500, 2_000));
        let hourly = Rate { per: Duration::from_secs(3_600), ..rate(1, 1) };
        assert_eq!(packets_beside(hourly), LEAST);
    }
}
