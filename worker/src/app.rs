//! A worker as a function of its settings, a listener and a lifecycle: several fit in one process.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use parlance_broker::{
    Broker, BrokerError,
    append::{Appender, Bounds},
    ingest::{Acknowledger, Consumer},
};
use parlance_chassis::{
    admin,
    backoff::Backoff,
    clock::Clock,
    exit,
    lifecycle::Handle,
    listen::{self, BindError},
    metrics::InstallError,
    readiness::Readiness,
    traces::{self, Traces},
};
use parlance_store::{Store, StoreError};
use tokio::{net::TcpListener, sync::mpsc};

use crate::{
    config::Settings,
    ingest::{Claimer, Held, Holder, Reader, Writer, intake, reader},
    task::{
        activity::Teller,
        calls::{self, Overtime},
        every,
        gauges::{self, Gauges},
        notify::Notifier,
        outbox::{self, Finisher},
        presence::{Announcer, Keeper, Sweeper},
        settle::{self, Settling},
        watch,
    },
};

/// The outbox's events are few, and were promised to somebody: they are not held up by a full stream.
const NO_BOUNDS: Bounds = Bounds { entries: 1 << 52, bytes: 1 << 52 };

/// Why a worker did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The admin port cannot be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The admin listener cannot be served.
    #[error("failed to serve the admin listener: {0}")]
    Admin(#[from] std::io::Error),
    /// There is no metrics recorder.
    #[error(transparent)]
    Metrics(#[from] InstallError),
    /// Traces cannot be sent.
    #[error(transparent)]
    Traces(#[from] traces::StartError),
    /// Redis refuses, or disagrees about the partitions.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// Postgres refuses, is not migrated, or disagrees about the partitions.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl StartError {
    /// The exit code of a process that did not start: 64 when its configuration is at fault.
    pub fn exit_code(&self) -> u8 {
        match self {
            StartError::Broker(BrokerError::Layout { .. })
            | StartError::Store(StoreError::Layout { .. } | StoreError::Url) => exit::USAGE,
            _ => exit::FAILURE,
        }
    }

    fn is_retryable(&self) -> bool {
        match self {
            StartError::Broker(error) => error.is_retryable(),
            StartError::Store(error) => error.is_retryable(),
            _ => false,
        }
    }
}

/// Binds the configured admin port and starts.
///
/// # Errors
/// See [`StartError`].
pub async fn run(settings: Settings, lifecycle: &Handle) -> Result<(), StartError> {
    let admin = listen::bind(&settings.admin.host, settings.admin.port).await?;
    start(settings, Clock::system(), admin, lifecycle).await?;
    Ok(())
}

/// Starts a worker whose admin listener is `admin`; it ends with `lifecycle`. Waits for Redis and Postgres as long as
/// they are away.
///
/// # Errors
/// See [`StartError`].
pub async fn start(
    settings: Settings,
    clock: Clock,
    admin: TcpListener,
    lifecycle: &Handle,
) -> Result<SocketAddr, StartError> {
    let recorder = crate::metrics::install()?;
    let readiness = Readiness::new(lifecycle);
    let checks = watch::Checks::new(&readiness);
    // Started first: probes see a worker that is alive and not ready while it connects.
    let address = admin::serve(admin, readiness, recorder, lifecycle, Router::new())?;
    let Some((broker, store)) = connect(&settings, lifecycle).await? else {
        return Ok(address);
    };
    let consumers = Arc::new(consumers(&broker).await?);
    let traces = Traces::start(&settings.traces, "parlance-worker", lifecycle)?;
    start_ingest(&settings, &broker, &store, Arc::clone(&consumers), &traces, lifecycle);
    start_overtime(&settings, &broker, &store, clock.clone(), lifecycle);
    start_notifier(&settings, &broker, &store, lifecycle);
    start_presence(&settings, &broker, &store, lifecycle);
    start_tasks(&broker, &store, clock, checks, lifecycle);
    tracing::info!(partitions = settings.redis.partitions, admin = %address, "worker started");
    Ok(address)
}

/// `None` when the process was told to stop before both were there.
async fn connect(settings: &Settings, lifecycle: &Handle) -> Result<Option<(Broker, Store)>, StartError> {
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
    let stop = lifecycle.soft();
    loop {
        let error = match try_connect(settings).await {
            Err(error) if error.is_retryable() => error,
            answer => return answer.map(Some),
        };
        tracing::warn!(%error, "cannot start yet, trying on");
        tokio::select! {
            () = tokio::time::sleep(backoff.next_delay()) => {}
            () = stop.cancelled() => return Ok(None),
        }
    }
}

async fn try_connect(settings: &Settings) -> Result<(Broker, Store), StartError> {
    let store = Store::connect(&settings.store()).await?;
    store.check_schema().await?;
    let broker = Broker::connect(settings.broker()).await?;
    broker.check_layout().await?;
    store.check_layout(&broker.keys().partitions().layout()).await?;
    Ok((broker, store))
}

async fn consumers(broker: &Broker) -> Result<Vec<Arc<Consumer>>, BrokerError> {
    // Two workers must never share a name, not even two lives of one: what was pending for the first is claimed.
    let name = format!("worker-{}-{:016x}", std::process::id(), rand::random::<u64>());
    let mut consumers = Vec::new();
    for partition in broker.keys().partitions().all() {
        consumers.push(Arc::new(Consumer::connect(broker, partition, &name, reader::BLOCK).await?));
    }
    tracing::debug!(consumer = name, "joined the consumer groups");
    Ok(consumers)
}

fn start_ingest(
    settings: &Settings,
    broker: &Broker,
    store: &Store,
    consumers: Arc<Vec<Arc<Consumer>>>,
    traces: &Traces,
    lifecycle: &Handle,
) {
    let held = Held::default();
    let (intake, batches) = intake(&settings.ingest, held.clone());
    for consumer in consumers.iter() {
        let most = settings.ingest.batch_entries;
        let reader = Reader::new(Arc::clone(consumer), intake.clone(), most, lifecycle.soft());
        lifecycle.spawn("reader", reader.run());
    }
    let (finished, all_finished) = mpsc::channel(1);
    let acknowledger = Acknowledger::new(broker.clone());
    for _ in 0..settings.ingest.writers {
        let (store, acknowledger) = (store.clone(), acknowledger.clone());
        let writer =
            Writer::new(batches.clone(), store, acknowledger, traces.clone(), lifecycle, finished.clone());
        lifecycle.spawn("writer", writer.run());
    }
    let claimer = Arc::new(Claimer::new(Arc::clone(&consumers), intake, settings.ingest.claim_after));
    let holder = Arc::new(Holder::new(Arc::clone(&consumers), held));
    let period = settings.ingest.claim_after / 3;
    let claim = every("claim entries", period, lifecycle.soft(), move || Arc::clone(&claimer).claim());
    lifecycle.spawn("claimer", claim);
    // Goes on until the writers are done: what they still write is not to be claimed.
    let hold = every("hold entries", period, lifecycle.hard(), move || Arc::clone(&holder).hold());
    lifecycle.spawn_support("holder", hold);
    lifecycle.spawn("leaver", leave(consumers, all_finished, broker.clone(), store.clone()));
}

/// When the writers have ended, leaves the groups and ends the connections.
async fn leave(
    consumers: Arc<Vec<Arc<Consumer>>>,
    mut all_finished: mpsc::Receiver<()>,
    broker: Broker,
    store: Store,
) -> Result<(), std::convert::Infallible> {
    // Nothing is ever sent: it answers when the last sender is dropped.
    let _none: Option<()> = all_finished.recv().await;
    for consumer in consumers.iter() {
        if let Err(error) = consumer.leave().await {
            tracing::debug!(%error, "cannot leave a consumer group: another worker will forget this one");
            break;
        }
    }
    broker.close().await;
    store.close().await;
    Ok(())
}

fn start_overtime(settings: &Settings, broker: &Broker, store: &Store, clock: Clock, lifecycle: &Handle) {
    let appender = Appender::new(broker.clone(), NO_BOUNDS);
    let overtime = Overtime::new(broker.clone(), store.clone(), appender, clock, settings.calls);
    let overtime = Arc::new(overtime);
    let end = every("end calls", calls::EVERY, lifecycle.soft(), move || Arc::clone(&overtime).end());
    lifecycle.spawn("calls", end);
}

fn start_notifier(settings: &Settings, broker: &Broker, store: &Store, lifecycle: &Handle) {
    let notifier = Arc::new(Notifier::new(broker.clone(), store.clone()));
    let (interval, maker) = (settings.notifications.interval, Arc::clone(&notifier));
    let make = every("make notifications", interval, lifecycle.soft(), move || Arc::clone(&maker).make());
    lifecycle.spawn("notifier", make);
    let announce =
        every("announce notifications", interval, lifecycle.soft(), move || Arc::clone(&notifier).announce());
    lifecycle.spawn("announcer", announce);

    let teller = Arc::new(Teller::new(broker.clone(), store.clone()));
    let interval = settings.notifications.activity_interval;
    let tell = every("tell of conversations", interval, lifecycle.soft(), move || Arc::clone(&teller).tell());
    lifecycle.spawn("activity", tell);
}

fn start_presence(settings: &Settings, broker: &Broker, store: &Store, lifecycle: &Handle) {
    let presence = &settings.presence;
    // When nobody looks for half a ttl, nobody is removed for a whole one.
    let interval = presence.sweep_interval.min(presence.ttl / 4);
    let sweeper = Arc::new(Sweeper::new(broker.clone(), presence));
    let sweep =
        every("remove the clients of gateways that are gone", interval, lifecycle.soft(), move || {
            Arc::clone(&sweeper).sweep()
        });
    lifecycle.spawn("sweeper", sweep);

    let announcer = Arc::new(Announcer::new(broker.clone()));
    let announce =
        every("announce presence", interval, lifecycle.soft(), move || Arc::clone(&announcer).announce());
    lifecycle.spawn("presence announcer", announce);

    let keeper = Arc::new(Keeper::new(broker.clone(), store.clone()));
    let keep = every("store when users were last seen", interval, lifecycle.soft(), move || {
        Arc::clone(&keeper).keep()
    });
    lifecycle.spawn("last seen", keep);
}

fn start_tasks(broker: &Broker, store: &Store, clock: Clock, checks: watch::Checks, lifecycle: &Handle) {
    let soft = || lifecycle.soft();
    let settler = Arc::new(Settling::new(broker.clone()));
    let settle = every("settle conversations", settle::EVERY, soft(), move || Arc::clone(&settler).settle());
    lifecycle.spawn("settler", settle);

    let appender = Appender::new(broker.clone(), NO_BOUNDS);
    let finisher = Arc::new(Finisher::new(broker.clone(), store.clone(), appender));
    let finish = every("finish the outbox", outbox::EVERY, soft(), move || Arc::clone(&finisher).finish());
    lifecycle.spawn("outbox", finish);

    let gauges = Arc::new(Gauges::new(broker.clone(), store.clone(), clock));
    let measure = every("measure the streams", gauges::EVERY, soft(), move || Arc::clone(&gauges).measure());
    lifecycle.spawn("gauges", measure);

    lifecycle.spawn("watch", watch::watch(checks, broker.clone(), store.clone(), soft()));
}
