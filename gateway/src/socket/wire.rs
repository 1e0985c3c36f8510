//! The wire: one client's transport as the gateway sees it, below socketioxide.
//!
//! It answers WebSocket upgrades itself, so that the engine never sees (and never keeps) an HTTP request; counts
//! bytes; sees a client that stops reading; and can end the transport of a session whatever the engine is doing.
//! It knows nothing of users, events or dialects, and never sends a Socket.IO packet.
//!
//! * `service` – the endpoint, `polling`, `posting` and `upgrade` – what it does for each transport
//! * `engine` – socketioxide
//! * `stream` – the upgraded stream as the engine sees it, `intake` – what is read of it, `pace` – how fast,
//!   `lane` – the way past the engine
//! * `outgoing` – what is sent to a client, `progress` – what streams and HTTP report
//! * `registry` – all live wires, found by session id; sweeps out slow readers; `settling` – whether a client waits for something

mod config;
mod engine;
mod handshake;
mod intake;
mod lane;
mod metrics;
mod outgoing;
mod pace;
mod polling;
mod posting;
mod progress;
mod registry;
mod request;
mod service;
mod settling;
mod stream;
mod transport;
mod upgrade;

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use lane::Lane;
use metrics::Traffic;
use pace::Pace;
use socketioxide::socket::Sid;

pub use config::{BadSocketPath, SlowReader, SocketPath, SocketPaths, WireConfig, WireConfigError};
pub use handshake::Handshake;
pub(crate) use handshake::client_address;
pub use lane::LaneId;
pub use metrics::{METRICS, start_kills};
pub use pace::packets_beside;
pub use registry::{WireSlot, Wires};
pub use service::{build, in_front_of};
pub use settling::Owed;
pub use transport::{KillReason, Transport};

/// How long a client that was sent a DISCONNECT has to read it and to go.
const PARTING: Duration = Duration::from_secs(2);

/// How many bytes a client may send before it is let in. Its CONNECT packet, with a token, has some kilobytes.
pub const STRANGER_BYTES: u64 = 64 << 10;

/// One client's transport. Reached from a socket through [`WireSlot`]; outlives the session only as a record.
pub struct Wire {
    id: u64,
    /// Known once the session is opened by polling; a WebSocket's own session id is never needed here.
    sid: OnceLock<Sid>,
    address: Option<IpAddr>,
    opened: Instant,
    registry: Weak<Wires>,
    traffic: Arc<Traffic>,
    limits: SlowReader,
    handshake: Handshake,
    transport: AtomicU8,
    /// 0, or the [`KillReason`].
    killed: AtomicU8,
    closed: AtomicBool,
    received: AtomicU64,
    sent: AtomicU64,
    outstanding: AtomicUsize,
    /// What the client has sent and is not answered.
    owed: AtomicUsize,
    /// 0, or 1 + the milliseconds after `opened` since when something waits to be read without any progress.
    waiting_since: AtomicU64,
    /// 0, or 1 + the milliseconds after `opened` since when the client has been asked to go.
    parting_since: AtomicU64,
    /// Polling GETs that wait in the engine; while there is one, nothing can be outstanding for long.
    polls: AtomicU16,
    /// Polling POSTs whose bodies are being taken in.
    posts: AtomicU16,
    /// What the client sends is thrown away.
    muted: AtomicBool,
    /// A CONNECT was accepted, to whatever namespace.
    admitted: AtomicBool,
    pace: Pace,
    /// CONNECT packets that were looked at.
    connects: AtomicU32,
    /// A killed polling client has been told to go.
    told: AtomicBool,
    lane: Lane,
    reader: AtomicWaker,
    writer: AtomicWaker,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire")
            .field("id", &self.id)
            .field("transport", &self.transport())
            .field("address", &self.address)
            .field("killed", &self.killed())
            .finish_non_exhaustive()
    }
}

impl Wire {
    fn new(id: u64, wires: &Arc<Wires>, transport: Transport, from: Handshake) -> Self {
        Self {
            id,
            sid: OnceLock::new(),
            address: from.address,
            opened: Instant::now(),
            registry: Arc::downgrade(wires),
            traffic: Arc::clone(wires.traffic()),
            limits: wires.limits(),
            handshake: from,
            transport: AtomicU8::new(transport as u8),
            killed: AtomicU8::new(0),
            closed: AtomicBool::new(false),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            outstanding: AtomicUsize::new(0),
            owed: AtomicUsize::new(0),
            waiting_since: AtomicU64::new(0),
            parting_since: AtomicU64::new(0),
            polls: AtomicU16::new(0),
            posts: AtomicU16::new(0),
            muted: AtomicBool::new(false),
            admitted: AtomicBool::new(false),
            pace: Pace::new(wires.packets()),
            connects: AtomicU32::new(0),
            told: AtomicBool::new(false),
            lane: Lane::default(),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
        }
    }

    /// How this session's bytes travel now.
    pub fn transport(&self) -> Transport {
        Transport::from_u8(self.transport.load(Ordering::SeqCst))
    }

    /// The client's address; `None` only when the server was started without telling addresses.
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// When the session was opened.
    pub fn opened(&self) -> Instant {
        self.opened
    }

    /// Bytes from the client so far.
    pub fn bytes_received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Bytes that were handed to the operating system, or answered to a poll, so far.
    pub fn bytes_sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Bytes that were announced with [`Wire::queued`] or sent through a lane, and are not known to have left.
    pub fn outstanding(&self) -> usize {
        self.outstanding.load(Ordering::Relaxed).saturating_add(self.lane.waiting())
    }

    /// From now on, nothing that the client sends reaches the engine. Its end does.
    pub fn mute(&self) {
        self.muted.store(true, Ordering::SeqCst);
    }

    fn muted(&self) -> bool {
        self.muted.load(Ordering::SeqCst)
    }

    /// Its client is let in, by a CONNECT to whatever namespace. Until then it may not send more than
    /// [`STRANGER_BYTES`].
    pub fn admit(&self) {
        self.admitted.store(true, Ordering::SeqCst);
    }

    /// How many bytes more the client may send; `None` when it is let in.
    fn strangers_room(&self) -> Option<u64> {
        let stranger = !self.admitted.load(Ordering::SeqCst);
        stranger.then(|| STRANGER_BYTES.saturating_sub(self.bytes_received()))
    }

    /// Counts a CONNECT packet, to whatever namespace; how many there were before.
    pub fn count_connect(&self) -> u32 {
        self.connects.fetch_add(1, Ordering::Relaxed)
    }

    /// The request that opened the session. It is kept as long as that: a client may connect to further namespaces of
    /// it at any time, and its cookies and headers count for each.
    pub fn handshake(&self) -> &Handshake {
        &self.handshake
    }

    /// Why the transport was ended by the gateway; `None` if it was not.
    pub fn killed(&self) -> Option<KillReason> {
        KillReason::from_u8(self.killed.load(Ordering::SeqCst))
    }

    /// Whether the session is over, whoever ended it.
    pub fn closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Ends the transport, whatever the engine is doing: the client sees `transport close` and comes back by
    /// itself. Never sends a Socket.IO DISCONNECT. True for the first call on a live wire.
    ///
    /// A WebSocket gets a close frame if no frame is half written, and its reads and writes end; a polling
    /// session is closed in the engine, and its pending or next GET is answered with a close packet.
    pub fn kill(&self, reason: KillReason) -> bool {
        if self.closed()
            || self.killed.compare_exchange(0, reason as u8, Ordering::SeqCst, Ordering::SeqCst).is_err()
        {
            return false;
        }
        if reason != KillReason::Broken {
            ::metrics::counter!(metrics::KILLS.name, "reason" => reason.as_str()).increment(1);
            tracing::debug!(
                reason = reason.as_str(),
                transport = self.transport().as_str(),
                address = ?self.address,
                outstanding = self.outstanding(),
                "ending a client's transport"
            );
        }
        self.reader.wake();
        self.writer.wake();
        if self.is_polling() {
            self.end_session();
            // The engine keeps a session that never connected until its timeout, with the slot in it.
            self.over();
        }
        true
    }

    /// The client has been sent a Socket.IO DISCONNECT, upon which it goes by itself: ends the transport if it is still
    /// there a moment later.
    pub fn part(&self) {
        self.parting_since.compare_exchange(0, self.stamp(), Ordering::Relaxed, Ordering::Relaxed).ok();
    }

    fn has_parted(&self, now: Instant) -> bool {
        let since = self.parting_since.load(Ordering::Relaxed);
        since != 0 && now.saturating_duration_since(self.opened) > PARTING + Duration::from_millis(since - 1)
    }

    /// Milliseconds after `opened`, plus one.
    fn stamp(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }
}
