//! A gateway as a function of its configuration, two listeners and a lifecycle: several fit in one process.

mod error;
mod parts;
mod reload;

use std::{net::SocketAddr, sync::Arc};

use axum::Router;
use parlance_chassis::{admin, clock::Clock, lifecycle::Handle, listen, readiness::Readiness};
use tokio::net::TcpListener;

use crate::{
    auth::Auth,
    config::{Config, ServerSection},
    dialect::Catalog,
    drain::{self, Stages},
    listener::{self, HttpLimits},
    metrics, rest,
    socket::{
        connect::{self, Namespaces},
        wire::{self, SlowReader, SocketPath, SocketPaths, WireConfig},
    },
    web::{self, origins::AllowedNow},
};
pub use error::StartError;
use parts::Started;
use reload::Served;

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
    // Before the files are read for the first time: nothing that is asked for meanwhile is missed.
    let reloads = lifecycle.reloads();
    let readiness = Readiness::new(lifecycle);
    let check = readiness.check("subscriptions");
    let (auth, fetching) = Auth::new(&config.auth, config.gateway.policy);
    if let Some(fetching) = fetching {
        let keys = readiness.check("token keys");
        lifecycle.spawn_support("published keys", fetching.run(keys, lifecycle.hard()));
    }
    // Started first: probes see a gateway that is alive and not ready while it connects.
    let admin = admin::serve(admin, readiness, recorder, lifecycle, Router::new())?;

    let stages = Stages::new(lifecycle);
    // On the heap: starting takes a large state, once.
    let started = Box::pin(parts::start(config, clock, auth, lifecycle, &stages, check));
    let Started { app, cluster, outgoing } = started.await?;
    let dialects = app.dialects.catalog();
    let paths = SocketPaths::new(socket_paths(&app.config.server, &dialects)?);
    let server = &app.config.server;
    let (origins, hsts) = (AllowedNow::new(dialects.origins(&server.origins)), server.hsts);
    let entrance = Some(Arc::clone(app.limits.entrance()));
    let wire_config = WireConfig { entrance, ..wire_config(&app.config, paths.clone(), origins.clone()) };
    let http_limits = HttpLimits { connections: app.config.limits.http_connections, ..HttpLimits::default() };
    let (sockets, io, wires) = wire::build(cluster.builder(), wire_config, lifecycle)?;
    let namespaces = Namespaces::default();
    connect::open(&io, &app, &dialects, &namespaces).await?;
    lifecycle
        .spawn_support("events for everyone", outgoing.run(io.clone(), namespaces.clone(), lifecycle.hard()));
    drain::start(app.config.drain, wires, stages.clone(), lifecycle);
    let served = Served { io, namespaces, paths: paths.clone(), origins: origins.clone() };
    lifecycle.spawn("reload", reload::run(app.clone(), served, reloads, lifecycle.soft()));

    let rest = rest::around(app, &origins);
    let routes = web::around(wire::in_front_of(rest, sockets, paths), hsts);
    let address = public.local_addr()?;
    listener::serve(public, routes, http_limits, stages.deaf, lifecycle);
    tracing::info!(%address, %admin, "gateway is listening");
    Ok(Addresses { public: address, admin })
}

/// The configured path and those that dialects claim.
fn socket_paths(server: &ServerSection, dialects: &Catalog) -> Result<Vec<SocketPath>, StartError> {
    let all = std::iter::once(server.socket_path.as_str()).chain(dialects.paths());
    let free = all.map(|path| match SocketPath::parse(path) {
        Ok(_) if rest::serves_by(server, path) => Err(StartError::TakenPath(path.to_owned())),
        parsed => Ok(parsed?),
    });
    free.collect()
}

fn wire_config(config: &Config, paths: SocketPaths, origins: AllowedNow) -> WireConfig {
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
        packets: wire::packets_beside(config.limits.events),
        ..WireConfig::default()
    }
}
