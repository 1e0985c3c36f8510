//! Joins that go on from a place: what a socket has missed is read beside the dispatch worker, while the
//! room's events are kept for it; then it gets both, in order, and is a member like the others.

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use parlance_domain::{
    entry::Envelope,
    event::Event,
    id::ConversationId,
    version::{Heads, Seq, Version},
};
use serde::Serialize;

use super::{Join, JoinRefusal, Joined, Shared, order::Repair, repair};

/// How many events of a conversation a socket can have missed; beyond it reading the history is the better way.
const MAX_EVENTS: usize = 1_000;
/// How many events of the room are kept for a socket meanwhile.
const MAX_KEPT: usize = 1_000;
/// What an event counts for at least, in bytes, however short it is.
const LEAST_BYTES: usize = 1024;
/// How long the reading may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// Where a socket goes on.
#[derive(Debug, Clone)]
pub struct Place {
    /// The last event that it has already.
    pub version: Version,
    /// What it may be handed of what it missed.
    pub allowance: Arc<Allowance>,
}

/// How much one command may be handed of what was missed, in all its conversations. A socket that is handed more at
/// once than its connection takes would be ended as a slow reader, and come back for the same.
#[derive(Debug)]
pub struct Allowance(AtomicUsize);

impl Allowance {
    /// So many bytes.
    pub fn new(bytes: usize) -> Self {
        Self(AtomicUsize::new(bytes))
    }

    fn take(&self, envelope: &Envelope) -> bool {
        let bytes = size(&envelope.event).max(LEAST_BYTES);
        let less = |left: usize| left.checked_sub(bytes);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

/// Bytes of what can be long in an event.
fn size(event: &Event) -> usize {
    fn json(value: &impl Serialize) -> usize {
        serde_json::to_vec(value).map_or(usize::MAX, |json| json.len())
    }
    match event {
        Event::MessageCreated(message) | Event::MessageEdited(message) | Event::MessageDeleted(message) => {
            json(&message.body)
        }
        Event::ConversationCreated(conversation) | Event::ConversationUpdated(conversation) => {
            json(conversation)
        }
        Event::ReactionUpdated(update) => json(update),
        _ => 0,
    }
}

/// A socket on its way into a room.
pub(super) struct Resuming {
    pub(super) join: Join,
    /// What the reading's result is found by.
    pub(super) ticket: u64,
    /// Further joins of the same socket, which share what becomes of this one.
    others: Vec<Join>,
    /// What was handed on since it was let in.
    kept: Vec<Envelope>,
    /// Not everything can be told any more.
    failed: bool,
    /// The reading's result, when that is there before the room has got so far itself.
    missed: Option<Missed>,
}

/// What a socket has missed, and up to which version that tells.
#[derive(Debug)]
pub(super) struct Missed {
    events: Vec<Envelope>,
    reached: Version,
}

/// What has to be read.
#[derive(Debug)]
pub(super) struct Reading {
    /// What the result is found by.
    pub(super) ticket: u64,
    /// After which event.
    pub(super) place: Place,
    /// Where the room stands: from there on its events are kept.
    pub(super) room: Version,
}

impl Resuming {
    pub(super) fn new(join: Join, ticket: u64) -> Self {
        Self { join, ticket, others: Vec::new(), kept: Vec::new(), failed: false, missed: None }
    }

    pub(super) fn is_of(&self, socket: u64) -> bool {
        self.join.member.socket.key == socket
    }

    /// The same socket wants to join once more.
    pub(super) fn share(&mut self, join: Join) {
        self.others.push(join);
    }

    /// Keeps a durable event of the room.
    pub(super) fn keep(&mut self, envelope: &Envelope) {
        let allowed = |place: &Place| place.allowance.take(envelope);
        if self.failed || self.kept.len() >= MAX_KEPT || !self.join.since.as_ref().is_some_and(allowed) {
            self.fail();
        } else {
            self.kept.push(envelope.clone());
        }
    }

    /// What it is to be told is not known any more.
    pub(super) fn fail(&mut self) {
        self.failed = true;
        self.kept = Vec::new();
        self.missed = None;
    }

    /// Takes the reading's result. Answers up to where that tells when the room, which stands at `heads`, is not there
    /// yet: what the socket would be told now it would be told by the room once more.
    pub(super) fn take(&mut self, missed: Option<Missed>, heads: Version) -> Option<Version> {
        if missed.is_none() {
            self.fail();
        }
        self.missed = missed.filter(|_| !self.failed);
        self.missed.as_ref().map(|missed| missed.reached).filter(|reached| *reached > heads)
    }

    /// Whether the reading has ended and told something.
    pub(super) fn has_read(&self) -> bool {
        self.missed.is_some()
    }

    /// Everything that the socket has to be told, in order, before it goes on with a room that stands at `heads`;
    /// `None` when that is not known.
    pub(super) fn events(&mut self, heads: Version) -> Option<Vec<Envelope>> {
        let Missed { mut events, reached } = self.missed.take().filter(|missed| missed.reached <= heads)?;
        events.extend(mem::take(&mut self.kept).into_iter().filter(|kept| kept.header.version > reached));
        Some(events)
    }

    /// Answers it, and those that share what became of it: they have everything only if they did not miss more.
    pub(super) fn confirm(self, heads: Heads, recovered: bool) {
        let told_from = self.join.since.map(|place| place.version);
        (self.join.confirm)(Ok(Joined { heads, recovered, members: None }));
        for other in self.others {
            let since = other.since.map(|place| place.version);
            let recovered = recovered && since.is_some() && since >= told_from;
            (other.confirm)(Ok(Joined { heads, recovered, members: None }));
        }
    }

    /// Answers all of them that it cannot be.
    pub(super) fn refuse(self, refusal: impl Fn() -> JoinRefusal) {
        (self.join.confirm)(Err(refusal()));
        self.others.into_iter().for_each(|other| (other.confirm)(Err(refusal())));
    }
}

/// Reads what follows the place, at least up to where the room stands when this begins; `None` when that is not known,
/// or too much.
pub(super) async fn read(shared: &Shared, id: &ConversationId, reading: &Reading) -> Option<Missed> {
    tokio::time::timeout(DEADLINE, follow(shared, id, reading)).await.ok().flatten()
}

async fn follow(shared: &Shared, id: &ConversationId, reading: &Reading) -> Option<Missed> {
    let Reading { place, room, .. } = reading;
    if place.version > *room {
        // The room may be late. If Redis does not know of it either, the socket was told by one that has gone back.
        let newest = shared.broker.state(id).await.ok()??.heads.version;
        if newest < place.version {
            return None;
        }
    }
    let mut position = Heads { version: place.version, seq: Seq(0) };
    let mut events: Vec<Envelope> = Vec::new();
    loop {
        let found = match repair::find(shared, id, position).await {
            // A Redis that has gone back does not know what the room has been told.
            Repair::CaughtUp if position.version < *room => return None,
            Repair::CaughtUp => return Some(Missed { events, reached: position.version }),
            Repair::Resync(_) => return None,
            Repair::NewEpoch(epoch) => {
                position.version.epoch = epoch;
                continue;
            }
            Repair::State { events: mut found, heads } => {
                found.retain(|event| event.header.version > position.version);
                position.version = heads.version.max(position.version);
                found
            }
            Repair::Events(found) => {
                position.version = found.last().map_or(position.version, |event| event.header.version);
                found
            }
        };
        let fits = events.len() + found.len() <= MAX_EVENTS;
        if !fits || !found.iter().all(|event| place.allowance.take(event)) {
            return None;
        }
        events.extend(found);
    }
}
