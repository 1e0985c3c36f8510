//! From a handshake to a session: which dialect, who it is, and what the socket is told first.

use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::future::try_join_all;
use parlance_domain::{
    id::{SessionId, UserId},
    rejection::{Code, Rejection},
    user::Profile,
};
use serde_json::Value;
use socketioxide::{extract::Data, handler::ConnectHandler, socket::DisconnectReason};
use socketioxide_redis::InitError;

use super::{
    cluster::{ClusterDriver, Io, SocketRef},
    receive::{Connected, TakeIn},
    session::{NewSession, Patience, Session},
    wire::{Handshake, KillReason, Wire, WireSlot},
};
use crate::{
    app::App,
    auth::{Identity, find_token},
    dialect::{Dialect, view},
    limits::{Place, rate_limited},
    web::origins::Verdict,
};

/// The namespace that a client uses when its URL names none.
const ROOT: &str = "/";
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

/// Opens the namespaces of all dialects. When it returns, what other gateways say to all sockets is heard.
///
/// # Errors
/// When Redis is away, or a namespace cannot be part of a channel's name.
pub async fn register(io: &Io, app: &App) -> Result<(), InitError<ClusterDriver>> {
    let own = app.dialects.namespaces().filter(|namespace| *namespace != ROOT);
    let opened = own.chain([ROOT]).map(|namespace| {
        let (app, path) = (app.clone(), Arc::<str>::from(namespace));
        // Handlers are registered before the CONNECT packet is sent: a client may emit right after it.
        let middleware = async move |socket: SocketRef, Data(auth): Data<Option<Value>>| {
            admit(app, socket, path, auth).await
        };
        io.ns(namespace.to_owned(), connected.with(middleware))
    });
    try_join_all(opened).await?;
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
        Ok(handshake) => authenticate(&app, &dialect, &handshake, auth.as_ref()).await,
        Err(rejection) => Err(rejection),
    };
    let mut place = None;
    let outcome = outcome.and_then(|identity| {
        place = Some(app.limits.connect(&identity.user.id)?);
        Ok(identity)
    });
    log(&dialect, &wire, handshake, &outcome);
    let identity = outcome.map_err(|rejection| refuse(&dialect, &wire, &rejection))?;
    let socket_of = SocketOf { dialect, namespace, wire, place };
    let session = new_session(&app, identity, socket_of);
    socket.extensions.insert(Connected { app, session });
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
fn may_connect(app: &App, wire: &Wire) -> Result<(), Rejection> {
    if wire.count_connect() < FREE_CONNECTS {
        return Ok(());
    }
    app.limits.entrance().knock(wire.address()).map_err(rate_limited)
}

fn select(app: &App, socket: &SocketRef, handshake: &Handshake) -> Option<Arc<Dialect>> {
    let query = handshake.query_value("dialect");
    app.dialects.select(socket.ns(), query.as_deref(), handshake.host.as_deref(), &handshake.path)
}

/// The handshake as far as the page where it comes from may make it: whether the page may connect to this dialect, and its
/// cookies only if it is listed. Browsers send cookies with a WebSocket's handshake from any page.
fn from_page<'a>(
    app: &App,
    dialect: &Dialect,
    handshake: &'a Handshake,
) -> Result<Cow<'a, Handshake>, Rejection> {
    let origins = dialect.origins().unwrap_or(&app.config.server.origins);
    match origins.judge(handshake.origin.as_deref()) {
        Verdict::Foreign => Err(Code::Forbidden.into()),
        Verdict::Anyone => Ok(Cow::Owned(handshake.without_cookies())),
        Verdict::Listed | Verdict::NoOrigin => Ok(Cow::Borrowed(handshake)),
    }
}

async fn authenticate(
    app: &App,
    dialect: &Dialect,
    handshake: &Handshake,
    auth: Option<&Value>,
) -> Result<Identity, Rejection> {
    let Some(token) = find_token(&app.config.auth, auth, handshake) else {
        return insecure(app, dialect, handshake, auth).await;
    };
    let identity = app.identify(&token).await?;
    // The claims refresh what is stored of the user, and what is stored completes them.
    let user = app.store.upsert_user_claims(&identity.user).await.unwrap_or_else(|error| {
        tracing::warn!(%error, user = %identity.user.id, "failed to store a user's claims");
        identity.user.clone()
    });
    Ok(Identity { user, ..identity })
}

/// Who a client without a token says it is, if its dialect is one of those where that is enough. Whoever it is, he gets no
/// role by saying so.
async fn insecure(
    app: &App,
    dialect: &Dialect,
    handshake: &Handshake,
    auth: Option<&Value>,
) -> Result<Identity, Rejection> {
    let is_insecure = app.config.auth.insecure_dialects.iter().any(|name| name == dialect.name());
    // What guards the dialect's own path must not be got past by naming the dialect elsewhere.
    if !is_insecure || !dialect.is_at(handshake.host.as_deref(), &handshake.path) {
        return Err(Code::TokenMissing.into());
    }
    let claimed = dialect.claimed_user(auth, |name| handshake.query_value(name)).ok_or(Code::TokenMissing)?;
    let claimed = Identity::claimed(claimed);
    let user = app.profile_of(claimed.user.id.clone()).await.unwrap_or_else(|_| claimed.user.clone());
    Ok(Identity { user: Profile { role: None, ..user }, ..claimed })
}

fn log(dialect: &Dialect, wire: &Wire, handshake: &Handshake, outcome: &Result<Identity, Rejection>) {
    let result = outcome.as_ref().map_or_else(|rejection| rejection.code.as_str(), |_| "ok");
    let name = dialect.name().to_owned();
    metrics::counter!(crate::metrics::CONNECTS.name, "dialect" => name, "result" => result).increment(1);
    tracing::info!(
        result,
        user = outcome.as_ref().ok().map(|identity| identity.user.id.as_str()),
        address = wire.address().map(tracing::field::display),
        user_agent = handshake.user_agent.as_deref(),
        transport = wire.transport().as_str(),
        dialect = dialect.name(),
        "connect"
    );
}

/// Where a new session is connected.
struct SocketOf {
    dialect: Arc<Dialect>,
    namespace: Arc<str>,
    wire: Arc<Wire>,
    place: Option<Place<UserId>>,
}

fn new_session(app: &App, identity: Identity, socket: SocketOf) -> Arc<Session> {
    static KEYS: AtomicU64 = AtomicU64::new(1);
    let SocketOf { dialect, namespace, wire, place } = socket;
    let limits = &app.config.limits;
    Session::new(NewSession {
        key: KEYS.fetch_add(1, Ordering::Relaxed),
        id: SessionId::from_random(rand::random()),
        identity,
        dialect,
        namespace,
        wire,
        place,
        patience: Patience {
            rate: limits.events,
            refusals: limits.abuse_refusals,
            refusals_in: limits.abuse_window,
        },
    })
}

/// Opens a session's way out and notes that it is there, once: whichever comes first of the socket's first event and
/// its handler. socketioxide runs that as a task of its own.
pub(super) fn opened(app: &App, session: &Arc<Session>, socket: impl FnOnce() -> SocketRef) {
    if !session.open(socket) {
        return;
    }
    metrics::gauge!(crate::metrics::CONNECTIONS.name, "dialect" => session.dialect.name().to_owned())
        .increment(1);
    app.presence.connected(session);
    app.expiry.watch(session, session.expires_at());
    // It may have been forgotten just before.
    if session.has_ended() {
        app.expiry.forget(session.key);
    }
}

/// Runs once a socket, whatever it has sent already. One that has ended meanwhile is not greeted: the user's worker sees
/// to that.
async fn connected(socket: SocketRef) {
    let Some(Connected { app, session }) = socket.extensions.get::<Connected>() else {
        return;
    };
    opened(&app, &session, || socket.clone());
    let interval = Some(app.config.socket.ping_interval);
    let ready = view::session_ready(&session.profile(), &session.id, session.dialect.name(), interval);
    let greeted = session.clone();
    app.users.connected(&session, Box::new(move || greeted.tell(&ready))).await;
}

async fn disconnected(socket: SocketRef, reason: DisconnectReason) {
    let Some(Connected { app, session }) = socket.extensions.remove::<Connected>() else {
        return;
    };
    let (joined, was_open) = session.end();
    app.expiry.forget(session.key);
    app.typing.gone(session.key);
    if was_open {
        metrics::gauge!(crate::metrics::CONNECTIONS.name, "dialect" => session.dialect.name().to_owned())
            .decrement(1);
    }
    app.presence.disconnected(&session.user, &session.id);
    tracing::debug!(%reason, user = %session.user, session = %session.id, "disconnect");
    app.users.gone(&session).await;
    app.fanout.gone(session.key, joined).await;
}
