//! The gateway's metrics, each declared once. Those of the wire stand beside it.

use parlance_broker::metrics as redis;
use parlance_chassis::metrics::{InstallError, Metric, MetricsHandle, Section};
use parlance_store::metrics as postgres;

use crate::socket::wire;

/// Sockets that are connected to a namespace.
pub const CONNECTIONS: Metric =
    Metric::gauge("parlance_connections", "Sockets connected to a namespace of this gateway", &["dialect"]);
/// Attempts to connect.
pub const CONNECTS: Metric = Metric::counter(
    "parlance_connects_total",
    "Attempts to connect, by dialect and result (ok, or the code of the refusal)",
    &["dialect", "result"],
);
/// How long connecting took.
pub const CONNECT_SECONDS: Metric = Metric::seconds(
    "parlance_connect_seconds",
    "Time from a Socket.IO CONNECT to its answer, whatever that is",
    &[],
);
/// Sockets that have gone.
pub const DISCONNECTS: Metric = Metric::counter(
    "parlance_disconnects_total",
    "Sockets that have gone, by reason (client, transport_close, transport_error, ping_timeout, server, protocol, \
     shutdown; killed: the gateway ended the transport, see parlance_wire_kills_total)",
    &["reason"],
);
/// Users who have a socket.
pub const ONLINE_USERS: Metric =
    Metric::gauge("parlance_online_users", "Users with a socket at this gateway", &[]);
/// Commands.
pub const COMMANDS: Metric = Metric::counter(
    "parlance_commands_total",
    "Commands from sockets and requests, by command and result (ok, or the code of the rejection)",
    &["command", "result"],
);
/// How long commands took.
pub const COMMAND_SECONDS: Metric = Metric::seconds(
    "parlance_command_seconds",
    "Time from a command, as it is taken from the socket's queue or the request, to its reply, by command",
    &["command"],
);
/// Events from sockets that did not become a command.
pub const EVENTS_REFUSED: Metric = Metric::counter(
    "parlance_events_refused_total",
    "Events from sockets that did not become a command, by the code of the rejection",
    &["code"],
);
/// Requests for published keys.
pub const JWKS_FETCHES: Metric = Metric::counter(
    "parlance_jwks_fetches_total",
    "Requests for the keys of auth.jwks_url, by result (ok, failed: the keys known before stay in use)",
    &["result"],
);
/// Published keys in use.
pub const JWKS_KEYS: Metric =
    Metric::gauge("parlance_jwks_keys", "Keys of auth.jwks_url that tokens may be signed with", &[]);
/// Dialects without authentication.
pub const INSECURE_DIALECTS: Metric = Metric::gauge(
    "parlance_insecure_dialects",
    "Dialects whose clients need no token (auth.insecure_dialects): 1 for each",
    &["dialect"],
);
/// Dialects read again.
pub const DIALECT_RELOADS: Metric = Metric::counter(
    "parlance_dialect_reloads_total",
    "How often the dialects were read again (SIGHUP), by result (ok, refused: those from before stay in use)",
    &["result"],
);
/// What was beyond a limit.
pub const LIMITED: Metric = Metric::counter(
    "parlance_limited_total",
    "Events, requests, connections and the like that were beyond a limit, by limit",
    &["limit"],
);
/// Events written in a dialect.
pub const ENCODINGS: Metric = Metric::counter(
    "parlance_encodings_total",
    "Events written in a dialect for its sockets: an event for many sockets once, whatever comes of it",
    &["dialect"],
);
/// Events handed to sockets.
pub const DELIVERIES: Metric = Metric::counter(
    "parlance_deliveries_total",
    "Events of conversations handed to sockets of this gateway",
    &[],
);
/// Events of users handed to sockets.
pub const USER_DELIVERIES: Metric = Metric::counter(
    "parlance_user_deliveries_total",
    "Events of users' own channels handed to sockets of this gateway",
    &[],
);
/// How long an event took to get here.
pub const FANOUT_SECONDS: Metric = Metric::seconds(
    "parlance_fanout_seconds",
    "Time from the moment that Redis stamped a durable event to that when it was handed to the sockets here (of a room \
     of more than 1,000: to the tasks that serve them), once an event; includes the difference between the clocks, and \
     the repair when there was one",
    &[],
);
/// Conversations that somebody is in.
pub const LIVE_CONVERSATIONS: Metric =
    Metric::gauge("parlance_live_conversations", "Conversations that a socket of this gateway is in", &[]);
/// How long an append took.
pub const APPEND_SECONDS: Metric =
    Metric::seconds("parlance_append_seconds", "Time from a command to its place in the stream", &[]);
/// Readings of what a conversation missed.
pub const REPAIRS: Metric =
    Metric::counter("parlance_repairs_total", "Readings from the hot log or Postgres to close a gap", &[]);
/// How long such a reading took.
pub const REPAIR_SECONDS: Metric = Metric::seconds(
    "parlance_repair_seconds",
    "Time that such a reading took, with the waiting for its turn and for what had to be persisted first",
    &[],
);
/// Conversations that wait for a repair.
pub const PARKED_CONVERSATIONS: Metric = Metric::gauge(
    "parlance_parked_conversations",
    "Conversations of which nothing is handed on until such a reading is done",
    &[],
);
/// Publications that were dropped before they were dispatched.
pub const SUBSCRIBER_LAGS: Metric = Metric::counter(
    "parlance_subscriber_lags_total",
    "Times that publications were dropped because dispatch was too slow; gaps are repaired",
    &[],
);
/// Replaced subscriber connections.
pub const SUBSCRIBER_REPLACED: Metric = Metric::counter(
    "parlance_subscriber_replaced_total",
    "Subscriber connections replaced because a partition brought no events",
    &[],
);

/// Connections that a drain still has to close.
pub const DRAIN_REMAINING_CONNECTIONS: Metric = Metric::gauge(
    "parlance_drain_remaining_connections",
    "Socket.IO transports that this gateway, which is about to end, has not closed yet; 0 before",
    &[],
);

/// Requests.
pub const HTTP_REQUESTS: Metric = Metric::counter(
    "parlance_http_requests_total",
    "HTTP requests, those of Socket.IO left aside, by method and class of the status (2xx, …)",
    &["method", "status"],
);
/// How long requests took.
pub const HTTP_REQUEST_SECONDS: Metric = Metric::seconds(
    "parlance_http_request_seconds",
    "Time from the head of such a request to the head of its answer, by method",
    &["method"],
);

/// All of them.
pub const METRICS: &[Metric] = &[
    CONNECTIONS,
    CONNECTS,
    CONNECT_SECONDS,
    DISCONNECTS,
    ONLINE_USERS,
    COMMANDS,
    COMMAND_SECONDS,
    EVENTS_REFUSED,
    JWKS_FETCHES,
    JWKS_KEYS,
    INSECURE_DIALECTS,
    DIALECT_RELOADS,
    LIMITED,
    ENCODINGS,
    DELIVERIES,
    USER_DELIVERIES,
    FANOUT_SECONDS,
    LIVE_CONVERSATIONS,
    APPEND_SECONDS,
    REPAIRS,
    REPAIR_SECONDS,
    PARKED_CONVERSATIONS,
    SUBSCRIBER_LAGS,
    SUBSCRIBER_REPLACED,
    DRAIN_REMAINING_CONNECTIONS,
    HTTP_REQUESTS,
    HTTP_REQUEST_SECONDS,
];

/// What the gateway measures, by part; what every process does is added.
pub const SECTIONS: &[Section] = &[
    Section { title: "The gateway", metrics: METRICS },
    Section { title: "Transports", metrics: wire::METRICS },
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
    start_counters(&JWKS_FETCHES, "result", ["ok", "failed"]);
    start_counters(&DIALECT_RELOADS, "result", ["ok", "refused"]);
    wire::start_kills();
    Ok(handle)
}
