//! `[socket]`: Engine.IO, Socket.IO, and when a client is given up.

use std::{ops::RangeInclusive, time::Duration};

use parlance_chassis::config::{Invalid, Problem, Raw, Reader, Setting, parse};

const PING_INTERVAL: Setting =
    Setting::new("socket.ping_interval", "Time between two pings of the server.").default("25s");
const PING_TIMEOUT: Setting =
    Setting::new("socket.ping_timeout", "How long a client's pong may take before its connection ends.")
        .default("60s");
const CONNECT_TIMEOUT: Setting = Setting::new(
    "socket.connect_timeout",
    "How long a connection may stay without being connected to a namespace, and a socket of an insecure dialect without \
     saying who it is.",
)
.default("45s");
const MAX_PAYLOAD: Setting = Setting::new(
    "socket.max_payload",
    "The largest WebSocket message and polling body that a client may send.",
)
.default("2MiB");
const SLOW_READER_DEADLINE: Setting = Setting::new(
    "socket.slow_reader_deadline",
    "How long a client may read nothing of what waits for it before its transport is closed.",
)
.default("8s");
const SLOW_READER_BYTES: Setting = Setting::new(
    "socket.slow_reader_bytes",
    "How many bytes may wait for one client before its transport is closed.",
)
.default("4MiB");
const FAST_LANE: Setting = Setting::new(
    "socket.fast_lane",
    "Whether events are written past the Socket.IO engine. There is no reason to turn it off but to measure it.",
)
.default("true");

/// Engine.IO, Socket.IO, and when a client is given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketSection {
    /// Time between two pings.
    pub ping_interval: Duration,
    /// How long a pong may take.
    pub ping_timeout: Duration,
    /// How long a connection may stay without a namespace.
    pub connect_timeout: Duration,
    /// Bytes of a WebSocket message or a polling body.
    pub max_payload: usize,
    /// How long a client may read nothing.
    pub slow_reader_deadline: Duration,
    /// How many bytes may wait for one client.
    pub slow_reader_bytes: usize,
    /// Whether events are written past the engine.
    pub fast_lane: bool,
}

impl SocketSection {
    /// What can be set here.
    pub const SETTINGS: &'static [Setting] = &[
        PING_INTERVAL,
        PING_TIMEOUT,
        CONNECT_TIMEOUT,
        MAX_PAYLOAD,
        SLOW_READER_DEADLINE,
        SLOW_READER_BYTES,
        FAST_LANE,
    ];

    /// Reads the section.
    ///
    /// # Errors
    /// When something in it is wrong.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let time = || parse::duration(Duration::from_millis(100)..=Duration::from_secs(3_600));
        let ping_interval = reader.require(&PING_INTERVAL, time());
        let ping_timeout = reader.require(&PING_TIMEOUT, time());
        let connect_timeout = reader.require(&CONNECT_TIMEOUT, time());
        let max_payload = reader.require(&MAX_PAYLOAD, bytes(1 << 10..=64 << 20));
        let slow_reader_deadline = reader.require(&SLOW_READER_DEADLINE, time());
        let slow_reader_bytes = reader.require(&SLOW_READER_BYTES, bytes(64 << 10..=1 << 30));
        let fast_lane = reader.require(&FAST_LANE, parse::boolean());
        Ok(Self {
            ping_interval: ping_interval?,
            ping_timeout: ping_timeout?,
            connect_timeout: connect_timeout?,
            max_payload: max_payload?,
            slow_reader_deadline: slow_reader_deadline?,
            slow_reader_bytes: slow_reader_bytes?,
            fast_lane: fast_lane?,
        })
    }
}

/// A size that memory can have.
fn bytes(range: RangeInclusive<u64>) -> impl Fn(&Raw) -> Result<usize, Problem> {
    let size = parse::byte_size(range);
    move |raw| usize::try_from(size(raw)?).map_err(|_| Problem::new("is more than this machine can hold"))
}
