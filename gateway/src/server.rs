//! A gateway as a function of its configuration, two listeners and a lifecycle: several fit in one process.

mod error;
mod parts;

use std::{net::SocketAddr, sync::Arc};

use axum::Router;
use parlance_chassis::{admin, clock::Clock, lifecycle::Handle, listen, metrics, readiness::Readiness};
use tokio::net::TcpListener;

use crate::{
    app::App,
    auth::Auth,
    broadcast::Outgoing,
    config::Config,
    listener::{self, HttpLimits},
    rest,
    socket::{
        cluster::Io,
        connect,
        wire::{self, KillReason, SlowReader, SocketPath, WireConfig, Wires},
    },
    web::{self, origins::Allowed},
};
pub use error::StartError;
use parts::Started;

/// Where a started gateway listens.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    /// Socket.IO and REST.
    pub public: SocketAddr,
    /// `/live`, `/ready`, `/metrics`.
    pub admin: SocketAddr,
}

/// Binds the configured ports and starts.
///
/// # Errors
/// See [`StartError`].
pub async fn run(config: Config, lifecycle: &Handle) -> Result<Addresses, StartError> {
    let public = listen::bind(&config.server.host, config.server.port).await?;
    let admin = listen::bind(&config.admin.host, config.admin.port).await?;
    start(config, Clock::system(), public, admin, lifecycle).await
}

/// Starts a gateway on these listeners; it ends with `lifecycle`.
///
/// # Errors
/// See [`StartError`].
pub async fn start(
    config: Config,
    clock: Clock,
    public: TcpListener,
    admin: TcpListener,
    lifecycle: &Handle,
) -> Result<Addresses, StartError> {
    let recorder = metrics::install()?;
    metrics::describe(crate::metrics::METRICS);
    metrics::describe(wire::METRICS);
    let readiness = Readiness::new(lifecycle);
    let check = readiness.check("subscriptions");
    let (auth, fetching) = Auth::new(&config.auth, config.gateway.policy);
    if let Some(fetching) = fetching {
        let keys = readiness.check("token keys");
        lifecycle.spawn_support("published keys", fetching.run(keys, lifecycle.hard()));
    }
    // Started first: probes see a gateway that is alive and not ready while it connects.
    let admin = admin::serve(admin, readiness, recorder, lifecycle, Router::new())?;

    // On the heap: starting takes a large state, once.
    let started = Box::pin(parts::start(config, clock, auth, lifecycle, check));
    let Started { app, cluster, outgoing } = started.await?;
    let paths = socket_paths(&app)?;
    let (origins, hsts) = (app.dialects.origins(&app.config.server.origins), app.config.server.hsts);
    let entrance = Some(Arc::clone(app.limits.entrance()));
    let wire_config = WireConfig { entrance, ..wire_config(&app.config, paths, origins.clone()) };
    let http_limits = HttpLimits { connections: app.config.limits.http_connections, ..HttpLimits::default() };
    let (sockets, io, wires) = wire::build(cluster.builder(), wire_config, lifecycle)?;
    connect::register(&io, &app).await?;
    broadcast(outgoing, io, &app);
    close_at_soft_stop(wires, lifecycle);

    let routes = web::around(rest::router(app).layer(web::cors::rest(&origins)).merge(sockets), hsts);
    let address = public.local_addr()?;
    listener::serve(public, routes, http_limits, lifecycle);
    tracing::info!(%address, %admin, "gateway is listening");
    Ok(Addresses { public: address, admin })
}

fn broadcast(outgoing: Outgoing, io: Io, app: &App) {
    let namespaces = app.dialects.namespaces().map(str::to_owned).collect();
    let run = outgoing.run(io, namespaces, app.lifecycle.hard());
    app.lifecycle.spawn_support("events for everyone", run);
}

/// The configured path and those that dialects claim.
fn socket_paths(app: &App) -> Result<Vec<SocketPath>, StartError> {
    let own = [app.config.server.socket_path.clone()];
    let claimed = app.dialects.paths().map(|path| match SocketPath::parse(path) {
        Ok(_) if rest::serves(path) => Err(StartError::TakenPath(path.to_owned())),
        parsed => Ok(parsed?),
    });
    own.into_iter().map(Ok).chain(claimed).collect()
}

fn wire_config(config: &Config, paths: Vec<SocketPath>, origins: Allowed) -> WireConfig {
    let socket = &config.socket;
    WireConfig {
        paths,
        trusted_hops: config.server.trusted_hops,
        origins,
        ping_interval: socket.ping_interval,
        ping_timeout: socket.ping_timeout,
        connect_timeout: socket.connect_timeout,
        max_message_bytes: socket.max_payload,
        max_payload_bytes: socket.max_payload,
        slow_reader: SlowReader { deadline: socket.slow_reader_deadline, bytes: socket.slow_reader_bytes },
        fast_lane: socket.fast_lane,
        ..WireConfig::default()
    }
}

/// At the soft stop every client's transport is closed: clients see `transport close` and reconnect elsewhere.
fn close_at_soft_stop(wires: Arc<Wires>, lifecycle: &Handle) {
    let soft = lifecycle.soft();
    lifecycle.spawn("drain", async move {
        soft.cancelled().await;
        wires.kill_all(KillReason::Drain);
        wires.emptied().await;
        Ok::<(), std::convert::Infallible>(())
    });
}
