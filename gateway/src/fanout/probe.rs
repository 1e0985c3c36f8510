//! Whether the subscriber connection is alive: a connection can look healthy and be dead, for one partition only.
//!
//! A partition from which nothing came for a while gets a probe, published by the path that events take. When
//! Redis accepted the probe and it does not come back, the partition is subscribed again, and when that does not
//! help the connection is replaced.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use parlance_broker::partition::Partition;
use parlance_chassis::{lifecycle::CancellationToken, readiness::Check};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{Shared, receive::Receivers};

/// How often the partitions are looked at.
const TICK: Duration = Duration::from_secs(1);
/// How many ticks of silence before a partition is probed.
const QUIET_TICKS: u64 = 3;
/// How many ticks a probe may take before its partition is subscribed again.
const LOST_TICKS: u64 = 2;
/// How many resubscriptions are tried before the connection is replaced.
const RESUBSCRIPTIONS: u32 = 2;

/// What the receiving task and the probes tell each other.
#[derive(Debug)]
pub(super) struct Pulse {
    /// Publications and probes that arrived, by partition.
    beats: Box<[AtomicU64]>,
    compare: AtomicBool,
    resubscribe: AtomicBool,
    users: AtomicBool,
    wake: tokio::sync::Notify,
}

impl Pulse {
    pub(super) fn new(partitions: u16) -> Arc<Self> {
        Arc::new(Self {
            beats: (0..partitions).map(|_| AtomicU64::new(0)).collect(),
            compare: AtomicBool::new(false),
            // Nothing is subscribed at the start: the probes' own channels are.
            resubscribe: AtomicBool::new(true),
            users: AtomicBool::new(false),
            wake: tokio::sync::Notify::new(),
        })
    }

    /// Something arrived from the partition.
    pub(super) fn beat(&self, partition: Partition) {
        if let Some(beats) = self.beats.get(usize::from(partition.0)) {
            beats.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Publications were dropped: all conversations have to be compared.
    pub(super) fn request_compare(&self) {
        self.compare.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// Publications for users were dropped, and a revocation may have been among them: it is read again when they are
    /// subscribed again, which is done at the next tick.
    pub(super) fn request_users(&self) {
        self.users.store(true, Ordering::Release);
    }

    /// The connection is a new one: everything has to be subscribed.
    pub(super) fn request_resubscribe(&self) {
        self.resubscribe.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    fn beats(&self, partition: Partition) -> u64 {
        self.beats.get(usize::from(partition.0)).map_or(0, |beats| beats.load(Ordering::Relaxed))
    }
}

/// What is known of one partition's subscription.
#[derive(Debug, Clone, Copy, Default)]
struct Health {
    beats: u64,
    quiet: u64,
    /// Ticks since a probe that Redis accepted and that has not come back.
    probed: Option<u64>,
    resubscriptions: u32,
}

/// Watches the subscriptions.
pub(super) struct Prober {
    pub(super) shared: Arc<Shared>,
    pub(super) receivers: Receivers,
    pub(super) pulse: Arc<Pulse>,
    pub(super) check: Check,
}

impl Prober {
    /// Runs until `hard`; compares all live conversations every `compare_every`.
    pub(super) async fn run(
        self,
        compare_every: Duration,
        hard: CancellationToken,
    ) -> Result<(), Infallible> {
        let partitions: Vec<_> = self.shared.broker.keys().partitions().all().collect();
        let mut health = vec![Health::default(); partitions.len()];
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut compared = Instant::now();
        loop {
            let tick = tokio::select! {
                () = hard.cancelled() => return Ok(()),
                () = self.pulse.wake.notified() => false,
                _ = ticks.tick() => true,
            };
            if self.pulse.resubscribe.swap(false, Ordering::AcqRel) {
                self.subscribe_probes(&partitions).await;
                self.resubscribe(None).await;
                // A probe of before the break does not come back.
                health.fill(Health::default());
            }
            if self.pulse.compare.swap(false, Ordering::AcqRel) || compared.elapsed() >= compare_every {
                compared = Instant::now();
                self.receivers.fanout.compare().await;
            }
            if tick {
                if self.pulse.users.swap(false, Ordering::AcqRel) {
                    self.receivers.users.resubscribe(None).await;
                }
                let looks =
                    partitions.iter().zip(health.iter_mut()).map(|(id, health)| self.look(*id, health));
                join_all(looks).await;
                self.report(&health);
            }
        }
    }

    async fn subscribe_probes(&self, partitions: &[Partition]) {
        let subscribe = |partition: &Partition| self.shared.subscriber.subscribe_probe(*partition);
        for outcome in join_all(partitions.iter().map(subscribe)).await {
            if let Err(error) = outcome {
                // The partition stays silent, so its probe will be missed and this is tried again.
                tracing::debug!(%error, "failed to subscribe to a probe");
            }
        }
    }

    /// Has everything of `partition` subscribed again, or everything there is.
    async fn resubscribe(&self, partition: Option<Partition>) {
        let Receivers { fanout, users, cluster } = &self.receivers;
        fanout.resubscribe(partition).await;
        users.resubscribe(partition).await;
        cluster.resubscribe(partition, &self.shared.lifecycle);
    }

    async fn look(&self, partition: Partition, health: &mut Health) {
        let beats = self.pulse.beats(partition);
        if beats != health.beats {
            *health = Health { beats, ..Health::default() };
            return;
        }
        health.quiet += 1;
        match &mut health.probed {
            None if health.quiet >= QUIET_TICKS => match self.shared.broker.probe(partition, "probe").await {
                Ok(()) => health.probed = Some(0),
                Err(error) => tracing::debug!(%error, ?partition, "failed to publish a probe"),
            },
            None => {}
            Some(ticks) => {
                *ticks += 1;
                if *ticks >= LOST_TICKS {
                    self.revive(partition, health).await;
                }
            }
        }
    }

    async fn revive(&self, partition: Partition, health: &mut Health) {
        health.probed = None;
        if health.resubscriptions < RESUBSCRIPTIONS {
            health.resubscriptions += 1;
            tracing::warn!(?partition, "a probe was accepted and did not come back; subscribing again");
            self.subscribe_probes(&[partition]).await;
            self.resubscribe(Some(partition)).await;
            return;
        }
        health.resubscriptions = 0;
        tracing::warn!(?partition, "the subscriber connection is dead for a partition; replacing it");
        metrics::counter!(crate::metrics::SUBSCRIBER_REPLACED.name).increment(1);
        if let Err(error) = self.shared.subscriber.replace().await {
            tracing::warn!(%error, "failed to replace the subscriber connection");
        }
    }

    fn report(&self, health: &[Health]) {
        let silent = health.iter().filter(|health| health.resubscriptions > 0).count();
        if silent > 0 {
            self.check.not_ready(format!("{silent} partitions bring no events"));
        } else {
            self.check.ready();
        }
    }
}
