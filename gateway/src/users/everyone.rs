//! Presence for everybody: in dialects that ask for it, every socket is told of the users who have one of the same
//! dialect, or just had one, whether it shares a conversation with them or not.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use parlance_broker::{
    partition::{Partition, Partitions},
    presence::Announcement,
    subscriber::Subscriber,
};
use parlance_chassis::{backoff::Backoff, lifecycle};

use super::{
    Parts,
    line::{Line, Place},
    worker::Worker,
};
use crate::{
    dialect::{
        Dialect, Dialects, PresenceAudience,
        view::{self, Told},
    },
    fanout::Encoded,
};

/// How many sockets a worker looks at before it lets others run.
const SOCKETS_AT_ONCE: usize = 500;

/// Which dialects want it, and its subscriptions.
pub(super) struct Everyone {
    subscriber: Subscriber,
    partitions: Partitions,
    dialects: Dialects,
    /// How often each partition was to be subscribed again; only the last time counts.
    turns: Box<[AtomicU64]>,
    /// What waits for each worker.
    lines: Box<[Line]>,
    lifecycle: lifecycle::Handle,
}

/// A presence on its way to everybody.
pub(super) struct Announced {
    encoded: Encoded,
    /// The names of those whose clients are told.
    dialects: Vec<String>,
}

impl Everyone {
    pub(super) fn new(parts: &Parts, lifecycle: &lifecycle::Handle) -> Self {
        let partitions = parts.broker.keys().partitions();
        Self {
            subscriber: parts.subscriber.clone(),
            partitions: partitions.clone(),
            dialects: parts.dialects.clone(),
            turns: partitions.all().map(|_| AtomicU64::new(0)).collect(),
            lines: (0..parts.workers.max(1)).map(|_| Line::default()).collect(),
            lifecycle: lifecycle.clone(),
        }
    }

    /// A place for one more at each worker, in their order, where there is one.
    pub(super) fn places(&self) -> Vec<Option<Place>> {
        self.lines.iter().map(Line::enter).collect()
    }

    /// Reads what was published. `None` when it is for nobody, or cannot be read.
    pub(super) fn read(&self, payload: &str) -> Option<Announced> {
        let announcement: Announcement = match serde_json::from_str(payload) {
            Ok(announcement) => announcement,
            Err(error) => {
                tracing::warn!(%error, "a presence cannot be read");
                return None;
            }
        };
        let dialects = announcement.dialects;
        if !self.dialects.any_in_use(|dialect| is_among(dialect, &dialects)) {
            return None;
        }
        let event = Told::Event(view::presence_changed(&announcement.presence));
        Some(Announced { encoded: Encoded::new(&self.dialects, event), dialects })
    }

    /// Subscribes to the presence of a partition's users, or of all, however long that takes. When no dialect wants it, it
    /// does nothing.
    pub(super) fn resubscribe(self: &Arc<Self>, partition: Option<Partition>) {
        if !self.dialects.any_in_use(wants) {
            return;
        }
        let (everyone, hard) = (self.clone(), self.lifecycle.hard());
        self.lifecycle.spawn_support("presence subscriptions", async move {
            let wanted =
                everyone.partitions.all().filter(|one| partition.is_none_or(|wanted| wanted == *one));
            let all = join_all(wanted.map(|partition| everyone.insist(partition)));
            tokio::select! {
                () = hard.cancelled() => {}
                _ = all => {}
            }
            Ok::<(), Infallible>(())
        });
    }

    async fn insist(&self, partition: Partition) {
        let Some(turns) = self.turns.get(usize::from(partition.0)) else {
            return;
        };
        let turn = turns.fetch_add(1, Ordering::Relaxed) + 1;
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
        while turns.load(Ordering::Relaxed) == turn
            && let Err(error) = self.subscriber.subscribe_presence(partition).await
        {
            tracing::debug!(%error, ?partition, "failed to subscribe to presence");
            tokio::time::sleep(backoff.next_delay()).await;
        }
    }
}

impl Worker {
    /// Hands a presence to those of its users' sockets that are told of everybody's.
    pub(super) async fn announced(&mut self, announced: &Announced) {
        let mut looked_at = 0;
        for devices in self.users.values_mut() {
            let mut delivered = 0;
            for member in devices.ready() {
                looked_at += 1;
                if is_among(&member.socket.dialect, &announced.dialects) {
                    delivered += announced.encoded.deliver(member);
                }
            }
            self.delivered.increment(delivered);
            if looked_at >= SOCKETS_AT_ONCE {
                looked_at = 0;
                tokio::task::yield_now().await;
            }
        }
    }
}

fn is_among(dialect: &Dialect, names: &[String]) -> bool {
    wants(dialect) && names.iter().any(|name| name == dialect.name())
}

fn wants(dialect: &Dialect) -> bool {
    dialect.behaviour().presence == PresenceAudience::Everyone
}
