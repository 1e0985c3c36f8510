//! Joins that go on from a place: what a socket has missed since is read beside the dispatch worker, while the
//! room's events are kept for it; then it gets both, in order, and is a member like the others.

use std::time::Duration;

use parlance_domain::{
    entry::Envelope,
    id::ConversationId,
    version::{Heads, Seq, Version},
};

use super::{Join, Shared, order::Repair, repair};

/// How many events a socket can have missed; beyond it reading the history is the better way.
const MAX_EVENTS: usize = 1_000;
/// How many events of the room are kept for a socket meanwhile.
const MAX_KEPT: usize = 1_000;
/// How long the reading may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// A socket on its way into a room.
pub(super) struct Resuming {
    pub(super) join: Join,
    /// What the reading's result is found by.
    pub(super) ticket: u64,
    /// What was handed on since it was let in.
    kept: Vec<Envelope>,
    /// Not everything can be told any more.
    pub(super) failed: bool,
}

/// What a socket has missed, and up to which version that tells.
#[derive(Debug)]
pub(super) struct Missed {
    events: Vec<Envelope>,
    reached: Version,
}

impl Resuming {
    pub(super) fn new(join: Join, ticket: u64) -> Self {
        Self { join, ticket, kept: Vec::new(), failed: false }
    }

    /// Keeps a durable event of the room.
    pub(super) fn keep(&mut self, envelope: &Envelope) {
        if self.kept.len() >= MAX_KEPT {
            self.failed = true;
            self.kept.clear();
        }
        if !self.failed {
            self.kept.push(envelope.clone());
        }
    }

    /// Everything that the socket has to be told, in order; `None` when that is not known.
    pub(super) fn events(&mut self, missed: Option<Missed>) -> Option<Vec<Envelope>> {
        let Missed { mut events, reached } = missed.filter(|_| !self.failed)?;
        events.extend(self.kept.drain(..).filter(|kept| kept.header.version > reached));
        Some(events)
    }
}

/// Reads what follows `since`, at least up to where the room stands when this begins.
pub(super) async fn read(shared: &Shared, id: &ConversationId, since: Version) -> Option<Missed> {
    tokio::time::timeout(DEADLINE, follow(shared, id, since)).await.ok().flatten()
}

async fn follow(shared: &Shared, id: &ConversationId, since: Version) -> Option<Missed> {
    let mut position = Heads { version: since, seq: Seq(0) };
    let mut events: Vec<Envelope> = Vec::new();
    while events.len() <= MAX_EVENTS {
        match repair::find(shared, id, position).await {
            Repair::CaughtUp => return Some(Missed { events, reached: position.version }),
            Repair::Resync(_) => return None,
            Repair::NewEpoch(epoch) => position.version.epoch = epoch,
            Repair::State { events: found, heads } => {
                events.extend(found.into_iter().filter(|event| event.header.version > position.version));
                position.version = heads.version.max(position.version);
            }
            Repair::Events(found) => {
                position.version = found.last().map_or(position.version, |event| event.header.version);
                events.extend(found);
            }
        }
    }
    None
}
