//! Tells Redis who is in the conversations of this gateway, so that everybody can know who is in one, wherever.
//!
//! Rooms note who comes and goes, which waits for nothing. One task tells Redis what was noted since, and repeats
//! what still holds before it is over; so a gateway that dies is forgotten after a while, and a Redis that forgot
//! everything is told again.

use std::{
    collections::HashMap,
    convert::Infallible,
    hash::{DefaultHasher, Hash, Hasher},
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt, stream};
use parlance_broker::here::{Here, Occupant};
use parlance_chassis::lifecycle::CancellationToken;
use parlance_domain::id::{ConversationId, SessionId, UserId};
use tokio::{
    sync::Notify,
    time::{Instant, MissedTickBehavior, interval},
};

use super::Member;

/// Conversations are repeated in so many parts, one after the other, so that neither side has much to do at once.
const PARTS: u32 = 16;
/// How many conversations Redis is told of at the same time.
const IN_FLIGHT: usize = 64;
/// How long to wait after Redis could not be told.
const PAUSE: Duration = Duration::from_millis(500);

/// Who is in which conversation of this gateway; cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Attendance(Arc<Inner>);

#[derive(Default)]
struct Inner {
    book: Mutex<Book>,
    changed: Notify,
}

#[derive(Default)]
struct Book {
    here: HashMap<ConversationId, HashMap<SessionId, UserId>>,
    /// What Redis has to be told.
    untold: HashMap<ConversationId, Changes>,
}

type Changes = HashMap<SessionId, Change>;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Change {
    user: UserId,
    is_here: bool,
}

/// Where the members of one room are noted.
pub(super) struct RoomAttendance {
    conversation: ConversationId,
    all: Attendance,
}

impl RoomAttendance {
    /// Somebody came.
    pub(super) fn enter(&self, member: &Member) {
        self.all.lock().note(&self.conversation, &member.session, &member.user, true);
        self.all.0.changed.notify_one();
    }

    /// Somebody went.
    pub(super) fn leave(&self, member: &Member) {
        self.all.lock().note(&self.conversation, &member.session, &member.user, false);
        self.all.0.changed.notify_one();
    }
}

impl Attendance {
    /// For the members of this conversation's room.
    pub(super) fn of(&self, conversation: &ConversationId) -> RoomAttendance {
        RoomAttendance { conversation: conversation.clone(), all: self.clone() }
    }

    /// Tells Redis, until `hard`; then that nobody of this gateway is anywhere. Who is here is so for `ttl`.
    pub(super) async fn run(
        self,
        here: Here,
        ttl: Duration,
        hard: CancellationToken,
    ) -> Result<(), Infallible> {
        let mut reconnections = here.reconnections();
        // Repeated every two thirds of the time for which it holds.
        let mut ticks = interval(ttl * 2 / 3 / PARTS);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut part = 0;
        let mut failing_since: Option<Instant> = None;
        loop {
            let ended = tokio::select! {
                biased;
                () = hard.cancelled() => true,
                () = reconnections.next() => {
                    self.lock().repeat(|_| true);
                    false
                }
                _ = ticks.tick() => {
                    part = (part + 1) % PARTS;
                    self.lock().repeat(|conversation| part_of(conversation) == part);
                    false
                }
                () = self.0.changed.notified() => false,
            };
            if ended {
                self.lock().empty();
            }
            // What is not told for that long is over by itself.
            let keep = failing_since.is_none_or(|since| since.elapsed() < ttl);
            let told = self.tell(&here, ttl, keep).await;
            if ended {
                return Ok(());
            }
            if told {
                failing_since = None;
                continue;
            }
            failing_since.get_or_insert_with(Instant::now);
            self.0.changed.notify_one();
            tokio::select! {
                () = hard.cancelled() => {}
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    /// Tells Redis what it has not been told; false when that failed, and was noted again. Those who went are noted
    /// again only if `keep`.
    async fn tell(&self, here: &Here, ttl: Duration, keep: bool) -> bool {
        let untold = mem::take(&mut self.lock().untold);
        // The first failure is enough: each would take as long as Redis may take to answer.
        let failed = &AtomicBool::new(false);
        let tell = |(conversation, changes): (ConversationId, Changes)| async move {
            if !failed.load(Ordering::Relaxed) {
                let (come, gone) = split(&changes);
                let Err(error) = here.change(&conversation, &come, &gone, ttl).await else {
                    return;
                };
                if !failed.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, "failed to say who is here, trying again");
                }
            }
            self.lock().put_back(conversation, changes, keep);
        };
        stream::iter(untold).for_each_concurrent(IN_FLIGHT, tell).await;
        !failed.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn note(&mut self, conversation: &ConversationId, session: &SessionId, user: &UserId, is_here: bool) {
        if is_here {
            let room = self.here.entry(conversation.clone()).or_default();
            room.insert(session.clone(), user.clone());
        } else if let Some(room) = self.here.get_mut(conversation) {
            room.remove(session);
            if room.is_empty() {
                self.here.remove(conversation);
            }
        }
        let changes = self.untold.entry(conversation.clone()).or_default();
        changes.insert(session.clone(), Change { user: user.clone(), is_here });
    }

    /// Lets Redis be told again of everybody in these conversations.
    fn repeat(&mut self, which: impl Fn(&ConversationId) -> bool) {
        for (conversation, room) in self.here.iter().filter(|(conversation, _)| which(conversation)) {
            let changes = self.untold.entry(conversation.clone()).or_default();
            for (session, user) in room {
                changes.insert(session.clone(), Change { user: user.clone(), is_here: true });
            }
        }
    }

    /// Lets Redis be told that nobody is here any more.
    fn empty(&mut self) {
        for (conversation, room) in mem::take(&mut self.here) {
            let changes = self.untold.entry(conversation).or_default();
            changes
                .extend(room.into_iter().map(|(session, user)| (session, Change { user, is_here: false })));
        }
    }

    /// Notes again what Redis could not be told, unless it has changed meanwhile.
    fn put_back(&mut self, conversation: ConversationId, changes: Changes, keep_gone: bool) {
        let newer = self.untold.entry(conversation).or_default();
        for (session, change) in changes.into_iter().filter(|(_, change)| change.is_here || keep_gone) {
            newer.entry(session).or_insert(change);
        }
    }
}

fn split(changes: &Changes) -> (Vec<Occupant>, Vec<Occupant>) {
    let occupant = |(session, change): (&SessionId, &Change)| Occupant {
        session: session.clone(),
        user: change.user.clone(),
    };
    let (come, gone): (Vec<_>, Vec<_>) = changes.iter().partition(|(_, change)| change.is_here);
    (come.into_iter().map(occupant).collect(), gone.into_iter().map(occupant).collect())
}

fn part_of(conversation: &ConversationId) -> u32 {
    let mut hasher = DefaultHasher::new();
    conversation.hash(&mut hasher);
    u32::try_from(hasher.finish() % u64::from(PARTS)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversation(id: &str) -> ConversationId {
        ConversationId::new(id).unwrap()
    }

    fn note(book: &mut Book, session: &str, is_here: bool) {
        let (session, user) = (SessionId::new(session).unwrap(), UserId::new("ann").unwrap());
        book.note(&conversation("c"), &session, &user, is_here);
    }

    /// Who is said to be in `c`, and who not.
    fn untold(book: &mut Book) -> (Vec<String>, Vec<String>) {
        let changes = book.untold.remove(&conversation("c")).unwrap_or_default();
        let (come, gone) = split(&changes);
        let names = |of: Vec<Occupant>| {
            let mut names: Vec<String> = of.into_iter().map(|of| of.session.to_string()).collect();
            names.sort();
            names
        };
        (names(come), names(gone))
    }

    fn told(come: &[&str], gone: &[&str]) -> (Vec<String>, Vec<String>) {
        let names = |of: &[&str]| of.iter().map(|name| (*name).to_owned()).collect();
        (names(come), names(gone))
    }

    #[test]
    fn only_the_newest_of_coming_and_going_is_told() {
        let mut book = Book::default();
        for (session, is_here) in [("a", true), ("b", true), ("a", false), ("c", false), ("c", true)] {
            note(&mut book, session, is_here);
        }
        assert_eq!(untold(&mut book), told(&["b", "c"], &["a"]));
        assert_eq!(untold(&mut book), told(&[], &[]));
        book.repeat(|_| true);
        assert_eq!(untold(&mut book), told(&["b", "c"], &[]));
        book.repeat(|conversation| conversation.as_str() != "c");
        assert_eq!(untold(&mut book), told(&[], &[]));
        book.empty();
        assert_eq!(untold(&mut book), told(&[], &["b", "c"]));
        book.repeat(|_| true);
        assert_eq!(untold(&mut book), told(&[], &[]));
    }

    #[test]
    fn what_could_not_be_told_does_not_hide_what_came_after_it() {
        let mut book = Book::default();
        note(&mut book, "a", true);
        note(&mut book, "b", true);
        note(&mut book, "c", false);
        let failed = book.untold.remove(&conversation("c")).unwrap();
        note(&mut book, "a", false);
        book.put_back(conversation("c"), failed.clone(), true);
        assert_eq!(untold(&mut book), told(&["b"], &["a", "c"]));
        book.put_back(conversation("c"), failed, false);
        assert_eq!(untold(&mut book), told(&["a", "b"], &[]), "who went is over by itself");
    }

    #[test]
    fn every_conversation_is_in_one_part() {
        let parts: Vec<u32> = (0..1_000).map(|n| part_of(&conversation(&format!("c{n}")))).collect();
        assert!((0..PARTS).all(|part| parts.contains(&part)));
    }
}
