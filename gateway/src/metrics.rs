//! The gateway's metrics, each declared once. Those of the wire stand beside it.

use metrics::Unit;
use parlance_chassis::metrics::{Kind, Metric};

const fn counter(name: &'static str, help: &'static str, labels: &'static [&'static str]) -> Metric {
    Metric { name, kind: Kind::Counter, unit: None, help, labels }
}

const fn seconds(name: &'static str, help: &'static str, labels: &'static [&'static str]) -> Metric {
    Metric { name, kind: Kind::Histogram, unit: Some(Unit::Seconds), help, labels }
}

/// Sockets that are connected to a namespace.
pub const CONNECTIONS: Metric = Metric {
    name: "parlance_connections",
    kind: Kind::Gauge,
    unit: None,
    help: "Sockets connected to a namespace of this gateway",
    labels: &["dialect"],
};
/// Attempts to connect.
pub const CONNECTS: Metric = counter(
    "parlance_connects_total",
    "Attempts to connect, by dialect and result (ok, or the code of the refusal)",
    &["dialect", "result"],
);
/// Commands.
pub const COMMANDS: Metric = counter(
    "parlance_commands_total",
    "Commands from sockets and requests, by command and result (ok, or the code of the rejection)",
    &["command", "result"],
);
/// Events from sockets that did not become a command.
pub const EVENTS_REFUSED: Metric = counter(
    "parlance_events_refused_total",
    "Events from sockets that did not become a command, by the code of the rejection",
    &["code"],
);
/// Requests for published keys.
pub const JWKS_FETCHES: Metric = counter(
    "parlance_jwks_fetches_total",
    "Requests for the keys of auth.jwks_url, by result (ok, failed: the keys known before stay in use)",
    &["result"],
);
/// Published keys in use.
pub const JWKS_KEYS: Metric = Metric {
    name: "parlance_jwks_keys",
    kind: Kind::Gauge,
    unit: None,
    help: "Keys of auth.jwks_url that tokens may be signed with",
    labels: &[],
};
/// Dialects without authentication.
pub const INSECURE_DIALECTS: Metric = Metric {
    name: "parlance_insecure_dialects",
    kind: Kind::Gauge,
    unit: None,
    help: "Dialects whose clients need no token (auth.insecure_dialects): 1 for each",
    labels: &["dialect"],
};
/// Dialects read again.
pub const DIALECT_RELOADS: Metric = counter(
    "parlance_dialect_reloads_total",
    "How often the dialects were read again (SIGHUP), by result (ok, refused: those from before stay in use)",
    &["result"],
);
/// What was beyond a limit.
pub const LIMITED: Metric = counter(
    "parlance_limited_total",
    "Events, requests, connections and the like that were beyond a limit, by limit",
    &["limit"],
);
/// Events written in a dialect.
pub const ENCODINGS: Metric = counter(
    "parlance_encodings_total",
    "Events written in a dialect for its sockets: an event for many sockets once, whatever comes of it",
    &["dialect"],
);
/// Events handed to sockets.
pub const DELIVERIES: Metric =
    counter("parlance_deliveries_total", "Events of conversations handed to sockets of this gateway", &[]);
/// Events of users handed to sockets.
pub const USER_DELIVERIES: Metric = counter(
    "parlance_user_deliveries_total",
    "Events of users' own channels handed to sockets of this gateway",
    &[],
);
/// How long an append took.
pub const APPEND_SECONDS: Metric =
    seconds("parlance_append_seconds", "Time from a command to its place in the stream", &[]);
/// Readings of what a conversation missed.
pub const REPAIRS: Metric =
    counter("parlance_repairs_total", "Readings from the hot log or Postgres to close a gap", &[]);
/// Publications that were dropped before they were dispatched.
pub const SUBSCRIBER_LAGS: Metric = counter(
    "parlance_subscriber_lags_total",
    "Times that publications were dropped because dispatch was too slow; gaps are repaired",
    &[],
);
/// Replaced subscriber connections.
pub const SUBSCRIBER_REPLACED: Metric = counter(
    "parlance_subscriber_replaced_total",
    "Subscriber connections replaced because a partition brought no events",
    &[],
);

/// All of them.
pub const METRICS: &[Metric] = &[
    CONNECTIONS,
    CONNECTS,
    COMMANDS,
    EVENTS_REFUSED,
    JWKS_FETCHES,
    JWKS_KEYS,
    INSECURE_DIALECTS,
    DIALECT_RELOADS,
    LIMITED,
    ENCODINGS,
    DELIVERIES,
    USER_DELIVERIES,
    APPEND_SECONDS,
    REPAIRS,
    SUBSCRIBER_LAGS,
    SUBSCRIBER_REPLACED,
];
