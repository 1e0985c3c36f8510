//! One conversation, as the design says that it is.

use std::collections::BTreeMap;

use parlance_broker::{
    append::{Acl, Append, Appended, Floors},
    heads::State,
};
use parlance_domain::{
    event::EventKind,
    version::{Heads, Version},
};

use crate::world::heads;

/// A conversation as the design says that it is.
#[derive(Debug, Default)]
pub struct Conversation {
    pub state: Option<State>,
    /// Whether the state is of before a restart.
    restarted: bool,
    /// What callers know when Redis does not.
    pub floors: Floors,
    /// The heads after each event, oldest first.
    pub history: Vec<Heads>,
    pub first_acl: Option<Acl>,
    pub last_acl: Acl,
    /// Header and body of every event.
    pub events: Vec<(String, String)>,
    /// How many of them are older than the hot log.
    pub before_log: usize,
    /// The first reply to each idempotency key.
    pub replies: BTreeMap<String, Appended>,
}

impl Conversation {
    /// What an append must answer, but for the time in its header; and whether floors are asked for.
    pub fn append(&mut self, append: &Append) -> (Expected, bool) {
        if let Some(reply) = self.replies.get(&append.once.key) {
            return (Expected::Repeat(reply.clone()), false);
        }
        let asks = self.state.is_none() || self.restarted;
        self.load();
        self.verify();
        let state = self.state.clone().unwrap();
        if append.acl.is_some_and(|acl| acl != state.acl) {
            return (Expected::Exactly(Appended::Reauthorize(state.acl)), asks);
        }
        let creates = append.kind == EventKind::MessageCreated;
        let version = Version::new(state.heads.version.epoch, state.heads.version.rev + 1);
        let seq = state.heads.seq.0 + u64::from(creates);
        let acl = if creates { state.acl } else { Acl(version) };
        self.state = Some(State { heads: heads(version.epoch, version.rev, seq), acl, ..state });
        self.last_acl = acl;
        (Expected::Now { version, seq: if creates { seq } else { 0 } }, asks)
    }

    /// The state; made from the floors when Redis has none.
    pub fn load(&mut self) -> &State {
        let Floors { stored, seen } = self.floors;
        let state = self.state.get_or_insert_with(|| {
            let known = stored.version.epoch.max(seen.version.epoch).max(1);
            let epoch = if seen.version > stored.version { known + 1 } else { known };
            let rev = stored.version.rev.max(seen.version.rev);
            // Only of an epoch that begins here is known where it starts.
            let begins = epoch > known || stored.version.epoch == 0;
            let epoch_starts =
                begins.then_some(Version::new(epoch, stored.version.rev)).into_iter().collect();
            State {
                heads: heads(epoch, rev, stored.seq.0.max(seen.seq.0)),
                epoch_starts,
                acl: Acl(Version::new(epoch, rev)),
            }
        });
        self.last_acl = state.acl;
        self.first_acl.get_or_insert(state.acl);
        state
    }

    /// Raises the numbers when Redis may have gone back in time.
    fn verify(&mut self) {
        if !std::mem::take(&mut self.restarted) {
            return;
        }
        let (state, Floors { stored, seen }) = (self.state.as_mut().unwrap(), self.floors);
        let had = state.heads;
        let epoch = had.version.epoch.max(stored.version.epoch).max(seen.version.epoch) + 1;
        let rev = had.version.rev.max(stored.version.rev).max(seen.version.rev);
        state.heads = heads(epoch, rev, had.seq.max(stored.seq).max(seen.seq).0);
        state.epoch_starts.push(Version::new(epoch, had.version.rev));
        let forgotten = state.epoch_starts.len().saturating_sub(16);
        state.epoch_starts.drain(..forgotten);
        state.acl = Acl(state.heads.version);
        self.last_acl = state.acl;
        self.before_log = self.events.len();
    }

    pub fn lose(&mut self, unstored: usize) {
        if let Some(state) = self.state.take() {
            self.know(unstored, state.heads);
            self.before_log = self.events.len();
            self.restarted = false;
        }
    }

    /// Returns what Redis still has; nothing when the conversation is not there.
    pub fn restart(&mut self, lost: usize, unstored: usize) -> Option<Heads> {
        let newest = self.state.as_ref()?.heads;
        self.know(unstored, newest);
        self.restarted = true;
        // The rest of the hash is of the newest epoch, so what it goes back to is too.
        let older = self.history.len().checked_sub(lost + 1).map(|last| self.history[last]);
        let older = older.filter(|older| lost > 0 && older.version.epoch == newest.version.epoch);
        let has = older.unwrap_or(newest);
        self.state.as_mut()?.heads = has;
        Some(has)
    }

    /// What callers know from now on: all that was given, and in Postgres all but the newest `unstored`.
    fn know(&mut self, unstored: usize, newest: Heads) {
        let seen = if newest.version > self.floors.seen.version { newest } else { self.floors.seen };
        let stored = self.history.len().checked_sub(unstored + 1).map(|last| self.history[last]);
        let stored = if unstored == 0 { seen } else { stored.unwrap_or_default() };
        self.floors = Floors { stored, seen };
    }

    /// What must be true of the numbers whatever the model says.
    pub fn check_numbers(&self) {
        for pair in self.history.windows(2) {
            let (before, after) = (pair[0], pair[1]);
            assert!(after.version > before.version, "newer is greater: {pair:?}");
            assert!(after.seq >= before.seq, "a place is given once: {pair:?}");
            if before.version.epoch == after.version.epoch {
                assert_eq!(after.version.rev, before.version.rev + 1, "no holes: {pair:?}");
                assert!(after.seq.0 - before.seq.0 <= 1, "no holes: {pair:?}");
            }
        }
    }
}

#[derive(Debug)]
pub enum Expected {
    Now { version: Version, seq: u64 },
    Repeat(Appended),
    Exactly(Appended),
}
