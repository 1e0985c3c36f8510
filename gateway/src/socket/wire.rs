//! The wire: one client's transport as the gateway sees it, below socketioxide.
//!
//! It answers WebSocket upgrades itself, so that the engine never sees (and never keeps) an HTTP request; counts
//! bytes; sees a client that stops reading; and can end the transport of a session whatever the engine is doing.
//! It knows nothing of users, events or dialects, and never sends a Socket.IO packet.
//!
//! * `service` – the endpoint, `polling` and `upgrade` – what it does for each transport, `engine` – socketioxide
//! * `stream` – the upgraded stream as the engine sees it, `lane` – the way past the engine
//! * `registry` – all live wires, found by session id; sweeps out slow readers

mod config;
mod engine;
mod handshake;
mod lane;
mod metrics;
mod polling;
mod registry;
mod request;
mod service;
mod stream;
mod transport;
mod upgrade;

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::task::Waker;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use lane::{Lane, Progress};
use metrics::Traffic;
use socketioxide::socket::Sid;

pub use config::{BadSocketPath, SlowReader, SocketPath, WireConfig, WireConfigError};
pub use handshake::Handshake;
pub(crate) use handshake::client_address;
pub use lane::LaneId;
pub use metrics::METRICS;
pub use registry::{WireSlot, Wires};
pub use service::build;
pub use transport::{KillReason, Transport};

/// How long a client that was sent a DISCONNECT has to read it and to go.
const PARTING: Duration = Duration::from_secs(2);

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
            waiting_since: AtomicU64::new(0),
            parting_since: AtomicU64::new(0),
            polls: AtomicU16::new(0),
            posts: AtomicU16::new(0),
            muted: AtomicBool::new(false),
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
        if matches!(self.transport(), Transport::Polling | Transport::Upgrading) {
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

    /// Announces `bytes` of payload that are about to be emitted. Call it *before* the emit: a client that reads
    /// faster than this is called would otherwise seem to owe a read. Ends the transport when more is
    /// outstanding than [`SlowReader::bytes`].
    pub fn queued(&self, bytes: usize) {
        let size = bytes + frame_header(bytes);
        let before = self.outstanding.fetch_add(size, Ordering::Relaxed);
        if before == 0 && self.transport() == Transport::Polling {
            self.waiting_since.compare_exchange(0, self.stamp(), Ordering::Relaxed, Ordering::Relaxed).ok();
        }
        if self.outstanding() > self.limits.bytes {
            self.kill(KillReason::SlowReader);
        }
    }

    /// Begins to lead a socket of this wire past the engine, if that is possible now: from here on its frames are held
    /// back by [`Wire::send`], until everything that was emitted to it before has left the engine. The caller sees to it
    /// that nothing is emitted to the socket while this runs, nor afterwards.
    ///
    /// `emit` is given the name of an event and its argument, which never reach the client; it emits them to the
    /// socket and says whether the engine took them.
    pub fn open_lane(&self, namespace: &Arc<str>, emit: impl FnOnce(&str, u32) -> bool) -> Option<LaneId> {
        let possible = matches!(self.transport(), Transport::WebSocket | Transport::Upgraded);
        if possible && self.killed().is_none() { self.lane.open(namespace, emit) } else { None }
    }

    /// Sends a finished WebSocket frame to a socket: at once if the client's stream takes it, else as soon as it
    /// does. Ends the transport when more than [`SlowReader::bytes`] waits. A socket that is gone gets nothing.
    pub fn send(&self, lane: LaneId, frame: &Bytes) {
        if self.killed().is_some() {
            return;
        }
        let sent = self.lane.send(lane, frame);
        if sent.as_ref().is_ok_and(|progress| progress.stuck) {
            // The task that reads has itself woken when the stream takes more.
            self.reader.wake();
        }
        self.moved(&sent);
    }

    /// Nothing more will be sent to this socket.
    pub fn close_lane(&self, lane: LaneId) {
        self.lane.close(lane);
    }

    /// How long something has been waiting for the client without any progress: a write that the operating system
    /// does not take, or packets that no GET fetches.
    pub fn stalled_for(&self, now: Instant) -> Duration {
        self.engine_stalled_for(now).max(self.lane.stalled_for(now))
    }

    fn engine_stalled_for(&self, now: Instant) -> Duration {
        let since = self.waiting_since.load(Ordering::Relaxed);
        let fetching = matches!(self.transport(), Transport::Polling | Transport::Upgrading)
            && self.polls.load(Ordering::Relaxed) > 0;
        if since == 0 || fetching {
            return Duration::ZERO;
        }
        now.saturating_duration_since(self.opened).saturating_sub(Duration::from_millis(since - 1))
    }

    fn is_slow(&self, now: Instant) -> bool {
        self.stalled_for(now) > self.limits.deadline || self.outstanding() > self.limits.bytes
    }

    /// Milliseconds after `opened`, plus one.
    fn stamp(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    fn count_received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
        self.traffic.received.increment(bytes as u64);
    }

    fn count_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
        self.traffic.sent.increment(bytes as u64);
    }
}

/// What the stream and the HTTP side report.
impl Wire {
    fn set_transport(&self, transport: Transport) {
        self.transport.store(transport as u8, Ordering::SeqCst);
    }

    fn move_transport(&self, from: Transport, to: Transport) -> bool {
        self.transport.compare_exchange(from as u8, to as u8, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// Remembers whom to wake on a kill. Returns whether the transport has been ended already.
    fn reading(&self, waker: &Waker) -> bool {
        self.reader.register(waker);
        self.killed().is_some()
    }

    fn writing(&self, waker: &Waker) -> bool {
        self.writer.register(waker);
        self.killed().is_some()
    }

    /// What lane and engine have written, or could not.
    fn moved(&self, progress: &io::Result<Progress>) {
        let Ok(Progress { written, waiting, .. }) = *progress else {
            self.kill(KillReason::Broken);
            return;
        };
        if written > 0 {
            self.count_sent(written);
        }
        if waiting > self.limits.bytes {
            self.kill(KillReason::SlowReader);
        }
    }

    /// So many bytes have left the engine, for the queue that it shares with the lane.
    fn handed_over(&self, bytes: usize) {
        self.waiting_since.store(0, Ordering::Relaxed);
        self.settle(bytes);
    }

    /// What the engine waited for has left.
    fn engine_may_write(&self) {
        self.writer.wake();
    }

    fn wrote(&self, bytes: usize) {
        self.count_sent(bytes);
        self.waiting_since.store(0, Ordering::Relaxed);
        self.settle(bytes);
    }

    fn write_blocked(&self) {
        self.waiting_since.compare_exchange(0, self.stamp(), Ordering::Relaxed, Ordering::Relaxed).ok();
    }

    /// The engine has handed over everything it had, and all of it was taken.
    fn flushed(&self) {
        self.waiting_since.store(0, Ordering::Relaxed);
        self.outstanding.store(0, Ordering::Relaxed);
    }

    /// A GET was answered with `bytes`; `all` if nothing was left behind.
    fn fetched(&self, bytes: usize, all: bool) {
        self.count_sent(bytes);
        self.settle(if all { usize::MAX } else { bytes });
        let since = if self.outstanding() == 0 { 0 } else { self.stamp() };
        self.waiting_since.store(since, Ordering::Relaxed);
    }

    fn settle(&self, bytes: usize) {
        self.outstanding
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |outstanding| {
                Some(outstanding.saturating_sub(bytes))
            })
            .ok();
    }

    /// Ends the session in the engine if it still is a polling session there; otherwise nothing happens.
    fn end_session(&self) {
        if let (Some(sid), Some(registry)) = (self.sid.get(), self.registry.upgrade()) {
            registry.end_polling_session(*sid);
        }
    }

    /// The engine dropped the stream. If it did so in the middle of an upgrade, it still has the session, and
    /// would answer its polls with NOOP for ever.
    fn stream_dropped(&self) {
        self.end_session();
        self.over();
    }

    fn over(&self) {
        if !self.closed.swap(true, Ordering::SeqCst)
            && let Some(registry) = self.registry.upgrade()
        {
            registry.forget(self);
        }
    }
}

/// Bytes that carrying a payload of this size costs in addition (RFC 6455, 5.2; close to what polling adds too).
fn frame_header(payload: usize) -> usize {
    match payload {
        0..=125 => 2,
        126..=65_535 => 4,
        _ => 10,
    }
}
