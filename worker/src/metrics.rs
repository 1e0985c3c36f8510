//! What the worker measures.

use metrics::Unit;
use parlance_chassis::metrics::{Kind, Metric};
use parlance_domain::call::CallStatus;

/// Entries that left their stream because of this process.
pub const PERSISTED: Metric = Metric {
    name: "parlance_worker_persisted_total",
    kind: Kind::Counter,
    unit: None,
    help: "Entries that this worker took out of their stream, written or parked",
    labels: &["stream"],
};

/// Entries a transaction.
pub const BATCH_ENTRIES: Metric = Metric {
    name: "parlance_worker_batch_entries",
    kind: Kind::Histogram,
    unit: None,
    help: "Entries written in one transaction",
    labels: &[],
};

/// Time a transaction.
pub const COMMIT_SECONDS: Metric = Metric {
    name: "parlance_worker_commit_seconds",
    kind: Kind::Histogram,
    unit: Some(Unit::Seconds),
    help: "How long a transaction took from its beginning to its commit",
    labels: &[],
};

/// Transactions to be repeated.
pub const RETRIES: Metric = Metric {
    name: "parlance_worker_retries_total",
    kind: Kind::Counter,
    unit: None,
    help: "Transactions that failed without fault of their entries and were repeated",
    labels: &[],
};

/// Entries that were parked.
pub const DEAD_LETTERS: Metric = Metric {
    name: "parlance_worker_dead_letters_total",
    kind: Kind::Counter,
    unit: None,
    help: "Entries that cannot be written and were parked by this worker",
    labels: &[],
};

/// Entries that are parked now.
pub const DEAD_LETTERS_PARKED: Metric = Metric {
    name: "parlance_dead_letters",
    kind: Kind::Gauge,
    unit: None,
    help: "Dead letters that wait for an operator",
    labels: &[],
};

/// Entries taken over.
pub const CLAIMED: Metric = Metric {
    name: "parlance_worker_claimed_total",
    kind: Kind::Counter,
    unit: None,
    help: "Entries taken over because nobody worked on them",
    labels: &[],
};

/// The age of what waits longest.
pub const LAG_SECONDS: Metric = Metric {
    name: "parlance_ingest_lag_seconds",
    kind: Kind::Gauge,
    unit: Some(Unit::Seconds),
    help: "The age of the oldest entry that is not in Postgres, over all partitions",
    labels: &["stream"],
};

/// Entries that wait.
pub const WAITING: Metric = Metric {
    name: "parlance_ingest_entries",
    kind: Kind::Gauge,
    unit: None,
    help: "Entries that are not in Postgres, over all partitions",
    labels: &["stream"],
};

/// Bytes that wait.
pub const WAITING_BYTES: Metric = Metric {
    name: "parlance_ingest_bytes",
    kind: Kind::Gauge,
    unit: Some(Unit::Bytes),
    help: "The size of the entries that are not in Postgres, over all partitions",
    labels: &["stream"],
};

/// Entries that some worker has taken.
pub const PENDING: Metric = Metric {
    name: "parlance_ingest_pending_entries",
    kind: Kind::Gauge,
    unit: None,
    help: "Entries that a worker has taken and not acknowledged, over all partitions",
    labels: &["stream"],
};

/// Calls that ended because their time was over.
pub const CALLS_ENDED: Metric = Metric {
    name: "parlance_worker_calls_ended_total",
    kind: Kind::Counter,
    unit: None,
    help: "Calls that this worker ended because they rang or went on for too long",
    labels: &["status"],
};

/// Notifications of messages.
pub const NOTIFICATIONS: Metric = Metric {
    name: "parlance_worker_notifications_total",
    kind: Kind::Counter,
    unit: None,
    help: "Notifications that this worker made of messages",
    labels: &[],
};

/// Notifications that their users were told of.
pub const NOTIFICATIONS_ANNOUNCED: Metric = Metric {
    name: "parlance_worker_notifications_announced_total",
    kind: Kind::Counter,
    unit: None,
    help: "Notifications that this worker told their users of",
    labels: &[],
};

/// Messages of which participants are still to be notified.
pub const NOTIFICATION_JOBS: Metric = Metric {
    name: "parlance_notification_jobs",
    kind: Kind::Gauge,
    unit: None,
    help: "Messages of which participants are still to be notified",
    labels: &[],
};

/// Participants who were told of conversations.
pub const ACTIVITY_TOLD: Metric = Metric {
    name: "parlance_worker_activity_told_total",
    kind: Kind::Counter,
    unit: None,
    help: "How often a participant was told that something happened in a conversation",
    labels: &[],
};

/// What was removed of gateways that are gone.
pub const PRESENCE_EXPELLED: Metric = Metric {
    name: "parlance_presence_expelled_total",
    kind: Kind::Counter,
    unit: None,
    help: "Users and rooms of gateways that are gone which this worker removed, of each gateway apart",
    labels: &["of"],
};

/// Changes of presence that conversations were told of.
pub const PRESENCE_ANNOUNCED: Metric = Metric {
    name: "parlance_presence_announced_total",
    kind: Kind::Counter,
    unit: None,
    help: "Changes of presence that this worker told conversations of because no gateway did",
    labels: &[],
};

/// Gateways whose clients are still to be removed.
pub const PRESENCE_EXPIRED_LEASES: Metric = Metric {
    name: "parlance_presence_expired_leases",
    kind: Kind::Gauge,
    unit: None,
    help: "Partitions in which clients of a gateway that is gone are still to be removed, for each such gateway",
    labels: &[],
};

/// Users of whom it was stored when they were last seen.
pub const LAST_SEEN_STORED: Metric = Metric {
    name: "parlance_presence_last_seen_stored_total",
    kind: Kind::Counter,
    unit: None,
    help: "How often this worker stored when a user was last seen",
    labels: &[],
};

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
