//! A user's sockets on this gateway, and where the subscription to his channel stands.

use std::{collections::HashMap, time::Duration};

use parlance_chassis::backoff::Backoff;
use parlance_domain::time::Timestamp;

use super::Greet;
use crate::fanout::Member;

/// Where the subscription stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// `SSUBSCRIBE` is under way, or will be tried again in a moment.
    Subscribing {
        /// The connection broke meanwhile: the confirmation may be of before.
        broken: bool,
    },
    /// Whatever is published arrives.
    Live,
    /// `SUNSUBSCRIBE` is under way; a socket that connects waits for its end and is subscribed anew.
    Unsubscribing,
}

impl Phase {
    /// The phase of a subscription that has just been asked for.
    pub(super) const SUBSCRIBING: Self = Phase::Subscribing { broken: false };
}

/// A user's sockets on this gateway.
pub(super) struct Devices {
    pub(super) phase: Phase,
    /// How long to wait before the next try.
    pub(super) backoff: Backoff,
    /// Rises whenever a socket comes or the last one goes; a timer of before then means nothing.
    pub(super) generation: u64,
    /// Before which moment the user's tokens are revoked, as far as it is known; complete while the phase is live.
    revoked: Timestamp,
    ready: HashMap<u64, Member>,
    waiting: Vec<(Member, Greet)>,
}

impl Devices {
    /// The sockets of a user whose subscription has just been asked for.
    pub(super) fn subscribing() -> Self {
        Self {
            phase: Phase::SUBSCRIBING,
            // A socket that connects meanwhile waits for the next try's end, so that must not be far.
            backoff: Backoff::new(Duration::from_millis(50), Duration::from_millis(500)),
            generation: 0,
            revoked: Timestamp(i64::MIN),
            ready: HashMap::new(),
            waiting: Vec::new(),
        }
    }

    /// Whether there is no socket.
    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.waiting.is_empty()
    }

    /// A socket that wants to be greeted.
    pub(super) fn add(&mut self, member: Member, greet: Greet) {
        self.generation += 1;
        self.waiting.push((member, greet));
    }

    /// Greets those who wait; from now on they get events.
    pub(super) fn admit(&mut self) {
        for (member, greet) in self.waiting.drain(..) {
            greet();
            self.ready.insert(member.socket.key, member);
        }
    }

    /// Tokens of before this moment are revoked.
    pub(super) fn revoke(&mut self, before: Timestamp) {
        self.revoked = self.revoked.max(before);
    }

    /// The sockets that live by a revoked token.
    pub(super) fn revoked(&self) -> impl Iterator<Item = &Member> {
        self.all().filter(|member| member.socket.is_revoked_by(self.revoked))
    }

    /// Forgets a socket.
    pub(super) fn remove(&mut self, socket: u64) {
        self.ready.remove(&socket);
        self.waiting.retain(|(member, _)| member.socket.key != socket);
    }

    /// Those that get events.
    pub(super) fn ready(&self) -> impl Iterator<Item = &Member> {
        self.ready.values()
    }

    /// Those, and those that wait to be greeted.
    pub(super) fn all(&self) -> impl Iterator<Item = &Member> {
        self.ready.values().chain(self.waiting.iter().map(|(member, _)| member))
    }
}
