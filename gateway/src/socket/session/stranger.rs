//! A socket that has not said yet who it is: what it sends waits here, and one event of it can make it a session. It has no
//! user, so it is in no list of sockets, is told of nothing, and nothing is done for it.

use std::sync::{Arc, Mutex};

use parlance_chassis::lifecycle::CancellationToken;
use parlance_domain::{id::ConversationId, rejection::Rejection};

use super::{Inbound, Patience, Session, conduct::Conduct, intake::Intake, lock};
use crate::{dialect::Dialect, socket::wire::Wire};

/// A socket that has not said yet who it is.
pub struct Stranger {
    /// What it speaks.
    pub dialect: Arc<Dialect>,
    /// Where it is connected.
    pub namespace: Arc<str>,
    /// What its handshake implies. Whether it may use that is looked at when it is known who it is.
    pub conversation: Option<ConversationId>,
    /// Its transport.
    pub wire: Arc<Wire>,
    conduct: Conduct,
    state: Mutex<State>,
    /// It is no stranger any more, or it is gone.
    over: CancellationToken,
}

enum State {
    Unknown(Intake),
    Known(Arc<Session>),
    Ended,
}

/// What became of an event that came in.
pub enum TakenIn {
    /// It waits. The caller must start the task that carries out what waits, if this is true.
    Waits(bool),
    /// Too much waits already.
    Full(Inbound),
    /// The socket has become a session, which takes it.
    Belongs(Arc<Session>, Inbound),
    /// The socket is gone.
    Dropped,
}

impl Stranger {
    /// Nothing is known of it.
    pub fn new(
        dialect: Arc<Dialect>,
        namespace: Arc<str>,
        conversation: Option<ConversationId>,
        wire: Arc<Wire>,
        patience: Patience,
    ) -> Arc<Self> {
        Arc::new(Self {
            dialect,
            namespace,
            conversation,
            wire,
            conduct: Conduct::new(patience),
            state: Mutex::new(State::Unknown(Intake::default())),
            over: CancellationToken::new(),
        })
    }

    /// The session that it has become.
    pub fn session(&self) -> Option<Arc<Session>> {
        match &*lock(&self.state) {
            State::Known(session) => Some(Arc::clone(session)),
            State::Unknown(_) | State::Ended => None,
        }
    }

    /// Whether it may send an event now.
    ///
    /// # Errors
    /// `rate_limited`, with the time after which it may.
    pub fn admit(&self) -> Result<(), Rejection> {
        self.conduct.admit()
    }

    /// Whether it may be told of an error by an event now.
    pub fn may_complain(&self) -> bool {
        self.conduct.may_complain()
    }

    /// Notes that an event was refused; true, once, when it was one too many.
    pub fn refused(&self) -> bool {
        self.conduct.refused()
    }

    /// Whether nothing that it sends is looked at any more.
    pub fn is_banned(&self) -> bool {
        self.conduct.is_banned()
    }

    /// Takes an event in.
    pub fn take_in(&self, inbound: Inbound) -> TakenIn {
        match &mut *lock(&self.state) {
            State::Unknown(intake) => intake.put(inbound).map_or_else(TakenIn::Full, TakenIn::Waits),
            State::Known(session) => TakenIn::Belongs(Arc::clone(session), inbound),
            State::Ended => TakenIn::Dropped,
        }
    }

    /// The next event to carry out; after `None` the task must end.
    pub fn dequeue(&self) -> Option<Inbound> {
        match &mut *lock(&self.state) {
            State::Unknown(intake) => intake.take(),
            State::Known(_) | State::Ended => None,
        }
    }

    /// Makes it this session, which carries out what waits and everything that comes: the task that carries out the
    /// stranger's events goes on with the session's. False when the socket is gone.
    pub fn become_known(&self, session: &Arc<Session>) -> bool {
        let mut state = lock(&self.state);
        let State::Unknown(intake) = &mut *state else { return false };
        session.take_over(std::mem::take(intake));
        *state = State::Known(Arc::clone(session));
        self.over.cancel();
        true
    }

    /// The socket is gone; the session that it had become.
    pub fn end(&self) -> Option<Arc<Session>> {
        self.over.cancel();
        match std::mem::replace(&mut *lock(&self.state), State::Ended) {
            State::Known(session) => Some(session),
            State::Unknown(_) | State::Ended => None,
        }
    }

    /// Waits until it is no stranger any more, or gone.
    pub async fn over(&self) {
        self.over.cancelled().await;
    }
}
