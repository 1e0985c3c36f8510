//! The order of one conversation as this gateway hands it on: which event is next, which is a repetition, and
//! what waits while a gap is repaired. Pure: it is told what arrives and says what to deliver.

use parlance_domain::{
    entry::Envelope,
    version::{Heads, Seq, Version},
};

/// How many events wait for a repair, at the most; beyond it they are read again.
const MAX_PARKED: usize = 256;
/// How many bytes of bodies wait for a repair, at the most.
const MAX_PARKED_BYTES: usize = 1024 * 1024;

/// Where a conversation stands.
#[derive(Debug)]
pub struct Order {
    heads: Heads,
    seen: Heads,
    parked: Option<Parked>,
}

/// Durable events that arrived beyond a gap.
#[derive(Debug, Default)]
struct Parked {
    events: Vec<Envelope>,
    bytes: usize,
    /// Some did not fit and were dropped: what follows the others has to be read.
    dropped: bool,
}

/// What to do with an event that arrived.
#[derive(Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "it is looked at and handed on at once; most are the large one"
)]
pub enum Arrival {
    /// It is next: hand it on.
    Next(Envelope),
    /// It was handed on before.
    Repetition,
    /// It waits. `first`: the gap opened with it, and a repair must be started.
    Parked {
        /// Whether no repair is under way yet.
        first: bool,
    },
}

/// What a repair found.
#[derive(Debug, PartialEq)]
pub enum Repair {
    /// The events right after the position, without a hole.
    Events(Vec<Envelope>),
    /// What changed after the position and up to `heads`, in order; holes among it are closed for good.
    State {
        /// The changes.
        events: Vec<Envelope>,
        /// The new position.
        heads: Heads,
    },
    /// The numbering went on in a new epoch, and all that was handed on is still true.
    NewEpoch(u64),
    /// What was handed on may not be true any more: whoever is there must read again from `heads`.
    Resync(Heads),
    /// There is nothing after the position.
    CaughtUp,
}

impl Repair {
    /// A word for the log.
    pub fn kind(&self) -> &'static str {
        match self {
            Repair::Events(_) => "events",
            Repair::State { .. } => "state",
            Repair::NewEpoch(_) => "new epoch",
            Repair::Resync(_) => "resync",
            Repair::CaughtUp => "caught up",
        }
    }
}

/// What follows from a repair.
#[derive(Debug, Default, PartialEq)]
pub struct Repaired {
    /// Events to hand on, in order.
    pub deliver: Vec<Envelope>,
    /// Whether everybody must be told to read again.
    pub resync: bool,
    /// Whether the gap is not closed yet and another repair is needed.
    pub again: bool,
}

impl Order {
    /// An order whose events up to `heads` are known.
    pub fn at(heads: Heads) -> Self {
        Self { heads, seen: heads, parked: None }
    }

    /// The newest numbers that were handed on.
    pub fn heads(&self) -> Heads {
        self.heads
    }

    /// The newest numbers that arrived, handed on or not.
    pub fn seen(&self) -> Heads {
        max(self.seen, self.heads)
    }

    /// Whether a gap is open.
    pub fn is_parked(&self) -> bool {
        self.parked.is_some()
    }

    /// Opens a gap although nothing arrived, because a head is known to be newer. True when none was open; when
    /// one was, what its repair reads now may be too old, so it will read once more.
    pub fn park(&mut self) -> bool {
        if let Some(parked) = &mut self.parked {
            parked.dropped = true;
            return false;
        }
        self.parked = Some(Parked::default());
        true
    }

    /// Takes a durable event that was published, whose publication had `bytes`.
    pub fn arrive(&mut self, event: Envelope, bytes: usize) -> Arrival {
        if event.header.version <= self.heads.version {
            return Arrival::Repetition;
        }
        self.seen = max(self.seen, Heads { version: event.header.version, seq: event.header.seq });
        if self.parked.is_none() && self.is_next(event.header.version) {
            self.advance(&event);
            return Arrival::Next(event);
        }
        let first = self.parked.is_none();
        self.parked.get_or_insert_default().push(event, bytes);
        Arrival::Parked { first }
    }

    /// Takes what a repair found, and what waited behind it.
    pub fn repair(&mut self, repair: Repair) -> Repaired {
        let mut repaired = Repaired::default();
        let mut closed = false;
        match repair {
            Repair::Events(events) => self.follow(events, &mut repaired.deliver),
            Repair::State { events, heads } => {
                let newer = |event: &Envelope| event.header.version > self.heads.version;
                repaired.deliver.extend(events.into_iter().filter(newer));
                self.heads = max(self.heads, heads);
            }
            Repair::NewEpoch(epoch) => self.heads.version.epoch = epoch,
            Repair::Resync(heads) => {
                self.heads = heads;
                repaired.resync = true;
            }
            Repair::CaughtUp => closed = true,
        }
        let parked = self.parked.take().unwrap_or_default();
        let newest = parked.events.iter().map(|event| event.header.version).max().unwrap_or_default();
        self.follow(parked.events, &mut repaired.deliver);
        // The next reading finds whatever did not follow, and says when there is nothing more.
        if !closed || parked.dropped || newest > self.heads.version {
            self.parked = Some(Parked::default());
            repaired.again = true;
        }
        repaired
    }

    /// Hands on those of `events` that follow, and drops the rest.
    fn follow(&mut self, events: Vec<Envelope>, deliver: &mut Vec<Envelope>) {
        for event in events {
            if self.is_next(event.header.version) {
                self.advance(&event);
                deliver.push(event);
            }
        }
    }

    fn is_next(&self, version: Version) -> bool {
        version.epoch == self.heads.version.epoch && version.rev == self.heads.version.rev + 1
    }

    fn advance(&mut self, event: &Envelope) {
        self.heads.version = event.header.version;
        self.heads.seq = self.heads.seq.max(event.header.seq);
    }
}

impl Parked {
    fn push(&mut self, event: Envelope, bytes: usize) {
        self.bytes += bytes;
        if self.events.len() >= MAX_PARKED || self.bytes > MAX_PARKED_BYTES {
            self.events.clear();
            self.bytes = 0;
            self.dropped = true;
            return;
        }
        self.events.push(event);
    }
}

fn max(a: Heads, b: Heads) -> Heads {
    Heads { version: a.version.max(b.version), seq: Seq(a.seq.0.max(b.seq.0)) }
}

#[cfg(test)]
mod tests;
