//! From a handshake to a session: which dialect, who it is, and what the socket is told first.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::future::try_join_all;
use governor::Quota;
use parlance_domain::{
    id::SessionId,
    rejection::{Code, Rejection},
    user::Profile,
};
use serde_json::Value;
use socketioxide::{extract::Data, handler::ConnectHandler, socket::DisconnectReason};
use socketioxide_redis::InitError;

use super::{
    cluster::{ClusterDriver, Io, SocketRef},
    receive::{Connected, TakeIn},
    session::{NewSession, Session},
    wire::{Handshake, Wire, WireSlot},
};
use crate::{
    app::App,
    auth::{Identity, find_token},
    dialect::{Dialect, view},
};

/// The namespace that a client uses when its URL names none.
const ROOT: &str = "/";

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
    let outcome = authenticate(&app, handshake, auth.as_ref()).await;
    log(&dialect, &wire, handshake, &outcome);
    let Identity { user, expires_at } = outcome.map_err(|rejection| Refusal(dialect.refusal(&rejection)))?;
    let session = new_session(&app, user, dialect, namespace, wire);
    app.expiry.watch(&session, expires_at);
    socket.extensions.insert(Connected { app, session });
    socket.on_fallback(async |_: TakeIn| {});
    socket.on_disconnect(disconnected);
    Ok(())
}

fn select(app: &App, socket: &SocketRef, handshake: &Handshake) -> Option<Arc<Dialect>> {
    let query = handshake.query_value("dialect");
    app.dialects.select(socket.ns(), query.as_deref(), handshake.host.as_deref(), &handshake.path)
}

async fn authenticate(app: &App, handshake: &Handshake, auth: Option<&Value>) -> Result<Identity, Rejection> {
    let token = find_token(&app.config.auth, auth, handshake).ok_or(Code::TokenMissing)?;
    let Identity { user: claims, expires_at } = app.auth.verify(&token, app.clock())?;
    // The claims refresh what is stored of the user, and what is stored completes them.
    let user = app.store.upsert_user_claims(&claims).await.unwrap_or_else(|error| {
        tracing::warn!(%error, user = %claims.id, "failed to store a user's claims");
        claims
    });
    Ok(Identity { user, expires_at })
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

fn new_session(
    app: &App,
    profile: Profile,
    dialect: Arc<Dialect>,
    namespace: Arc<str>,
    wire: Arc<Wire>,
) -> Arc<Session> {
    static KEYS: AtomicU64 = AtomicU64::new(1);
    let limits = &app.config.limits;
    let per_second = NonZeroU32::new(limits.events_per_second).unwrap_or(NonZeroU32::MIN);
    let burst = NonZeroU32::new(limits.events_burst).unwrap_or(NonZeroU32::MIN);
    Session::new(NewSession {
        key: KEYS.fetch_add(1, Ordering::Relaxed),
        id: SessionId::from_random(rand::random()),
        profile,
        dialect,
        namespace,
        wire,
        quota: Quota::per_second(per_second).allow_burst(burst),
    })
}

async fn connected(socket: SocketRef) {
    let Some(Connected { app, session }) = socket.extensions.get::<Connected>() else {
        return;
    };
    if !session.open(|| socket.clone()) {
        return;
    }
    metrics::gauge!(crate::metrics::CONNECTIONS.name, "dialect" => session.dialect.name().to_owned())
        .increment(1);
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
    if was_open {
        metrics::gauge!(crate::metrics::CONNECTIONS.name, "dialect" => session.dialect.name().to_owned())
            .decrement(1);
    }
    tracing::debug!(%reason, user = %session.user, session = %session.id, "disconnect");
    app.users.gone(&session).await;
    app.fanout.gone(session.key, joined).await;
}
