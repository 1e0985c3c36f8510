//! The sockets of this gateway as Redis should know them, and what it has been told of that. Waits for nothing.
//!
//! A socket stays in the book until Redis knows that it has gone, or until nothing there can still count for it; so the
//! book is as large as the number of sockets.

use std::collections::{BTreeMap, HashMap};

use parlance_broker::presence::ConnectedSession;
use parlance_domain::id::{SessionId, UserId};
use tokio::sync::oneshot;

/// Something that Redis has to be told of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A socket is connected.
    Connect(ConnectedSession),
    /// A socket has gone.
    Disconnect(SessionId),
}

/// What Redis has to be told of one user, in this order. To be given back with [`Book::finish`].
#[derive(Debug)]
pub(super) struct Work {
    pub(super) user: UserId,
    pub(super) steps: Vec<Step>,
    /// What is told counts only under the lease of its beginning.
    round: u64,
}

/// How many are connected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Users.
    pub users: u64,
    /// Sockets, by dialect.
    pub dialects: BTreeMap<String, u64>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Book {
    users: HashMap<UserId, Sockets>,
    /// Those of whom Redis has to be told something, by their tickets.
    untold: BTreeMap<u64, UserId>,
    tickets: u64,
    counts: Counts,
    /// Rises with every lease.
    round: u64,
}

/// One user's.
#[derive(Debug, Default)]
struct Sockets {
    entries: Vec<Entry>,
    phase: Phase,
    /// Who wants to know when Redis has been told everything.
    waiting: Vec<oneshot::Sender<()>>,
}

#[derive(Debug)]
struct Entry {
    session: ConnectedSession,
    is_connected: bool,
    /// Redis may know of it under the current lease.
    may_be_known: bool,
    /// Redis knows whether it is connected.
    is_told: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    /// Redis knows everything.
    #[default]
    Quiet,
    /// Among the untold, with this ticket.
    Untold(u64),
    /// Redis is being told.
    Telling,
}

impl Book {
    /// A socket is connected, which may be noted twice.
    pub(super) fn connected(&mut self, user: &UserId, session: ConnectedSession) {
        let sockets = self.users.entry(user.clone()).or_default();
        if sockets.entry(&session.id).is_some() {
            return;
        }
        if !sockets.has_connected() {
            self.counts.users += 1;
        }
        *self.counts.dialects.entry(session.dialect.clone()).or_default() += 1;
        sockets.entries.push(Entry { session, is_connected: true, may_be_known: false, is_told: false });
        self.queue(user);
    }

    /// A socket has gone; Redis is to know.
    pub(super) fn disconnected(&mut self, user: &UserId, session: &SessionId) {
        let Some(entry) = self.end(user, session) else {
            return;
        };
        entry.is_told = false;
        if entry.may_be_known {
            self.queue(user);
        } else {
            self.remove(user, session);
        }
    }

    /// A socket has gone, of which Redis is told no more.
    pub(super) fn forget(&mut self, user: &UserId, session: &SessionId) {
        if self.end(user, session).is_some() {
            self.remove(user, session);
        }
    }

    /// The lease is another one. Whatever stood under the one before is over.
    pub(super) fn start_over(&mut self) {
        self.round += 1;
        self.untold.clear();
        let Self { users, untold, tickets, .. } = self;
        users.retain(|user, sockets| {
            sockets.entries.retain(|entry| entry.is_connected);
            for entry in &mut sockets.entries {
                (entry.is_told, entry.may_be_known) = (false, false);
            }
            // Who is being told of is given out again when that ends.
            if sockets.phase == Phase::Telling {
                return true;
            }
            *tickets += 1;
            sockets.phase = Phase::Untold(*tickets);
            if !sockets.entries.is_empty() {
                untold.insert(*tickets, user.clone());
            }
            !sockets.entries.is_empty()
        });
    }

    /// Takes what Redis has to be told of the next user: first who came, then who went. Nothing else of him is given out meanwhile.
    pub(super) fn take(&mut self) -> Option<Work> {
        let (_, user) = self.untold.pop_first()?;
        let sockets = self.users.get_mut(&user)?;
        sockets.phase = Phase::Telling;
        let mut steps = Vec::new();
        for entry in sockets.entries.iter_mut().filter(|entry| !entry.is_told) {
            if entry.is_connected {
                entry.may_be_known = true;
                steps.push(Step::Connect(entry.session.clone()));
            } else {
                steps.push(Step::Disconnect(entry.session.id.clone()));
            }
        }
        // Who is back with another socket did not go meanwhile.
        steps.sort_by_key(|step| matches!(step, Step::Disconnect(_)));
        Some(Work { user, steps, round: self.round })
    }

    /// Redis knows this.
    pub(super) fn told(&mut self, work: &Work, step: &Step) {
        if work.round != self.round {
            return;
        }
        let Some(sockets) = self.users.get_mut(&work.user) else {
            return;
        };
        match step {
            Step::Connect(session) => {
                let entry = sockets.entry(&session.id).filter(|entry| entry.is_connected);
                if let Some(entry) = entry {
                    entry.is_told = true;
                }
            }
            Step::Disconnect(session) => {
                sockets.entries.retain(|entry| entry.is_connected || entry.session.id != *session);
            }
        }
    }

    /// Ends the telling of a user. What he was not told, or has come since, is given out again.
    pub(super) fn finish(&mut self, user: &UserId) {
        let Some(sockets) = self.users.get_mut(user) else {
            return;
        };
        sockets.phase = Phase::Quiet;
        if sockets.entries.iter().all(|entry| entry.is_told) {
            for waiting in sockets.waiting.drain(..) {
                // Who waited may have given up.
                let _ = waiting.send(());
            }
            if sockets.entries.is_empty() {
                self.users.remove(user);
            }
        } else {
            self.queue(user);
        }
    }

    /// Tells when Redis knows everything of a user; `None` when it does.
    pub(super) fn settling(&mut self, user: &UserId) -> Option<oneshot::Receiver<()>> {
        let sockets = self.users.get_mut(user).filter(|sockets| sockets.phase != Phase::Quiet)?;
        let (settled, when) = oneshot::channel();
        // Those who gave up are not kept until Redis is back.
        sockets.waiting.retain(|waiting| !waiting.is_closed());
        sockets.waiting.push(settled);
        Some(when)
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts.clone()
    }

    /// Notes the end of a socket, once.
    fn end(&mut self, user: &UserId, session: &SessionId) -> Option<&mut Entry> {
        let sockets = self.users.get_mut(user)?;
        let entry = sockets.entry(session).filter(|entry| entry.is_connected)?;
        entry.is_connected = false;
        if let Some(count) = self.counts.dialects.get_mut(&entry.session.dialect) {
            *count -= 1;
        }
        if !sockets.has_connected() {
            self.counts.users -= 1;
        }
        sockets.entry(session)
    }

    fn remove(&mut self, user: &UserId, session: &SessionId) {
        let Some(sockets) = self.users.get_mut(user) else {
            return;
        };
        sockets.entries.retain(|entry| entry.session.id != *session);
        if sockets.entries.is_empty() && sockets.phase != Phase::Telling {
            if let Phase::Untold(ticket) = sockets.phase {
                self.untold.remove(&ticket);
            }
            self.users.remove(user);
        }
    }

    fn queue(&mut self, user: &UserId) {
        if let Some(sockets) = self.users.get_mut(user).filter(|found| found.phase == Phase::Quiet) {
            self.tickets += 1;
            sockets.phase = Phase::Untold(self.tickets);
            self.untold.insert(self.tickets, user.clone());
        }
    }
}

impl Sockets {
    fn entry(&mut self, session: &SessionId) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.session.id == *session)
    }

    fn has_connected(&self) -> bool {
        self.entries.iter().any(|entry| entry.is_connected)
    }
}

#[cfg(test)]
mod tests;
