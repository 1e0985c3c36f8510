//! When how many transports are closed: small groups, evenly over the time, none at the same moment as another.

use std::time::Duration;

/// About how long after one group the next is closed.
const STEP: Duration = Duration::from_millis(250);

/// Some transports that are closed together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// How long after the beginning.
    pub(super) at: Duration,
    /// How many.
    pub(super) size: usize,
}

/// Divides so many transports over the time, in order. No group has more than another by more than one, each has at least one,
/// and none is more than a step before or behind its regular moment. `random` gives numbers from 0 to below 1.
pub(super) fn divide(count: usize, spread: Duration, mut random: impl FnMut() -> f64) -> Vec<Group> {
    let steps = usize::try_from(spread.as_millis() / STEP.as_millis()).unwrap_or(usize::MAX).max(1);
    let groups = steps.min(count);
    let share = |groups_before: usize| -> usize {
        // In wide numbers: what is multiplied here may be a million of each.
        usize::try_from(count as u128 * groups_before as u128 / groups as u128).unwrap_or(count)
    };
    (0..groups)
        .map(|index| {
            let regular = spread.mul_f64(index as f64 / groups as f64);
            // Less than half a step late: two neighbours stay apart by half a step or more.
            let jitter = if spread.is_zero() { Duration::ZERO } else { STEP.mul_f64(random() / 2.0) };
            Group { at: regular + jitter, size: share(index + 1) - share(index) }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng, rngs::StdRng};

    use super::*;

    #[test]
    fn every_transport_is_in_a_group_and_groups_are_as_small_as_the_time_allows() {
        let mut random = StdRng::seed_from_u64(7);
        for spread in [250, 600, 1_000, 10_000, 61_000].map(Duration::from_millis) {
            let steps = (spread.as_millis() / STEP.as_millis()) as usize;
            for count in [1, 2, 3, 39, 40, 41, 1_000, 25_001] {
                let groups = divide(count, spread, || random.random());
                assert_eq!(groups.iter().map(|group| group.size).sum::<usize>(), count);
                assert_eq!(groups.len(), steps.min(count));
                let most = count.div_ceil(groups.len());
                assert!(groups.iter().all(|group| (1..=most).contains(&group.size)), "{groups:?}");
                assert!(groups.iter().all(|group| group.at <= spread), "{groups:?}");
                assert!(groups.windows(2).all(|two| two[1].at - two[0].at >= STEP / 2), "{groups:?}");
            }
        }
    }

    #[test]
    fn moments_differ_from_one_drain_to_the_next() {
        let moments = |seed| {
            let mut random = StdRng::seed_from_u64(seed);
            divide(100, Duration::from_secs(10), || random.random())
        };
        assert_ne!(moments(1), moments(2));
    }

    #[test]
    fn without_a_spread_all_are_closed_at_once_and_nothing_is_closed_of_none() {
        let all = divide(5_000, Duration::ZERO, || 0.9);
        assert_eq!(all, [Group { at: Duration::ZERO, size: 5_000 }]);
        assert!(divide(0, Duration::from_secs(10), || 0.9).is_empty());
    }
}
