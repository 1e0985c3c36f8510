//! Which entries this process holds in memory, so that it can say so to the others, and does not take the same
//! entry twice.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use parlance_broker::{
    ingest::{EntryId, StreamKind},
    partition::Partition,
};

type Key = (Partition, StreamKind, EntryId);

/// The entries that are held. Its size is bounded by the intake.
#[derive(Debug, Clone, Default)]
pub(crate) struct Held(Arc<Mutex<BTreeSet<Key>>>);

/// One entry that is held, until this is dropped.
#[derive(Debug)]
pub(crate) struct Hold {
    held: Held,
    key: Key,
}

impl Held {
    /// Takes hold of an entry; `None` when it is held already.
    pub(crate) fn take(&self, partition: Partition, stream: StreamKind, id: EntryId) -> Option<Hold> {
        let key = (partition, stream, id);
        self.lock().insert(key).then(|| Hold { held: self.clone(), key })
    }

    /// The entries of one stream that are held.
    pub(crate) fn of(&self, partition: Partition, stream: StreamKind) -> Vec<EntryId> {
        let last = EntryId { ms: u64::MAX, n: u64::MAX };
        let range = (partition, stream, EntryId::default())..=(partition, stream, last);
        self.lock().range(range).map(|(_, _, id)| *id).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<Key>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.held.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_held_once_and_until_it_is_dropped() {
        let held = Held::default();
        let id = EntryId { ms: 5, n: 1 };
        let hold = held.take(Partition(1), StreamKind::Ingest, id).unwrap();
        assert!(held.take(Partition(1), StreamKind::Ingest, id).is_none());
        let other = held.take(Partition(1), StreamKind::Receipts, id).unwrap();
        assert_eq!(held.of(Partition(1), StreamKind::Ingest), [id]);
        assert_eq!(held.of(Partition(0), StreamKind::Ingest), []);
        drop(hold);
        assert_eq!(held.of(Partition(1), StreamKind::Ingest), []);
        drop(other);
    }
}
