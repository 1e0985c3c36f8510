//! The parts of a gateway, started in the order in which they need each other.

use std::convert::Infallible;

use parlance_broker::{
    Broker, BrokerConfig, BrokerError,
    append::{Appender, Bounds},
    members::Members,
    receipts::ReceiptLog,
    replica::ReplicaGate,
    stats as cluster_stats,
    subscriber::Subscriber,
};
use parlance_chassis::{clock::Clock, lifecycle::Handle, readiness::Check, traces::Traces};
use parlance_store::{Store, StoreConfig};

use super::StartError;
use crate::{
    app::{App, Parts},
    auth::{Auth, ServiceKeys},
    broadcast::{Broadcasts, Outgoing},
    command::{
        append::{Acknowledgement, MOST_WAITING},
        receipts::{Receipts, writer::Writer},
    },
    config::Config,
    dialect::{Catalog, Dialects},
    drain::Stages,
    fanout::{self, Fanout},
    gauges::Gauges,
    limits::Limits,
    membership::Membership,
    presence::{
        Presence,
        lease::{self, Lease},
    },
    pressure::Pressure,
    socket::{cluster::ClusterDriver, expiry::Expiry},
    stats::{Sources, Stats},
    typing::Typing,
    uploads::Uploads,
    users::{self, Users},
};

/// What is there before anything is started: the configuration, what came of it, and what it names.
struct Ground<'a> {
    config: Config,
    clock: Clock,
    dialects: Dialects,
    broker: Broker,
    store: Store,
    membership: Membership,
    traces: Traces,
    lifecycle: &'a Handle,
}

/// The parts, and what Socket.IO is made with.
pub(super) struct Started {
    pub(super) app: App,
    pub(super) cluster: ClusterDriver,
    pub(super) outgoing: Outgoing,
}

/// Connects to Redis and Postgres and starts everything that does not need the public listener.
pub(super) async fn start(
    config: Config,
    clock: Clock,
    auth: Auth,
    lifecycle: &Handle,
    stages: &Stages,
    subscriptions: Check,
) -> Result<Started, StartError> {
    let ground = ground(config, clock, lifecycle).await?;
    let Ground { config, clock, dialects, broker, store, membership, .. } = &ground;
    let lease = lease::keep(broker, lease_terms(config), lifecycle).await;
    let (subscriber, inbox) = Subscriber::connect(broker).await?;
    let users = start_users(&ground, &subscriber);
    let deadline = config.redis.command_deadline;
    let presence = Presence::start(broker, lease.clone(), clock.clone(), deadline, lifecycle, stages);
    let cluster = ClusterDriver::new(broker.clone(), subscriber.clone());
    let (broadcasts, outgoing) = Broadcasts::new(deadline);
    let receipts = start_receipts(&ground);
    let typing = start_typing(&ground);
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
            check: subscriptions,
            workers: config.gateway.dispatch_workers,
            clock: clock.clone(),
            compare_every: config.gateway.compare_interval,
            lease: lease.clone(),
            announced_members: config.presence.announced_members,
            closing: stages.closing.clone(),
            traces: ground.traces.clone(),
        },
        lifecycle,
    );
    let replicas = match config.gateway.acknowledgement {
        Acknowledgement::Stream => None,
        Acknowledgement::Replica => Some(replica_gate(broker, lifecycle).await?),
    };
    let sources = Sources { presence: presence.clone(), fanout: fanout.clone() };
    let stats = start_stats(&ground, sources, lease);
    start_gauges(&ground, &presence, &fanout);
    let bounds = Bounds { entries: config.limits.ingest_entries, bytes: config.limits.ingest_bytes };
    let app = App::new(Parts {
        auth,
        service_keys: ServiceKeys::new(&config.auth.service_keys),
        appender: Appender::new(broker.clone(), bounds),
        members: Members::new(broker.clone()),
        stats,
        replicas,
        pressure: start_pressure(&ground),
        receipts,
        uploads: Uploads::open(&config.uploads)?,
        expiry: start_expiry(&ground),
        typing,
        limits: start_limits(&ground),
        fanout,
        users,
        presence,
        broadcasts,
        lifecycle: lifecycle.clone(),
        traces: ground.traces,
        broker: ground.broker,
        store: ground.store,
        dialects: ground.dialects,
        membership: ground.membership,
        clock: ground.clock,
        config: ground.config,
    });
    Ok(Started { app, cluster, outgoing })
}

async fn ground(config: Config, clock: Clock, lifecycle: &Handle) -> Result<Ground<'_>, StartError> {
    let dialects = Dialects::load(config.gateway.selection()).map_err(StartError::Dialects)?;
    check_insecure(&config, &dialects.catalog())?;
    announce_insecure(&config);
    let traces = Traces::start(&config.traces, "parlance-gateway", lifecycle)?;
    let broker = Broker::connect(broker_config(&config)).await?;
    broker.check_layout().await?;
    let store = Store::connect(&store_config(&config)).await?;
    store.check_schema().await?;
    store.check_layout(&broker.keys().partitions().layout()).await?;
    let membership = Membership::new(config.gateway.policy, broker.clone(), store.clone());
    Ok(Ground { config, clock, dialects, broker, store, membership, traces, lifecycle })
}

/// Whether the dialects that shall need no token are some.
pub(super) fn check_insecure(config: &Config, dialects: &Catalog) -> Result<(), StartError> {
    let insecure = &config.auth.insecure_dialects;
    let unknown: Vec<String> = insecure.iter().filter(|name| dialects.get(name).is_none()).cloned().collect();
    if unknown.is_empty() { Ok(()) } else { Err(StartError::InsecureDialects(unknown)) }
}

/// Says loudly which dialects have no authentication.
fn announce_insecure(config: &Config) {
    let insecure = &config.auth.insecure_dialects;
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
}

fn start_users(ground: &Ground<'_>, subscriber: &Subscriber) -> Users {
    let parts = users::Parts {
        subscriber: subscriber.clone(),
        broker: ground.broker.clone(),
        membership: ground.membership.clone(),
        dialects: ground.dialects.clone(),
        deadline: ground.config.redis.command_deadline,
        workers: ground.config.gateway.dispatch_workers,
    };
    Users::start(parts, ground.lifecycle)
}

fn start_receipts(ground: &Ground<'_>) -> Receipts {
    let Ground { config, clock, broker, store, dialects, lifecycle, .. } = ground;
    let limits = &config.limits;
    let bounds = Bounds { entries: limits.receipts_entries, bytes: limits.receipts_bytes };
    let receipts = Receipts::default();
    let log = ReceiptLog::new(broker.clone(), bounds);
    let (broker, store) = (broker.clone(), store.clone());
    let writer = Writer { log, broker, store, dialects: dialects.clone(), clock: clock.clone() };
    let write = writer.run(receipts.clone(), config.gateway.receipts_interval, lifecycle.hard());
    lifecycle.spawn_support("receipts", write);
    receipts
}

fn start_typing(ground: &Ground<'_>) -> Typing {
    let Ground { config, clock, broker, lifecycle, .. } = ground;
    let typing = Typing::new(config.limits.joined_conversations);
    let expire = typing.clone().run(broker.clone(), clock.clone(), lifecycle.hard());
    lifecycle.spawn_support("typing expiry", expire);
    typing
}

fn start_pressure(ground: &Ground<'_>) -> Pressure {
    let (broker, lifecycle) = (ground.broker.clone(), ground.lifecycle);
    let pressure = Pressure::default();
    lifecycle.spawn_support("memory pressure", pressure.clone().watch(broker, lifecycle.hard()));
    pressure
}

fn start_expiry(ground: &Ground<'_>) -> Expiry {
    let Ground { config, clock, lifecycle, .. } = ground;
    let expiry = Expiry::new(config.auth.expiry_warning, config.auth.leeway);
    lifecycle.spawn_support("token expiry", expiry.clone().run(clock.clone(), lifecycle.hard()));
    expiry
}

fn start_limits(ground: &Ground<'_>) -> Limits {
    let limits = Limits::new(&ground.config.limits, &ground.dialects);
    ground.lifecycle.spawn_support("limits", limits.clone().tidy(ground.lifecycle.hard()));
    limits
}

fn start_stats(ground: &Ground<'_>, sources: Sources, lease: Lease) -> Stats {
    let stats = Stats::new(cluster_stats::Stats::new(ground.broker.clone()));
    let report = stats.clone().report(sources, lease, ground.lifecycle.hard());
    ground.lifecycle.spawn_support("stats", report);
    stats
}

fn start_gauges(ground: &Ground<'_>, presence: &Presence, fanout: &Fanout) {
    let (broker, store) = (ground.broker.clone(), ground.store.clone());
    let gauges = Gauges { broker, store, presence: presence.clone(), fanout: fanout.clone() };
    ground.lifecycle.spawn_support("gauges", gauges.run(ground.lifecycle.hard()));
}

async fn replica_gate(broker: &Broker, lifecycle: &Handle) -> Result<ReplicaGate, BrokerError> {
    let (gate, rounds) = ReplicaGate::connect(broker, MOST_WAITING).await?;
    let hard = lifecycle.hard();
    lifecycle.spawn_support("replica confirmations", async move {
        rounds.run(hard.cancelled_owned()).await;
        Ok::<(), Infallible>(())
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
