//! Who is connected to this gateway, as Redis is told of it: a user's first socket makes him come online wherever he can
//! be seen, his last one lets him go offline.
//!
//! Sockets are noted when they come and go, which waits for nothing. One task tells Redis, of each user in order, and
//! tells it again what it could not be told. All of it stands under the gateway's [lease], so it need not be repeated
//! while nothing changes; under another lease everything is told anew.
//!
//! While the gateway closes its transports nobody is removed: clients are back on another gateway in a moment, and what stands under
//! this one's lease runs out a while after its end.

mod book;
pub(crate) mod heard;
pub mod lease;

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use parlance_broker::{
    Broker, BrokerError,
    lease::LeaseId,
    presence::{ConnectedSession, Presences, Transition},
};
use parlance_chassis::{
    clock::Clock,
    lifecycle::{self, CancellationToken},
};
use parlance_domain::{
    id::{SessionId, UserId},
    rejection::{Code, Rejection},
    time::Timestamp,
};
use tokio::sync::Notify;

use crate::{drain::Stages, socket::session::Session};
pub use book::Counts;
use book::{Book, Step, Work};
use lease::Lease;

/// Of how many users Redis is told at the same time.
const IN_FLIGHT: usize = 64;
/// How long to wait before a user is told of again after Redis could not be told.
const PAUSE: Duration = Duration::from_millis(500);

/// The connected sockets of this gateway; cheap to clone.
#[derive(Clone)]
pub struct Presence(Arc<Inner>);

struct Inner {
    presences: Presences,
    clock: Clock,
    /// How long somebody waits until Redis has been told.
    deadline: Duration,
    book: Mutex<Book>,
    changed: Notify,
    is_failing: AtomicBool,
    closing: CancellationToken,
    lifecycle: lifecycle::Handle,
}

impl Presence {
    /// Starts the task that tells this Redis under this lease. Nobody waits longer than `deadline` for it.
    pub fn start(
        broker: &Broker,
        lease: Lease,
        clock: Clock,
        deadline: Duration,
        lifecycle: &lifecycle::Handle,
        stages: &Stages,
    ) -> Self {
        let presence = Self(Arc::new(Inner {
            presences: Presences::new(broker.clone()),
            clock,
            deadline,
            book: Mutex::default(),
            changed: Notify::new(),
            is_failing: AtomicBool::new(false),
            closing: stages.closing.clone(),
            lifecycle: lifecycle.clone(),
        }));
        lifecycle.spawn_support("presence", presence.clone().run(lease));
        presence
    }

    /// What Redis knows of everybody.
    pub fn presences(&self) -> &Presences {
        &self.0.presences
    }

    /// Notes a socket that is connected, which may be noted twice.
    pub fn connected(&self, socket: &Session) {
        let session = ConnectedSession {
            id: socket.id.clone(),
            dialect: socket.dialect.name().to_owned(),
            since: Timestamp(self.0.clock.now_ms()),
        };
        self.lock().connected(&socket.user, session);
        // Its end may have been noted before its beginning; nobody would note it again.
        if socket.has_ended() {
            self.disconnected(&socket.user, &socket.id);
        }
        self.0.changed.notify_one();
    }

    /// Notes that a socket has ended, which may be noted twice.
    pub fn disconnected(&self, user: &UserId, session: &SessionId) {
        if self.0.closing.is_cancelled() {
            self.lock().forget(user, session);
        } else {
            self.lock().disconnected(user, session);
            self.0.changed.notify_one();
        }
    }

    /// Waits until Redis knows the sockets that a user has here by now.
    ///
    /// # Errors
    /// `unavailable` when that takes too long.
    pub async fn settled(&self, user: &UserId) -> Result<(), Rejection> {
        let settling = self.lock().settling(user);
        match settling {
            None => Ok(()),
            // It is dropped without a word when the user has gone again.
            Some(settled) => match tokio::time::timeout(self.0.deadline, settled).await {
                Ok(_) => Ok(()),
                Err(_elapsed) => Err(Code::Unavailable.into()),
            },
        }
    }

    /// Tells the conversations of a transition. A worker does it when that fails.
    pub async fn announce(&self, transition: &Transition) {
        if let Err(error) = self.0.presences.announce(transition).await {
            tracing::debug!(%error, user = %transition.presence.user, "failed to announce a presence");
        }
    }

    /// How many users and sockets are connected to this gateway.
    pub fn counts(&self) -> Counts {
        self.lock().counts()
    }

    /// Tells Redis, until the hard stop.
    async fn run(self, mut lease: Lease) -> Result<(), Infallible> {
        let hard = self.0.lifecycle.hard();
        let mut current = None;
        let mut telling = FuturesUnordered::new();
        loop {
            tokio::select! {
                biased;
                () = hard.cancelled() => return Ok(()),
                taken = lease.changed() => {
                    self.lock().start_over();
                    current = Some(taken);
                }
                Some(()) = telling.next() => {}
                () = self.0.changed.notified() => {}
            }
            let Some(lease) = &current else { continue };
            while telling.len() < IN_FLIGHT {
                let Some(work) = self.lock().take() else { break };
                telling.push(self.clone().tell(lease.clone(), work).boxed());
            }
        }
    }

    /// Tells Redis of one user, step by step. After a failure the rest waits for another time.
    async fn tell(self, lease: LeaseId, mut work: Work) {
        for step in std::mem::take(&mut work.steps) {
            let outcome = match &step {
                Step::Connect(session) => self.0.presences.connect(&lease, &work.user, session).await,
                Step::Disconnect(session) => self.0.presences.disconnect(&lease, &work.user, session).await,
            };
            match outcome {
                Ok(transition) => {
                    self.0.is_failing.store(false, Ordering::Relaxed);
                    self.lock().told(&work, &step);
                    if let Some(transition) = transition {
                        self.announce(&transition).await;
                    }
                }
                Err(error) => {
                    self.failed(&error);
                    tokio::time::sleep(PAUSE).await;
                    break;
                }
            }
        }
        self.lock().finish(&work.user);
    }

    fn failed(&self, error: &BrokerError) {
        // All the others fail for the same reason.
        if !self.0.is_failing.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "failed to say who is connected, trying again");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
