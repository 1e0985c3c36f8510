//! Tells Redis who is in the rooms of this gateway, so that everybody can know who is in a conversation, wherever.
//!
//! Rooms note which socket comes and goes, which waits for nothing. One task tells Redis whose first socket came to a room
//! and whose last one went. What it tells stands under the gateway's lease, so nothing is repeated before there is
//! another one, under which everything is told anew. When the gateway closes its transports nothing more is told: the lease runs out,
//! and its clients are back elsewhere before that.

mod book;
mod visits;

use std::{
    collections::HashSet,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use parlance_broker::{
    Broker, BrokerError,
    lease::LeaseId,
    members::{Changed, Changes, Members},
    partition::Partitions,
    presence::Presences,
};
use parlance_chassis::lifecycle::{self, CancellationToken};
use parlance_domain::{
    id::{ConversationId, SessionId, UserId},
    user::Profile,
};
use tokio::sync::Notify;

use super::Member;
use crate::{presence::lease::Lease, socket::session::Session};
use book::{Book, Steps, Went};
use visits::{Visit, Visits};

/// How many conversations Redis is told of at the same time.
const IN_FLIGHT: usize = 64;
/// How long to wait after Redis could not be told.
const PAUSE: Duration = Duration::from_millis(500);

/// Who is in which room of this gateway; cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Attendance(Arc<Inner>);

#[derive(Default)]
struct Inner {
    book: Mutex<Book<Socket>>,
    changed: Notify,
}

/// A socket in the book: the same one is there once.
#[derive(Clone)]
struct Socket(Arc<Session>);

impl PartialEq for Socket {
    fn eq(&self, other: &Self) -> bool {
        self.0.key == other.0.key
    }
}

/// Where the members of one room are noted.
pub(super) struct RoomAttendance {
    conversation: ConversationId,
    all: Attendance,
}

/// What Redis is told with.
pub(super) struct Telling {
    pub(super) broker: Broker,
    /// What everything stands under.
    pub(super) lease: Lease,
    /// In a conversation with more members nobody is announced.
    pub(super) announced: u64,
    /// From then on nothing is told.
    pub(super) closing: CancellationToken,
}

impl RoomAttendance {
    /// A socket came. One that is there already changes nothing.
    pub(super) fn enter(&self, member: &Member) {
        let socket = Socket(Arc::clone(&member.socket));
        self.all.lock().enter(&self.conversation, &member.user, socket);
        self.all.0.changed.notify_one();
    }

    /// A socket went, if it was there: because it has ended, or it was taken out.
    pub(super) fn leave(&self, member: &Member) {
        let went = if member.socket.has_ended() { Went::Ended } else { Went::Left };
        let socket = Socket(Arc::clone(&member.socket));
        self.all.lock().leave(&self.conversation, &member.user, &socket, went);
        self.all.0.changed.notify_one();
    }
}

impl Attendance {
    /// For the members of this conversation's room.
    pub(super) fn of(&self, conversation: &ConversationId) -> RoomAttendance {
        RoomAttendance { conversation: conversation.clone(), all: self.clone() }
    }

    /// How many rooms have somebody.
    pub(super) fn rooms(&self) -> usize {
        self.lock().rooms()
    }

    /// Starts telling; that ends when the gateway closes its transports.
    pub(super) fn tell(&self, telling: Telling, lifecycle: &lifecycle::Handle) {
        let Telling { broker, lease, announced, closing } = telling;
        let visits = Visits::default();
        let presences = Presences::new(broker.clone());
        let visiting = visits.clone().run(self.clone(), broker.clone(), presences, closing.clone());
        lifecycle.spawn_support("visits", visiting);
        let partitions = broker.keys().partitions().clone();
        let members = Members::new(broker);
        let teller = Teller { all: self.clone(), partitions, members, announced, visits };
        lifecycle.spawn_support("attendance", teller.run(lease, closing));
    }

    /// The session of a socket that a user has in a room.
    fn session(&self, conversation: &ConversationId, user: &UserId) -> Option<SessionId> {
        self.lock().socket(conversation, user).map(|socket| socket.0.id.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Book<Socket>> {
        locked(&self.0.book)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The task that tells Redis.
struct Teller {
    all: Attendance,
    partitions: Partitions,
    members: Members,
    announced: u64,
    visits: Visits,
}

impl Teller {
    async fn run(self, mut lease: Lease, closing: CancellationToken) -> Result<(), Infallible> {
        // Nothing is told under another one than that of the last repetition.
        let mut current = None;
        loop {
            tokio::select! {
                biased;
                () = closing.cancelled() => return Ok(()),
                taken = lease.changed() => {
                    self.all.lock().repeat();
                    current = Some(taken);
                }
                () = self.all.0.changed.notified() => {}
            }
            // Without one there is nothing that anything could stand under; the first one lets everything be told.
            let Some(current) = &current else { continue };
            let told = tokio::select! {
                biased;
                () = closing.cancelled() => return Ok(()),
                told = self.tell(current) => told,
            };
            if !told {
                self.all.0.changed.notify_one();
                tokio::select! {
                    () = closing.cancelled() => {}
                    () = tokio::time::sleep(PAUSE) => {}
                }
            }
        }
    }

    /// Tells Redis what it has not been told; false when that failed, and was noted again.
    async fn tell(&self, lease: &LeaseId) -> bool {
        let untold = self.all.lock().take_untold();
        // The first failure of a partition is enough: each would take as long as Redis may take to answer. Others may be
        // on a Redis that is there.
        let failed = &Mutex::new(HashSet::new());
        let tell = |(conversation, steps): (ConversationId, Steps)| async move {
            let partition = self.partitions.of(conversation.as_str());
            if !locked(failed).contains(&partition) {
                let Err(error) = self.tell_of(lease, &conversation, &steps).await else {
                    return;
                };
                if locked(failed).insert(partition) {
                    tracing::warn!(%error, ?partition, "failed to say who is here, trying again");
                }
            }
            self.all.lock().put_back(conversation, steps);
        };
        stream::iter(untold).for_each_concurrent(IN_FLIGHT, tell).await;
        locked(failed).is_empty()
    }

    async fn tell_of(
        &self,
        lease: &LeaseId,
        conversation: &ConversationId,
        steps: &Steps,
    ) -> Result<(), BrokerError> {
        let changes = self.all.changes(conversation, steps);
        let Changed { came, went, is_announced } =
            self.members.change(lease, conversation, &changes, self.announced).await?;
        let came: HashSet<UserId> = came.into_iter().collect();
        for Profile { id: user, .. } in changes.came {
            // Redis may have been told before, without an answer; whoever has just come is noted in any case.
            if is_announced && (came.contains(&user) || steps.has_come(&user)) {
                self.visits.note(conversation, user, Visit::Begins);
            }
        }
        for user in went {
            // Of one whose sockets have ended the conversation is told that he is offline; that ends the visit.
            if steps.has_left(&user) {
                self.visits.note(conversation, user, Visit::Ends);
            }
        }
        Ok(())
    }
}

impl Attendance {
    /// What has to be told, as it is now.
    fn changes(&self, conversation: &ConversationId, steps: &Steps) -> Changes {
        let (present, went, is_empty) = {
            let book = self.lock();
            let (present, went) = book.resolve(conversation, steps);
            (present, went, book.is_empty(conversation))
        };
        Changes { came: present.iter().map(|socket| socket.0.profile()).collect(), went, is_empty }
    }
}
