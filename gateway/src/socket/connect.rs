//! From a handshake to a session: which dialect, who it is, and what the socket is told first.
//!
//! * `newcomer` – what a handshake says and what of it counts, `implied` – the conversation that it means

mod implied;
mod newcomer;

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use futures_util::future::try_join_all;
use parlance_domain::{
    id::{ConversationId, SessionId, UserId},
    rejection::{Code, Rejection},
};
use serde_json::Value;
use socketioxide::{extract::Data, handler::ConnectHandler, socket::DisconnectReason};
use socketioxide_redis::InitError;

use super::{
    cluster::{ClusterDriver, Io, SocketRef},
    identify,
    receive::{Connected, Seat, TakeIn},
    session::{NewSession, Patience, Session, Stranger},
    wire::{Handshake, KillReason, Wire, WireSlot},
};
use crate::{
    app::App,
    auth::Identity,
    dialect::{
        Catalog, Dialect,
        view::{self, Ready},
    },
    limits::{Place, rate_limited},
    web::origins::Verdict,
};
pub(super) use implied::enter as enter_implied;
use newcomer::{Newcomer, Said};
pub(super) use newcomer::{claimed, standing};

/// How many CONNECTs of a session are not counted.
const FREE_CONNECTS: u32 = 8;

/// Why a socket may not connect, in the dialect's words: the `message` of the client's `connect_error`.
#[derive(Debug)]
pub struct Refusal(String);

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The namespaces that are open. None is ever closed: sockets may be in it; who comes to one that is no dialect's any more
/// is refused. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Namespaces(Arc<Mutex<BTreeSet<String>>>);

impl Namespaces {
    /// All of them.
    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn has(&self, namespace: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(namespace)
    }

    fn note(&self, namespaces: &[&str]) {
        let namespaces = namespaces.iter().map(|namespace| (*namespace).to_owned());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(namespaces);
    }
}

/// Opens those namespaces of dialects that are not open. When it returns, what other gateways say to all sockets is heard.
///
/// # Errors
/// When Redis is away, or a namespace cannot be part of a channel's name.
pub async fn open(
    io: &Io,
    app: &App,
    dialects: &Catalog,
    opened: &Namespaces,
) -> Result<(), InitError<ClusterDriver>> {
    let new: Vec<&str> = dialects.namespaces().filter(|namespace| !opened.has(namespace)).collect();
    let opening = new.iter().map(|namespace| {
        let (app, path) = (app.clone(), Arc::<str>::from(*namespace));
        // Handlers are registered before the CONNECT packet is sent: a client may emit right after it.
        let middleware = async move |socket: SocketRef, Data(auth): Data<Option<Value>>| {
            let begun = Instant::now();
            let admitted = admit(app, socket, path, auth).await;
            metrics::histogram!(crate::metrics::CONNECT_SECONDS.name).record(begun.elapsed());
            admitted
        };
        io.ns((*namespace).to_owned(), connected.with(middleware))
    });
    try_join_all(opening).await?;
    opened.note(&new);
    Ok(())
}

async fn admit(app: App, socket: SocketRef, namespace: Arc<str>, auth: Option<Value>) -> Result<(), Refusal> {
    let Some(slot) = socket.req_parts().extensions.get::<WireSlot>().cloned() else {
        tracing::error!("a socket has no wire");
        return Err(Refusal(Code::Internal.as_str().to_owned()));
    };
    let wire = slot.wire().clone();
    let handshake = wire.handshake();
    let Some(dialect) = select(&app, &socket, handshake) else {
        return Err(Refusal(Code::NotFound.as_str().to_owned()));
    };
    let outcome = match may_connect(&app, &wire).and_then(|()| from_page(&app, &dialect, handshake)) {
        Ok(cookies) => {
            let said = Said { dialect: &dialect, handshake, cookies, auth: auth.as_ref() };
            Newcomer::read(&app, &said).await
        }
        Err(rejection) => Err(rejection),
    };
    let mut place = None;
    let outcome = outcome.and_then(|newcomer| {
        let user = newcomer.identity.as_ref().map(|identity| &identity.user.id);
        place = user.map(|user| app.limits.connect(user)).transpose()?;
        Ok(newcomer)
    });
    log(&dialect, &wire, handshake, &outcome);
    let Newcomer { identity, conversation, standing } =
        outcome.map_err(|rejection| refuse(&dialect, &wire, &rejection))?;
    let socket_of = SocketOf { dialect, namespace, wire, conversation, role: standing.role, place };
    let seat = match identity {
        Some(identity) => {
            socket_of.wire.admit();
            let session = new_session(&app, identity, socket_of);
            session.hold_for_implied();
            Seat::Session(session)
        }
        None => Seat::Stranger(new_stranger(&app, socket_of)),
    };
    socket.extensions.insert(Connected { app, seat });
    socket.on_fallback(async |_: TakeIn| {});
    socket.on_disconnect(disconnected);
    Ok(())
}

/// What a client is told whom there is no use in letting in. After a `connect_error` clients do not come back by themselves;
/// so one that has to do nothing but to try again later sees the end of its transport instead, upon which it does.
fn refuse(dialect: &Dialect, wire: &Wire, rejection: &Rejection) -> Refusal {
    if rejection.code.retryable() {
        wire.kill(KillReason::Overload);
    }
    Refusal(dialect.refusal(rejection))
}

/// A client that connects again and again within one session is as expensive as one that opens sessions. A few times are
/// paid for: some use several namespaces.
pub(super) fn may_connect(app: &App, wire: &Wire) -> Result<(), Rejection> {
    if wire.count_connect() < FREE_CONNECTS {
        return Ok(());
    }
    app.limits.entrance().knock(wire.address()).map_err(rate_limited)
}

fn select(app: &App, socket: &SocketRef, handshake: &Handshake) -> Option<Arc<Dialect>> {
    let query = handshake.query_value("dialect");
    app.dialects.select(socket.ns(), query.as_deref(), handshake.host.as_deref(), &handshake.path)
}

/// Whether the page that a handshake comes from may connect to this dialect, and the cookies that count: only a page that
/// is listed has any. Browsers send cookies with a WebSocket's handshake from any page.
fn from_page<'a>(
    app: &App,
    dialect: &Dialect,
    handshake: &'a Handshake,
) -> Result<Option<&'a str>, Rejection> {
    let origins = dialect.origins().unwrap_or(&app.config.server.origins);
    match origins.judge(handshake.origin.as_deref()) {
        Verdict::Foreign => Err(Code::Forbidden.into()),
        Verdict::Anyone => Ok(None),
        Verdict::Listed | Verdict::NoOrigin => Ok(handshake.cookies.as_deref()),
    }
}

fn log(dialect: &Dialect, wire: &Wire, handshake: &Handshake, outcome: &Result<Newcomer, Rejection>) {
    let result = outcome.as_ref().map_or_else(|rejection| rejection.code.as_str(), |_| "ok");
    let identity = outcome.as_ref().ok().and_then(|newcomer| newcomer.identity.as_ref());
    let name = dialect.name().to_owned();
    metrics::counter!(crate::metrics::CONNECTS.name, "dialect" => name, "result" => result).increment(1);
    tracing::info!(
        result,
        user = identity.map(|identity| identity.user.id.as_str()),
        address = wire.address().map(tracing::field::display),
        user_agent = handshake.user_agent.as_deref(),
        transport = wire.transport().as_str(),
        dialect = dialect.name(),
        "connect"
    );
}

/// Where a new session is connected.
pub(super) struct SocketOf {
    pub(super) dialect: Arc<Dialect>,
    pub(super) namespace: Arc<str>,
    pub(super) wire: Arc<Wire>,
    /// What the handshake implies.
    pub(super) conversation: Option<ConversationId>,
    /// What the user is there.
    pub(super) role: Option<Arc<str>>,
    /// Among the user's sockets.
    pub(super) place: Option<Place<UserId>>,
}

/// A socket that is to say by an event who it is.
fn new_stranger(app: &App, socket: SocketOf) -> Arc<Stranger> {
    let patience = patience(app, &socket.dialect);
    let SocketOf { dialect, namespace, wire, conversation, .. } = socket;
    let stranger = Stranger::new(dialect, namespace, conversation, wire, patience);
    identify::expect(app, &stranger);
    stranger
}

fn patience(app: &App, dialect: &Dialect) -> Patience {
    let limits = &app.config.limits;
    Patience {
        rate: dialect.pace(limits.events),
        refusals: limits.abuse_refusals,
        refusals_in: limits.abuse_window,
    }
}

pub(super) fn new_session(app: &App, identity: Identity, socket: SocketOf) -> Arc<Session> {
    static KEYS: AtomicU64 = AtomicU64::new(1);
    let patience = patience(app, &socket.dialect);
    let SocketOf { dialect, namespace, wire, conversation, role, place } = socket;
    Session::new(NewSession {
        key: KEYS.fetch_add(1, Ordering::Relaxed),
        id: SessionId::from_random(rand::random()),
        identity,
        dialect,
        namespace,
        conversation,
        role,
        wire,
        place,
        patience,
    })
}

/// Opens a session's way out and notes that it is there, once: whichever comes first of the socket's first event and
/// its handler. socketioxide runs that as a task of its own. When it returns, the presence is noted, whichever did it.
pub(super) fn opened(app: &App, session: &Arc<Session>, socket: impl FnOnce() -> SocketRef) {
    if !session.is_connecting() {
        return;
    }
    // Before the way out is open: who finds it open takes events in, which may need the presence.
    app.presence.connected(session);
    if !session.open(socket) {
        return;
    }
    metrics::gauge!(crate::metrics::CONNECTIONS.name, "dialect" => session.dialect.name().to_owned())
        .increment(1);
    app.expiry.watch(session, session.expires_at());
    // It may have been forgotten just before.
    if session.has_ended() {
        app.expiry.forget(session.key);
    }
}

/// Runs once a socket, whatever it has sent already. One that has ended meanwhile is not greeted: the user's worker sees
/// to that.
async fn connected(socket: SocketRef) {
    let Some(Connected { app, seat: Seat::Session(session) }) = socket.extensions.get::<Connected>() else {
        return;
    };
    opened(&app, &session, || socket.clone());
    if !implied::enter(&app, &session).await {
        return;
    }
    implied::go_on(&app, &session);
    greet(&app, &session, &socket).await;
}

/// Tells a socket who and where it is, as soon as it hears what happens to its user.
pub(super) async fn greet(app: &App, session: &Arc<Session>, socket: &SocketRef) {
    let (user, id) = (session.profile(), socket.id.to_string());
    let ready = view::session_ready(&Ready {
        user: &user,
        session: &session.id,
        socket: &id,
        conversation: session.implied_conversation(),
        role: session.role().or(user.role.as_deref()),
        dialect: session.dialect.name(),
        ping_interval: Some(app.config.socket.ping_interval),
    });
    let greeted = Arc::clone(session);
    app.users.connected(session, Box::new(move || greeted.tell(&ready))).await;
}

/// Why a socket has gone, for metrics. What the gateway did itself the engine takes for an end of the transport.
fn why(wire: &Wire, reason: DisconnectReason) -> &'static str {
    if wire.killed().is_some_and(|reason| reason != KillReason::Broken) {
        return "killed";
    }
    match reason {
        DisconnectReason::ClientNSDisconnect => "client",
        DisconnectReason::TransportClose => "transport_close",
        DisconnectReason::TransportError => "transport_error",
        DisconnectReason::HeartbeatTimeout => "ping_timeout",
        DisconnectReason::ServerNSDisconnect => "server",
        DisconnectReason::MultipleHttpPollingError | DisconnectReason::PacketParsingError => "protocol",
        DisconnectReason::ClosingServer => "shutdown",
    }
}

async fn disconnected(socket: SocketRef, reason: DisconnectReason) {
    let Some(Connected { app, seat }) = socket.extensions.remove::<Connected>() else {
        return;
    };
    let session = match seat {
        Seat::Session(session) => session,
        Seat::Stranger(stranger) => match stranger.end() {
            Some(session) => session,
            None => return,
        },
    };
    let (joined, was_open) = session.end();
    app.expiry.forget(session.key);
    app.typing.gone(session.key);
    if was_open {
        metrics::gauge!(crate::metrics::CONNECTIONS.name, "dialect" => session.dialect.name().to_owned())
            .decrement(1);
        let reason = why(&session.wire, reason);
        metrics::counter!(crate::metrics::DISCONNECTS.name, "reason" => reason).increment(1);
    }
    app.presence.disconnected(&session.user, &session.id);
    tracing::debug!(%reason, user = %session.user, session = %session.id, "disconnect");
    app.users.gone(&session).await;
    app.fanout.gone(session.key, joined).await;
}
