//! What the worker measures.

use metrics::Unit;
use parlance_broker::{ingest::StreamKind, metrics as redis};
use parlance_chassis::metrics::{InstallError, Kind, Metric, MetricsHandle, Section};
use parlance_domain::call::CallStatus;
use parlance_store::metrics as postgres;

/// Entries that left their stream because of this process.
pub const PERSISTED: Metric = Metric::counter(
    "parlance_worker_persisted_total",
    "Entries that this worker took out of their stream, written or parked",
    &["stream"],
);

/// Entries a transaction.
pub const BATCH_ENTRIES: Metric = Metric {
    name: "parlance_worker_batch_entries",
    kind: Kind::Histogram,
    unit: None,
    help: "Entries written in one transaction",
    labels: &[],
};

/// Time a transaction.
pub const COMMIT_SECONDS: Metric = Metric::seconds(
    "parlance_worker_commit_seconds",
    "How long a transaction took from its beginning to its commit",
    &[],
);

/// Transactions to be repeated.
pub const RETRIES: Metric = Metric::counter(
    "parlance_worker_retries_total",
    "Transactions that failed without fault of their entries and were repeated",
    &[],
);

/// Entries that were parked.
pub const DEAD_LETTERS: Metric = Metric::counter(
    "parlance_worker_dead_letters_total",
    "Entries that cannot be written and were parked by this worker",
    &[],
);

/// Entries that are parked now.
pub const DEAD_LETTERS_PARKED: Metric =
    Metric::gauge("parlance_dead_letters", "Dead letters that wait for an operator", &[]);

/// Entries taken over.
pub const CLAIMED: Metric =
    Metric::counter("parlance_worker_claimed_total", "Entries taken over because nobody worked on them", &[]);

/// The age of what waits longest.
pub const LAG_SECONDS: Metric = Metric::gauge("parlance_ingest_lag_seconds", "The age of the oldest entry that is not in Postgres, over all partitions, as every worker sees it; 0 when all are", &["stream"]).of(Unit::Seconds);

/// Entries that wait.
pub const WAITING: Metric = Metric::gauge(
    "parlance_ingest_entries",
    "Entries that are not in Postgres, over all partitions",
    &["stream"],
);

/// Bytes that wait.
pub const WAITING_BYTES: Metric = Metric::gauge(
    "parlance_ingest_bytes",
    "The size of the entries that are not in Postgres, over all partitions",
    &["stream"],
)
.of(Unit::Bytes);

/// Entries that some worker has taken.
pub const PENDING: Metric = Metric::gauge(
    "parlance_ingest_pending_entries",
    "Entries that a worker has taken and not acknowledged, over all partitions",
    &["stream"],
);

/// Calls that ended because their time was over.
pub const CALLS_ENDED: Metric = Metric::counter(
    "parlance_worker_calls_ended_total",
    "Calls that this worker ended because they rang or went on for too long",
    &["status"],
);

/// Notifications of messages.
pub const NOTIFICATIONS: Metric = Metric::counter(
    "parlance_worker_notifications_total",
    "Notifications that this worker made of messages",
    &[],
);

/// Notifications that their users were told of.
pub const NOTIFICATIONS_ANNOUNCED: Metric = Metric::counter(
    "parlance_worker_notifications_announced_total",
    "Notifications that this worker told their users of",
    &[],
);

/// Messages of which participants are still to be notified.
pub const NOTIFICATION_JOBS: Metric = Metric::gauge(
    "parlance_notification_jobs",
    "Messages of which participants are still to be notified",
    &[],
);

/// Participants who were told of conversations.
pub const ACTIVITY_TOLD: Metric = Metric::counter(
    "parlance_worker_activity_told_total",
    "How often a participant was told that something happened in a conversation",
    &[],
);

/// What was removed of gateways that are gone.
pub const PRESENCE_EXPELLED: Metric = Metric::counter(
    "parlance_presence_expelled_total",
    "Users and rooms of gateways that are gone which this worker removed, of each gateway apart",
    &["of"],
);

/// Changes of presence that conversations were told of.
pub const PRESENCE_ANNOUNCED: Metric = Metric::counter(
    "parlance_presence_announced_total",
    "Changes of presence that this worker told conversations of because no gateway did",
    &[],
);

/// Gateways whose clients are still to be removed.
pub const PRESENCE_EXPIRED_LEASES: Metric = Metric::gauge(
    "parlance_presence_expired_leases",
    "Partitions in which clients of a gateway that is gone are still to be removed, for each such gateway",
    &[],
);

/// Users of whom it was stored when they were last seen.
pub const LAST_SEEN_STORED: Metric = Metric::counter(
    "parlance_presence_last_seen_stored_total",
    "How often this worker stored when a user was last seen",
    &[],
);

/// Everything above.
pub const METRICS: &[Metric] = &[
    PERSISTED,
    BATCH_ENTRIES,
    COMMIT_SECONDS,
    RETRIES,
    DEAD_LETTERS,
    DEAD_LETTERS_PARKED,
    CLAIMED,
    LAG_SECONDS,
    WAITING,
    WAITING_BYTES,
    PENDING,
    CALLS_ENDED,
    NOTIFICATIONS,
    NOTIFICATIONS_ANNOUNCED,
    NOTIFICATION_JOBS,
    ACTIVITY_TOLD,
    PRESENCE_EXPELLED,
    PRESENCE_ANNOUNCED,
    PRESENCE_EXPIRED_LEASES,
    LAST_SEEN_STORED,
];

/// What the worker measures, by part; what every process does is added.
pub const SECTIONS: &[Section] = &[
    Section { title: "The worker", metrics: METRICS },
    Section { title: "Redis", metrics: redis::METRICS },
    Section { title: "Postgres", metrics: postgres::METRICS },
];

/// Installs the recorder of the process, with everything declared. Counters of which the values are known show from the
/// start.
///
/// # Errors
/// When a recorder from elsewhere is in place.
pub fn install() -> Result<MetricsHandle, InstallError> {
    use parlance_chassis::metrics::{describe, install, start_counters};

    let handle = install()?;
    SECTIONS.iter().for_each(|section| describe(section.metrics));
    start_counters(&PERSISTED, "stream", StreamKind::ALL.map(StreamKind::as_str));
    start_counters(&PRESENCE_EXPELLED, "of", ["users", "rooms"]);
    Ok(handle)
}

/// The counter without labels.
pub(crate) fn counter(metric: &Metric) -> metrics::Counter {
    metrics::counter!(metric.name)
}

/// The counter of calls that came to this end.
pub(crate) fn calls_ended(status: CallStatus) -> metrics::Counter {
    metrics::counter!(CALLS_ENDED.name, "status" => status.as_str())
}

/// The counter of what was removed: users or rooms.
pub(crate) fn presence_expelled(of: &'static str) -> metrics::Counter {
    metrics::counter!(PRESENCE_EXPELLED.name, "of" => of)
}

/// The counter of a stream.
pub(crate) fn counter_of(metric: &Metric, stream: &'static str) -> metrics::Counter {
    metrics::counter!(metric.name, "stream" => stream)
}

/// The gauge without labels.
pub(crate) fn gauge(metric: &Metric) -> metrics::Gauge {
    metrics::gauge!(metric.name)
}

/// The gauge of a stream.
pub(crate) fn gauge_of(metric: &Metric, stream: &'static str) -> metrics::Gauge {
    metrics::gauge!(metric.name, "stream" => stream)
}

/// The histogram.
pub(crate) fn histogram(metric: &Metric) -> metrics::Histogram {
    metrics::histogram!(metric.name)
}
