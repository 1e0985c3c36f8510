//! Which messages cursors get past: what commands and deliveries named is known, the hot log has the newest, and Postgres
//! the others. It is bounded: of each cursor the newest ones.

use std::collections::{BTreeMap, BTreeSet};

use parlance_broker::receipts::told::Position;
use parlance_domain::{
    id::ConversationId,
    receipt::{Covered, Cursor},
    version::Seq,
};

use super::round::Round;

/// How many messages are told of a cursor, its newest.
const PER_CURSOR: u64 = 100;
/// How many are told of all cursors of a conversation at once.
const MAX_PASSED: usize = 1_000;

/// Messages that are known already.
#[derive(Debug, Default)]
pub(super) struct Known(BTreeMap<Seq, Covered>);

impl Known {
    /// Keeps a message, if there is room; the others are found in the log.
    pub(super) fn note(&mut self, message: Covered) {
        if self.0.len() < MAX_PASSED {
            self.0.insert(message.seq, message);
        }
    }
}

/// The places that cursors get past, the newest of each and not too many.
fn places(cursors: &[(Cursor, Position)]) -> BTreeSet<Seq> {
    let mut places = BTreeSet::new();
    for (cursor, from) in cursors {
        for (to, from) in [(cursor.delivered, from.delivered), (cursor.read, from.read)] {
            let oldest = from.0.max(to.0.saturating_sub(PER_CURSOR));
            for place in (oldest.saturating_add(1)..=to.0).rev() {
                if places.len() >= MAX_PASSED {
                    return places;
                }
                places.insert(Seq(place));
            }
        }
    }
    places
}

/// The messages that these cursors get past, in their order, as far as they are found.
pub(super) async fn find(
    round: &Round<'_>,
    conversation: &ConversationId,
    cursors: &[(Cursor, Position)],
    known: &Known,
) -> Vec<Covered> {
    let mut missing = places(cursors);
    let mut found: BTreeMap<Seq, Covered> = BTreeMap::new();
    let mut take = |missing: &mut BTreeSet<Seq>, message: Covered| {
        if missing.remove(&message.seq) {
            found.insert(message.seq, message);
        }
    };
    for message in known.0.values() {
        take(&mut missing, message.clone());
    }
    if let Some(oldest) = missing.first().copied() {
        for message in round.logged(conversation, Seq(oldest.0.saturating_sub(1))).await {
            take(&mut missing, message);
        }
    }
    if !missing.is_empty() {
        let places: Vec<Seq> = missing.iter().copied().collect();
        for message in round.stored(conversation, &places).await {
            take(&mut missing, message);
        }
    }
    found.into_values().collect()
}

#[cfg(test)]
mod tests {
    use parlance_domain::id::UserId;

    use super::*;

    fn moved(from: (u64, u64), to: (u64, u64)) -> (Cursor, Position) {
        let cursor =
            Cursor { delivered: Seq(to.0), read: Seq(to.1), ..Cursor::start(UserId::new("u").unwrap()) };
        (cursor, Position { delivered: Seq(from.0), read: Seq(from.1) })
    }

    fn span(cursors: &[(Cursor, Position)]) -> (u64, u64, usize) {
        let places = places(cursors);
        let end = |seq: Option<&Seq>| seq.map_or(0, |seq| seq.0);
        (end(places.first()), end(places.last()), places.len())
    }

    #[test]
    fn a_cursor_gets_past_what_is_between_and_of_much_past_the_newest() {
        assert_eq!(span(&[moved((3, 3), (7, 5))]), (4, 7, 4));
        assert_eq!(span(&[moved((3, 3), (7, 7)), moved((0, 0), (2, 0))]), (1, 7, 6));
        assert_eq!(span(&[moved((7, 7), (3, 3))]), (0, 0, 0));
        assert_eq!(span(&[moved((0, 0), (1_000_000, 0))]), (999_901, 1_000_000, 100));
        let many: Vec<_> = (1..=50).map(|n| moved((0, 0), (n * 1_000, 0))).collect();
        assert_eq!(span(&many).2, MAX_PASSED);
        assert_eq!(span(&[moved((0, 0), (u64::MAX, 0))]).2, 100);
    }
}
