//! A gateway as a function of its configuration, two listeners and a lifecycle: several fit in one process.

use std::{net::SocketAddr, sync::Arc};

use axum::Router;
use parlance_broker::{
    Broker, BrokerConfig, BrokerError,
    append::{Appender, Bounds},
    members::Members,
    receipts::ReceiptLog,
    replica::ReplicaGate,
    stats as cluster_stats,
    subscriber::Subscriber,
};
use parlance_chassis::{
    admin,
    clock::Clock,
    exit,
    lifecycle::Handle,
    listen::{self, BindError},
    metrics::{self, InstallError},
    readiness::Readiness,
};
use parlance_store::{Store, StoreConfig, StoreError};
use socketioxide_redis::InitError;
use tokio::net::TcpListener;

use crate::{
    app::{App, Parts},
    auth::{Auth, ServiceKeys},
    broadcast::{Broadcasts, Outgoing},
    command::{
        append::{Acknowledgement, MOST_WAITING},
        receipts::Receipts,
    },
    config::Config,
    dialect::{Dialects, Mistake},
    fanout::{self, Fanout},
    limits::Limits,
    listener::{self, HttpLimits},
    membership::Membership,
    presence::{Presence, lease},
    pressure::Pressure,
    rest,
    socket::{
        cluster::{ClusterDriver, Io},
        connect,
        expiry::Expiry,
        wire::{self, KillReason, SlowReader, SocketPath, WireConfig, WireConfigError, Wires},
    },
    stats::{Sources, Stats},
    typing::Typing,
    uploads::{OpenError, Uploads},
    users::{self, Users},
    web::{self, origins::Allowed},
};

/// Why a gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port cannot be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The admin listener cannot be served.
    #[error("failed to serve the admin listener: {0}")]
    Admin(#[from] std::io::Error),
    /// There is no metrics recorder.
    #[error(transparent)]
    Metrics(#[from] InstallError),
    /// Redis is away, or disagrees about the partitions.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// Postgres is away, is not migrated, or disagrees about the partitions.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A setting of the Socket.IO endpoint cannot work.
    #[error(transparent)]
    Wire(#[from] WireConfigError),
    /// A dialect's Socket.IO path is malformed.
    #[error("dialects: {0}")]
    Path(#[from] wire::BadSocketPath),
    /// A dialect's Socket.IO path is one of the REST API.
    #[error("dialects: the path {0:?} belongs to the REST API")]
    TakenPath(String),
    /// A dialect's namespace cannot be part of a channel's name.
    #[error("dialects: a namespace has a `#`")]
    Namespace,
    /// The store of uploads cannot be opened.
    #[error(transparent)]
    Uploads(#[from] OpenError),
    /// Dialects that shall need no token are none.
    #[error("auth.insecure_dialects: there is no dialect {}", .0.join(", "))]
    InsecureDialects(Vec<String>),
    /// Dialect files have mistakes.
    #[error("dialects:{}", .0.iter().map(|mistake| format!("\n  {mistake}")).collect::<String>())]
    Dialects(Vec<Mistake>),
}

impl StartError {
    /// The exit code of a process that did not start: 64 when its configuration is at fault.
    pub fn exit_code(&self) -> u8 {
        match self {
            StartError::Wire(_)
            | StartError::Path(_)
            | StartError::TakenPath(_)
            | StartError::Uploads(_)
            | StartError::Namespace
            | StartError::InsecureDialects(_)
            | StartError::Dialects(_)
            | StartError::Broker(BrokerError::Layout { .. })
            | StartError::Store(StoreError::Layout { .. } | StoreError::Url) => exit::USAGE,
            _ => exit::FAILURE,
        }
    }
}

impl From<InitError<ClusterDriver>> for StartError {
    fn from(error: InitError<ClusterDriver>) -> Self {
        match error {
            InitError::Driver(error) => StartError::Broker(error),
            InitError::MalformedNamespace => StartError::Namespace,
        }
    }
}

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

    let (app, cluster, outgoing) = connect_parts(config, clock, auth, lifecycle, check).await?;
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

async fn connect_parts(
    config: Config,
    clock: Clock,
    auth: Auth,
    lifecycle: &Handle,
    check: parlance_chassis::readiness::Check,
) -> Result<(App, ClusterDriver, Outgoing), StartError> {
    let dialects = Dialects::load(config.gateway.dialects_folder.as_deref(), &config.gateway.dialect)
        .map_err(StartError::Dialects)?;
    announce_insecure(&config, &dialects)?;
    let broker = Broker::connect(broker_config(&config)).await?;
    broker.check_layout().await?;
    let store = Store::connect(&store_config(&config)).await?;
    store.check_schema().await?;
    store.check_layout(&broker.keys().partitions().layout()).await?;

    let lease = lease::keep(&broker, lease_terms(&config), lifecycle).await;
    let (subscriber, inbox) = Subscriber::connect(&broker).await?;
    let membership = Membership::new(config.gateway.policy, broker.clone(), store.clone());
    let users = Users::start(
        users::Parts {
            subscriber: subscriber.clone(),
            broker: broker.clone(),
            membership: membership.clone(),
            dialects: dialects.clone(),
            deadline: config.redis.command_deadline,
            workers: config.gateway.dispatch_workers,
        },
        lifecycle,
    );
    let presence =
        Presence::start(&broker, lease.clone(), clock.clone(), config.redis.command_deadline, lifecycle);
    let cluster = ClusterDriver::new(broker.clone(), subscriber.clone());
    let (broadcasts, outgoing) = Broadcasts::new(config.redis.command_deadline);
    let receipts = Receipts::default();
    let typing = Typing::new(config.limits.joined_conversations);
    let expire = typing.clone().run(broker.clone(), clock.clone(), lifecycle.hard());
    lifecycle.spawn_support("typing expiry", expire);
    let fanout = Fanout::start(
        fanout::Parts {
            broker: broker.clone(),
            subscriber,
            inbox,
            users: users.clone(),
            cluster: cluster.clone(),
            store: store.clone(),
            dialects: dialects.clone(),
            membership: membership.clone(),
            receipts: receipts.clone(),
            typing: typing.clone(),
            check,
            workers: config.gateway.dispatch_workers,
            compare_every: config.gateway.compare_interval,
            lease: lease.clone(),
            announced_members: config.presence.announced_members,
        },
        lifecycle,
    );
    let limits = &config.limits;
    let log = ReceiptLog::new(
        broker.clone(),
        Bounds { entries: limits.receipts_entries, bytes: limits.receipts_bytes },
    );
    let write = receipts.clone().run(log, clock.clone(), config.gateway.receipts_interval, lifecycle.hard());
    lifecycle.spawn_support("receipts", write);
    let replicas = match config.gateway.acknowledgement {
        Acknowledgement::Stream => None,
        Acknowledgement::Replica => Some(replica_gate(&broker, lifecycle).await?),
    };
    let pressure = Pressure::default();
    lifecycle.spawn_support("memory pressure", pressure.clone().watch(broker.clone(), lifecycle.hard()));
    let expiry = Expiry::new(config.auth.expiry_warning, config.auth.leeway);
    lifecycle.spawn_support("token expiry", expiry.clone().run(clock.clone(), lifecycle.hard()));
    let bounds = Bounds { entries: limits.ingest_entries, bytes: limits.ingest_bytes };
    let limits = Limits::new(&config.limits, &dialects);
    lifecycle.spawn_support("limits", limits.clone().tidy(lifecycle.hard()));
    let stats = Stats::new(cluster_stats::Stats::new(broker.clone()));
    let sources = Sources { presence: presence.clone(), fanout: fanout.clone() };
    lifecycle.spawn_support("stats", stats.clone().report(sources, lease, lifecycle.hard()));
    let app = App::new(Parts {
        auth,
        service_keys: ServiceKeys::new(&config.auth.service_keys),
        appender: Appender::new(broker.clone(), bounds),
        members: Members::new(broker.clone()),
        stats,
        broker,
        store,
        dialects,
        membership,
        replicas,
        pressure,
        receipts,
        uploads: Uploads::open(&config.uploads)?,
        expiry,
        typing,
        limits,
        fanout,
        users,
        presence,
        broadcasts,
        clock,
        lifecycle: lifecycle.clone(),
        config,
    });
    Ok((app, cluster, outgoing))
}

/// Says loudly which dialects have no authentication.
///
/// # Errors
/// When one of them is none.
fn announce_insecure(config: &Config, dialects: &Dialects) -> Result<(), StartError> {
    let insecure = &config.auth.insecure_dialects;
    let unknown: Vec<String> = insecure.iter().filter(|name| dialects.get(name).is_none()).cloned().collect();
    if !unknown.is_empty() {
        return Err(StartError::InsecureDialects(unknown));
    }
    if !insecure.is_empty() {
        tracing::warn!(
            dialects = insecure.join(","),
            "INSECURE: clients of these dialects need no token and are whoever they say they are \
             (auth.insecure_dialects)"
        );
    }
    for name in insecure {
        ::metrics::gauge!(crate::metrics::INSECURE_DIALECTS.name, "dialect" => name.clone()).set(1.0);
    }
    Ok(())
}

fn broadcast(outgoing: Outgoing, io: Io, app: &App) {
    let namespaces = app.dialects.namespaces().map(str::to_owned).collect();
    let run = outgoing.run(io, namespaces, app.lifecycle.hard());
    app.lifecycle.spawn_support("events for everyone", run);
}

async fn replica_gate(broker: &Broker, lifecycle: &Handle) -> Result<ReplicaGate, BrokerError> {
    let (gate, rounds) = ReplicaGate::connect(broker, MOST_WAITING).await?;
    let hard = lifecycle.hard();
    lifecycle.spawn_support("replica confirmations", async move {
        rounds.run(hard.cancelled_owned()).await;
        Ok::<(), std::convert::Infallible>(())
    });
    Ok(gate)
}

fn broker_config(config: &Config) -> BrokerConfig {
    let redis = &config.redis;
    BrokerConfig {
        url: redis.url.expose().to_owned(),
        prefix: redis.prefix.clone(),
        partitions: redis.partitions,
        deadline: redis.command_deadline,
    }
}

fn store_config(config: &Config) -> StoreConfig {
    let postgres = &config.postgres;
    StoreConfig {
        url: postgres.url.expose().to_owned(),
        name: "parlance-gateway",
        connections: postgres.pool_size,
        deadline: postgres.statement_deadline,
    }
}

fn lease_terms(config: &Config) -> lease::Terms {
    let presence = &config.presence;
    lease::Terms { gateway: config.gateway.name.clone(), ttl: presence.ttl, linger: presence.linger }
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
