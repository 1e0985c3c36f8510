//! A connected socket: whose it is, what it has joined, what it still has to do, and the way out to it.

mod conduct;
mod intake;
mod stranger;

use std::{
    collections::{HashSet, VecDeque},
    fmt, mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use parlance_domain::{
    id::{ConversationId, SessionId, UserId},
    rejection::{Code, Rejection},
    time::Timestamp,
    user::Profile,
    version::Version,
};
use serde_json::value::RawValue;
use tokio::sync::Semaphore;

use super::{
    cluster::SocketRef,
    packet::{self, SharedFrame},
    wire::{KillReason, LaneId, Wire},
};
use crate::{
    auth::{Grants, Identity},
    dialect::{ClientEvent, Dialect, Frame},
    limits::{Limit, Place},
    presence::heard::{Heard, News},
};
use conduct::Conduct;
pub use conduct::Patience;
use intake::Intake;
pub use intake::{Acknowledgement, Inbound};
pub use stranger::{Stranger, TakenIn};

/// Of how many conversations a socket remembers that it was put out of them.
const MAX_PUT_OUT: usize = 32;
/// How many queries of one socket may run at the same time.
const MAX_QUERIES: usize = 2;

/// A connected socket.
pub struct Session {
    /// What the socket is called inside this process.
    pub key: u64,
    /// What it is called in events.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// What it speaks.
    pub dialect: Arc<Dialect>,
    /// Where it is connected.
    pub namespace: Arc<str>,
    /// What its handshake implies.
    conversation: Option<ConversationId>,
    /// What its user is there.
    role: Option<Arc<str>>,
    /// Its transport.
    pub wire: Arc<Wire>,
    /// Bounds its queries.
    pub queries: Arc<Semaphore>,
    /// The user as others see him, and what his token says.
    identity: Mutex<Identity>,
    conduct: Conduct,
    /// Among its user's sockets.
    place: Mutex<Option<Place<UserId>>>,
    joined: Mutex<HashSet<ConversationId>>,
    /// Conversations that it was put out of, and by which event, newest last.
    put_out: Mutex<VecDeque<(ConversationId, Version)>>,
    /// Whose presence it was told last.
    heard: Mutex<Heard>,
    intake: Mutex<Intake>,
    outlet: Mutex<Outlet>,
    /// A DISCONNECT is on its way to the client.
    parting: AtomicBool,
}

/// The way out. The socket holds the session, so the session must let go of the socket when it ends.
enum Outlet {
    /// The CONNECT packet has not been sent yet.
    Pending,
    /// The engine takes everything: the transport is polling, or knows no other way.
    Engine(SocketRef),
    /// Everything goes past the engine, except for the DISCONNECT.
    Lane(LaneId, SocketRef),
    Ended,
}

/// What a new session is made of.
pub struct NewSession {
    /// See [`Session::key`].
    pub key: u64,
    /// See [`Session::id`].
    pub id: SessionId,
    /// The user as others see him, and what his token says.
    pub identity: Identity,
    /// See [`Session::dialect`].
    pub dialect: Arc<Dialect>,
    /// See [`Session::namespace`].
    pub namespace: Arc<str>,
    /// The conversation that its handshake implies, in a dialect whose handshakes do.
    pub conversation: Option<ConversationId>,
    /// What its user is there, if the application says so.
    pub role: Option<Arc<str>>,
    /// See [`Session::wire`].
    pub wire: Arc<Wire>,
    /// Its place among its user's sockets.
    pub place: Option<Place<UserId>>,
    /// What it may do before it is too much.
    pub patience: Patience,
}

impl Session {
    /// A session whose socket is not connected yet.
    pub fn new(new: NewSession) -> Arc<Self> {
        Arc::new(Self {
            key: new.key,
            id: new.id,
            user: new.identity.user.id.clone(),
            identity: Mutex::new(new.identity),
            dialect: new.dialect,
            namespace: new.namespace,
            conversation: new.conversation,
            role: new.role,
            wire: new.wire,
            queries: Arc::new(Semaphore::new(MAX_QUERIES)),
            conduct: Conduct::new(new.patience),
            place: Mutex::new(new.place),
            joined: Mutex::default(),
            put_out: Mutex::default(),
            heard: Mutex::default(),
            intake: Mutex::default(),
            outlet: Mutex::new(Outlet::Pending),
            parting: AtomicBool::new(false),
        })
    }

    /// The user as others see him.
    pub fn profile(&self) -> Profile {
        lock(&self.identity).user.clone()
    }

    /// The user as others see him, and what his token lets him use.
    pub fn standing(&self) -> (Profile, Grants) {
        let identity = lock(&self.identity);
        (identity.user.clone(), identity.grants.clone())
    }

    /// The conversation that the handshake implies, in a dialect whose handshakes do.
    pub fn implied_conversation(&self) -> Option<&ConversationId> {
        self.conversation.as_ref()
    }

    /// What its user is in that conversation, if the application says so.
    pub fn role(&self) -> Option<&str> {
        self.role.as_deref()
    }

    /// What the user's token lets him use.
    pub fn grants(&self) -> Grants {
        lock(&self.identity).grants.clone()
    }

    /// When the token ends by which it lives.
    pub fn expires_at(&self) -> Option<Timestamp> {
        lock(&self.identity).expires_at()
    }

    /// Whether it lives by a token that was issued before that moment.
    pub fn is_revoked_by(&self, before: Timestamp) -> bool {
        lock(&self.identity).is_revoked_by(before)
    }

    /// What a newer token says of the same user counts from now on.
    pub fn renew(&self, identity: Identity) {
        *lock(&self.identity) = identity;
    }

    /// Opens the way out, once the CONNECT packet has been sent; false when it is open already or has ended.
    pub fn open(&self, socket: impl FnOnce() -> SocketRef) -> bool {
        let mut outlet = lock(&self.outlet);
        let opens = matches!(*outlet, Outlet::Pending);
        if opens {
            *outlet = Outlet::Engine(socket());
        }
        opens
    }

    /// Whether the CONNECT packet has not been sent yet, so that nothing can be told to the socket.
    pub fn is_connecting(&self) -> bool {
        matches!(*lock(&self.outlet), Outlet::Pending)
    }

    /// Closes the way out, and gives the conversations that the socket had joined, and whether the way out was ever open.
    /// What it sent before is still carried out.
    pub fn end(&self) -> (HashSet<ConversationId>, bool) {
        let outlet = mem::replace(&mut *lock(&self.outlet), Outlet::Ended);
        // The lane of a socket that was disconnected ends with the DISCONNECT, behind what was sent before.
        if let Outlet::Lane(lane, _) = outlet
            && !self.parting.load(Ordering::Acquire)
        {
            self.wire.close_lane(lane);
        }
        drop(lock(&self.place).take());
        let was_open = matches!(outlet, Outlet::Engine(_) | Outlet::Lane(..));
        (mem::take(&mut lock(&self.joined)), was_open)
    }

    /// Whether the socket has ended.
    pub fn has_ended(&self) -> bool {
        matches!(*lock(&self.outlet), Outlet::Ended)
    }

    /// Hands a frame to the socket. One that cannot take it is ended, so that it comes back and catches up:
    /// nothing is dropped in silence.
    pub fn emit(&self, frame: &Frame) {
        match &*self.outlet() {
            Outlet::Pending | Outlet::Ended => {}
            Outlet::Lane(lane, _) => self.wire.send(*lane, &packet::event(&self.namespace, frame)),
            Outlet::Engine(socket) => emit_through(&self.wire, socket, frame),
        }
    }

    /// The same, for a frame that other sockets get too.
    pub fn emit_shared(&self, shared: &SharedFrame) {
        match &*self.outlet() {
            Outlet::Pending | Outlet::Ended => {}
            Outlet::Lane(lane, _) => self.wire.send(*lane, shared.finished(&self.namespace)),
            Outlet::Engine(socket) => emit_through(&self.wire, socket, &shared.frame),
        }
    }

    /// The way out, past the engine from the first moment on at which there is such a way. Whoever sends does so
    /// before he gives it back: what is sent in turn arrives in turn.
    fn outlet(&self) -> MutexGuard<'_, Outlet> {
        let mut outlet = lock(&self.outlet);
        if let Outlet::Engine(socket) = &*outlet
            && let Some(lane) =
                self.wire.open_lane(&self.namespace, |marker, id| socket.emit(marker, &id).is_ok())
        {
            *outlet = Outlet::Lane(lane, socket.clone());
        }
        outlet
    }

    /// Disconnects the socket for good, and says why.
    pub fn dismiss(&self, code: Code) {
        self.dialect.error(&Rejection::new(code)).iter().for_each(|frame| self.emit(frame));
        self.disconnect();
    }

    /// Disconnects the socket for good: after what was sent to it before, the client gets a Socket.IO DISCONNECT, upon which
    /// it does not come back by itself. Its transport ends, at the latest a moment later. Does nothing before CONNECT
    /// and after the end.
    pub fn disconnect(&self) {
        let socket = match &*lock(&self.outlet) {
            Outlet::Engine(socket) | Outlet::Lane(_, socket) => socket.clone(),
            Outlet::Pending | Outlet::Ended => return,
        };
        self.parting.store(true, Ordering::Release);
        match socket.disconnect() {
            Ok(()) => self.wire.part(),
            // It owes so much reading that nothing can be told to it.
            Err(_) => {
                self.parting.store(false, Ordering::Release);
                self.wire.kill(KillReason::Disconnected);
            }
        }
    }

    /// Tells this socket alone.
    pub fn tell(&self, event: &ClientEvent) {
        for frame in self.dialect.encode(event) {
            self.emit(&frame);
        }
    }

    /// Sends an acknowledgement.
    pub fn acknowledge(&self, ack: Acknowledgement, payload: &RawValue) {
        match &*self.outlet() {
            Outlet::Ended => {}
            Outlet::Lane(lane, _) => {
                self.wire.send(*lane, &packet::acknowledgement(&self.namespace, ack.id, payload));
            }
            Outlet::Pending | Outlet::Engine(_) => {
                self.wire.queued(payload.get().len());
                if let Err(error) = ack.sender.send(payload) {
                    tracing::debug!(%error, session = %self.id, "an acknowledgement does not fit");
                    self.wire.kill(KillReason::SlowReader);
                }
            }
        }
    }

    /// Whether the socket may send an event now.
    ///
    /// # Errors
    /// `rate_limited`, with the time after which it may.
    pub fn admit(&self) -> Result<(), Rejection> {
        self.conduct.admit()
    }

    /// Whether the socket may be told of an error by an event now. One that floods would otherwise be sent as much as it
    /// sends.
    pub fn may_complain(&self) -> bool {
        self.conduct.may_complain()
    }

    /// Whether it has been told of so many errors that it is told of no more for a moment.
    pub fn is_past_telling(&self) -> bool {
        self.conduct.is_past_telling()
    }

    /// Notes that an event was refused for what it is: too fast, unknown or unreadable. True, once, when it was one too
    /// many: the socket has been told so, nothing that it sends is looked at any more, and it is to be disconnected
    /// in a moment, when what was read ahead of it is through.
    pub fn refused(&self) -> bool {
        if !self.conduct.refused() {
            return false;
        }
        self.wire.mute();
        Limit::Abuse.count();
        let address = self.wire.address().map(tracing::field::display);
        tracing::warn!(user = %self.user, session = %self.id, address, "disconnecting an abusive socket");
        let rejection = Rejection::with(Code::LimitReached, "too many events were refused to this socket");
        self.dialect.error(&rejection).iter().for_each(|frame| self.emit(frame));
        true
    }

    /// Whether nothing that it sends is looked at any more.
    pub fn is_banned(&self) -> bool {
        self.conduct.is_banned()
    }

    /// Puts an event behind those that wait; true when the caller must start the task that carries them out.
    ///
    /// # Errors
    /// Gives the event back when too much waits.
    pub fn enqueue(&self, inbound: Inbound) -> Result<bool, Inbound> {
        lock(&self.intake).put(inbound)
    }

    /// What comes waits until the conversation is joined that the handshake implies, if one is: whoever joins it carries
    /// out then what waits.
    pub fn hold_for_implied(&self) {
        if self.conversation.is_some() {
            lock(&self.intake).hold();
        }
    }

    /// Takes what waited before it was a session, and is being carried out.
    fn take_over(&self, intake: Intake) {
        *lock(&self.intake) = intake;
    }

    /// The next event to carry out; after `None` the task must end, and the next event starts another.
    pub fn dequeue(&self) -> Option<Inbound> {
        lock(&self.intake).take()
    }

    /// Notes that the socket is about to join; false when that is noted already.
    ///
    /// # Errors
    /// When it has joined too many conversations, or has ended.
    pub fn joining(&self, conversation: &ConversationId, most: usize) -> Result<bool, Rejection> {
        let mut joined = lock(&self.joined);
        if self.has_ended() {
            return Err(Code::Unavailable.into());
        }
        if joined.len() >= most && !joined.contains(conversation) {
            Limit::JoinedConversations.count();
            return Err(Rejection::with(Code::LimitReached, "this socket has joined too many conversations"));
        }
        Ok(joined.insert(conversation.clone()))
    }

    /// Whether the socket has joined the conversation, or is about to.
    pub fn has_joined(&self, conversation: &ConversationId) -> bool {
        lock(&self.joined).contains(conversation)
    }

    /// Notes that the socket is not in the conversation any more, because of an event that it was told of there.
    pub fn put_out(&self, conversation: &ConversationId, by: Version) {
        let mut put_out = lock(&self.put_out);
        if put_out.len() >= MAX_PUT_OUT {
            put_out.pop_front();
        }
        put_out.push_back((conversation.clone(), by));
        drop(put_out);
        self.left(conversation);
    }

    /// Whether the socket was told of an event as it was put out of the conversation by it.
    pub fn was_put_out_by(&self, conversation: &ConversationId, event: Version) -> bool {
        lock(&self.put_out).iter().any(|(id, by)| id == conversation && *by == event)
    }

    /// The conversations that the socket has joined, or is about to, and must not.
    pub fn joined_beyond(&self, allowed: impl Fn(&ConversationId) -> bool) -> Vec<ConversationId> {
        lock(&self.joined).iter().filter(|conversation| !allowed(conversation)).cloned().collect()
    }

    /// Notes that the socket is told of a presence; false when it knows as much already.
    pub(crate) fn hears(&self, news: News) -> bool {
        lock(&self.heard).note(news)
    }

    /// Notes that the socket is not in the conversation any more.
    pub fn left(&self, conversation: &ConversationId) {
        lock(&self.joined).remove(conversation);
    }
}

/// Hands a frame to the engine. A socket that cannot take it is ended.
pub(super) fn emit_through(wire: &Wire, socket: &SocketRef, frame: &Frame) {
    let bytes = frame.event.len() + frame.payload.as_ref().map_or(0, |payload| payload.get().len());
    wire.queued(bytes);
    let sent = match &frame.payload {
        Some(payload) => socket.emit(&*frame.event, payload.as_ref()),
        // Unit would become a `null`; nothing else is no argument.
        None => socket.emit(&*frame.event, &[(); 0]),
    };
    if sent.is_err() {
        wire.kill(KillReason::SlowReader);
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("id", &self.id).field("user", &self.user).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
