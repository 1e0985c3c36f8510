//! What is sent to a client: announced before it goes through the engine or sent past it, and how long it waits.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::lane::LaneId;
use super::{KillReason, Transport, Wire};

impl Wire {
    /// Announces `bytes` of payload that are about to be emitted. Call it *before* the emit: a client that reads
    /// faster than this is called would otherwise seem to owe a read. Ends the transport when more is
    /// outstanding than [`SlowReader::bytes`](super::SlowReader::bytes).
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
    /// does. Ends the transport when more than [`SlowReader::bytes`](super::SlowReader::bytes) waits. A socket that is gone gets nothing.
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

    pub(super) fn is_slow(&self, now: Instant) -> bool {
        self.stalled_for(now) > self.limits.deadline || self.outstanding() > self.limits.bytes
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
