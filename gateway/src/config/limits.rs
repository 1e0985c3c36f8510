//! `[limits]`: how much is too much.

use std::{num::NonZeroU32, time::Duration};

use parlance_chassis::config::{Invalid, Problem, Raw, Reader, Setting, parse};

use crate::limits::Rate;

const EVENTS_PER_SECOND: Setting = Setting::new(
    "limits.events_per_second",
    "How many events a socket may send in a second, in the long run. Those beyond it are answered `rate_limited`.",
)
.default("10");
const EVENTS_BURST: Setting =
    Setting::new("limits.events_burst", "How many events a socket may send at once after a pause.")
        .default("20");
const SENDS_PER_SECOND: Setting = Setting::new(
    "limits.sends_per_second",
    "How many messages a user may send in a second, in the long run: over all sockets that he has at this gateway and \
     requests with his token. Those beyond it are answered `rate_limited`. Backends with a service key are exempt.",
)
.default("20");
const SENDS_BURST: Setting =
    Setting::new("limits.sends_burst", "How many messages a user may send at once after a pause.")
        .default("40");
const CONNECTS_PER_SECOND: Setting = Setting::new(
    "limits.connects_per_second",
    "How many Socket.IO sessions an address may open in a second, in the long run; an IPv6 address counts with its /64. \
     Those beyond it are answered 429. As many requests of REST may come from an address without a valid token or key. \
     Behind a proxy, `server.trusted_hops` must say so, or all clients are one address.",
)
.default("50");
const CONNECTS_BURST: Setting =
    Setting::new("limits.connects_burst", "How many sessions an address may open at once after a pause.")
        .default("200");
const CONNECTIONS: Setting = Setting::new(
    "limits.connections",
    "How many Socket.IO sessions this gateway has at a time. Those beyond it are answered 503.",
)
.default("50000");
const CONNECTIONS_PER_ADDRESS: Setting = Setting::new(
    "limits.connections_per_address",
    "How many of them an address may have at a time. Many users can share one, behind a router or a proxy.",
)
.default("10000");
const CONNECTIONS_PER_USER: Setting = Setting::new(
    "limits.connections_per_user",
    "How many sockets of this gateway a user may have at a time. The connect of one more is refused with \
     `limit_reached`.",
)
.default("100");
const HTTP_CONNECTIONS: Setting = Setting::new(
    "limits.http_connections",
    "How many TCP connections may speak HTTP at a time: requests, polling, and handshakes that are not finished. \
     Those beyond it are answered 503 and closed. WebSockets are not among them.",
)
.default("100000");
const REQUESTS_PER_SECOND: Setting = Setting::new(
    "limits.requests_per_second",
    "How many requests of REST a user may make with his token in a second, in the long run. Those beyond it are \
     answered 429. Backends with a service key are exempt.",
)
.default("50");
const REQUESTS_BURST: Setting =
    Setting::new("limits.requests_burst", "How many requests a user may make at once after a pause.")
        .default("200");
const STATUSES_PER_SECOND: Setting = Setting::new(
    "limits.statuses_per_second",
    "How often a user may choose his status in a second, in the long run: over all sockets that he has at this gateway \
     and requests with his token. More is answered `rate_limited`. Backends with a service key are exempt.",
)
.default("1");
const STATUSES_BURST: Setting =
    Setting::new("limits.statuses_burst", "How often a user may choose his status at once after a pause.")
        .default("10");
const TYPING_PER_SECOND: Setting = Setting::new(
    "limits.typing_per_second",
    "How often a user may begin to write in a second, in the long run, counted in the same way. More is acknowledged \
     and told to nobody; that he stopped always is. Backends with a service key are exempt.",
)
.default("10");
const TYPING_BURST: Setting =
    Setting::new("limits.typing_burst", "How often a user may begin to write at once after a pause.")
        .default("20");
const JOINS_PER_SECOND: Setting = Setting::new(
    "limits.joins_per_second",
    "How many conversations a user may join in a second, in the long run, over all sockets that he has at this gateway. \
     Those beyond it are answered `rate_limited`. Going on with a session is not among them.",
)
.default("50");
const JOINS_BURST: Setting =
    Setting::new("limits.joins_burst", "How many conversations a user may join at once after a pause.")
        .default("2000");
const ABUSE_REFUSALS: Setting = Setting::new(
    "limits.abuse_refusals",
    "How many events of a socket may be refused within `limits.abuse_window` as too fast, unknown or unreadable. With \
     more it is disconnected for good. A client that tries again what was refused must stay far below it.",
)
.default("1000");
const ABUSE_WINDOW: Setting =
    Setting::new("limits.abuse_window", "The time in which refused events are counted.").default("10s");
const JOINED_CONVERSATIONS: Setting = Setting::new(
    "limits.joined_conversations",
    "How many conversations a socket may have joined at the same time.",
)
.default("1000");
const INGEST_ENTRIES: Setting = Setting::new(
    "limits.ingest_entries",
    "How many events may wait in one partition of Redis to be persisted. Beyond it commands are answered \
     `overloaded`.",
)
.default("200000");
const INGEST_BYTES: Setting =
    Setting::new("limits.ingest_bytes", "How many bytes of such events may wait in one partition.")
        .default("64MiB");
const RECEIPTS_ENTRIES: Setting = Setting::new(
    "limits.receipts_entries",
    "How many receipts may wait in one partition of Redis to be persisted.",
)
.default("200000");
const RECEIPTS_BYTES: Setting =
    Setting::new("limits.receipts_bytes", "How many bytes of receipts may wait in one partition.")
        .default("32MiB");

/// How much is too much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitsSection {
    /// Events of one socket.
    pub events: Rate,
    /// Messages of one user.
    pub sends: Rate,
    /// New sessions of one address.
    pub connects: Rate,
    /// Sessions of this gateway at a time.
    pub connections: usize,
    /// Sessions of one address at a time.
    pub connections_per_address: usize,
    /// Sockets of one user at a time.
    pub connections_per_user: usize,
    /// Connections that speak HTTP at a time.
    pub http_connections: usize,
    /// Requests of one user.
    pub requests: Rate,
    /// Statuses that one user chooses.
    pub statuses: Rate,
    /// Times that one user begins to write.
    pub typing: Rate,
    /// Conversations that one user joins.
    pub joins: Rate,
    /// Refused events of one socket in a window.
    pub abuse_refusals: u32,
    /// In which they are counted.
    pub abuse_window: Duration,
    /// Of one socket.
    pub joined_conversations: usize,
    /// Of one partition's ingest stream.
    pub ingest_entries: u64,
    /// Of one partition's ingest stream.
    pub ingest_bytes: u64,
    /// Of one partition's receipts stream.
    pub receipts_entries: u64,
    /// Of one partition's receipts stream.
    pub receipts_bytes: u64,
}

impl LimitsSection {
    /// What can be set here.
    pub const SETTINGS: &'static [Setting] = &[
        EVENTS_PER_SECOND,
        EVENTS_BURST,
        SENDS_PER_SECOND,
        SENDS_BURST,
        CONNECTS_PER_SECOND,
        CONNECTS_BURST,
        CONNECTIONS,
        CONNECTIONS_PER_ADDRESS,
        CONNECTIONS_PER_USER,
        HTTP_CONNECTIONS,
        REQUESTS_PER_SECOND,
        REQUESTS_BURST,
        STATUSES_PER_SECOND,
        STATUSES_BURST,
        TYPING_PER_SECOND,
        TYPING_BURST,
        JOINS_PER_SECOND,
        JOINS_BURST,
        ABUSE_REFUSALS,
        ABUSE_WINDOW,
        JOINED_CONVERSATIONS,
        INGEST_ENTRIES,
        INGEST_BYTES,
        RECEIPTS_ENTRIES,
        RECEIPTS_BYTES,
    ];

    /// Reads the section.
    ///
    /// # Errors
    /// When something in it is wrong.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let entries = || parse::number(1..=1_000_000_000_u64);
        // The largest message must fit: a megabyte of content, each byte of which JSON may write as six.
        let bytes = || parse::byte_size(8 << 20..=1 << 40);
        let connections = || parse::number(1..=10_000_000_usize);
        let events = rate(reader, &EVENTS_PER_SECOND, &EVENTS_BURST);
        let sends = rate(reader, &SENDS_PER_SECOND, &SENDS_BURST);
        let connects = rate(reader, &CONNECTS_PER_SECOND, &CONNECTS_BURST);
        let of_gateway = reader.require(&CONNECTIONS, connections());
        let per_address = reader.require(&CONNECTIONS_PER_ADDRESS, connections());
        let per_user = reader.require(&CONNECTIONS_PER_USER, connections());
        let http_connections = reader.require(&HTTP_CONNECTIONS, connections());
        let requests = rate(reader, &REQUESTS_PER_SECOND, &REQUESTS_BURST);
        let statuses = rate(reader, &STATUSES_PER_SECOND, &STATUSES_BURST);
        let typing = rate(reader, &TYPING_PER_SECOND, &TYPING_BURST);
        let joins = rate(reader, &JOINS_PER_SECOND, &JOINS_BURST);
        let abuse_refusals = reader.require(&ABUSE_REFUSALS, parse::number(1..=1_000_000_000));
        let window = parse::duration(Duration::from_secs(1)..=Duration::from_secs(3_600));
        let abuse_window = reader.require(&ABUSE_WINDOW, window);
        let joined_conversations = reader.require(&JOINED_CONVERSATIONS, parse::number(1..=100_000));
        let ingest_entries = reader.require(&INGEST_ENTRIES, entries());
        let ingest_bytes = reader.require(&INGEST_BYTES, bytes());
        let receipts_entries = reader.require(&RECEIPTS_ENTRIES, entries());
        let receipts_bytes = reader.require(&RECEIPTS_BYTES, bytes());
        Ok(Self {
            events: events?,
            sends: sends?,
            connects: connects?,
            connections: of_gateway?,
            connections_per_address: per_address?,
            connections_per_user: per_user?,
            http_connections: http_connections?,
            requests: requests?,
            statuses: statuses?,
            typing: typing?,
            joins: joins?,
            abuse_refusals: abuse_refusals?,
            abuse_window: abuse_window?,
            joined_conversations: joined_conversations?,
            ingest_entries: ingest_entries?,
            ingest_bytes: ingest_bytes?,
            receipts_entries: receipts_entries?,
            receipts_bytes: receipts_bytes?,
        })
    }
}

fn rate(reader: &mut Reader<'_>, per_second: &Setting, burst: &Setting) -> Result<Rate, Invalid> {
    let (count, burst) = (reader.require(per_second, positive), reader.require(burst, positive));
    Ok(Rate::per_second(count?, burst?))
}

fn positive(raw: &Raw) -> Result<NonZeroU32, Problem> {
    let number = parse::number(1..=1_000_000)(raw)?;
    NonZeroU32::new(number).ok_or_else(|| Problem::new("is 0"))
}
