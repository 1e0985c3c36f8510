//! What a client's streams and its HTTP requests report to its wire: bytes that came and went, and what had to wait.

use std::io;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::Duration;

use super::lane::Progress;
use super::{KillReason, Transport, Wire};

impl Wire {
    /// So many bytes came, with so many packets. Ends the transport of a client that is not let in yet and sends more than
    /// it needs for that.
    pub(super) fn count_received(&self, bytes: usize, packets: u64) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
        self.traffic.received.increment(bytes as u64);
        self.pace.count(self.opened.elapsed(), packets, bytes as u64);
        if self.strangers_room() == Some(0) {
            self.kill(KillReason::Stranger);
        }
    }

    /// So many packets came, in bytes that were counted before.
    pub(super) fn count_packets(&self, packets: u64) {
        self.pace.count(self.opened.elapsed(), packets, 0);
    }

    /// How long nothing more of what the client sends is to be taken in.
    pub(super) fn intake_wait(&self) -> Duration {
        self.pace.wait(self.opened.elapsed())
    }

    pub(super) fn count_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
        self.traffic.sent.increment(bytes as u64);
    }

    pub(super) fn set_transport(&self, transport: Transport) {
        self.transport.store(transport as u8, Ordering::SeqCst);
    }

    pub(super) fn move_transport(&self, from: Transport, to: Transport) -> bool {
        self.transport.compare_exchange(from as u8, to as u8, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// Remembers whom to wake on a kill. Returns whether the transport has been ended already.
    pub(super) fn reading(&self, waker: &Waker) -> bool {
        self.reader.register(waker);
        self.killed().is_some()
    }

    pub(super) fn writing(&self, waker: &Waker) -> bool {
        self.writer.register(waker);
        self.killed().is_some()
    }

    /// What lane and engine have written, or could not.
    pub(super) fn moved(&self, progress: &io::Result<Progress>) {
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
    pub(super) fn handed_over(&self, bytes: usize) {
        self.waiting_since.store(0, Ordering::Relaxed);
        self.settle(bytes);
    }

    /// What the engine waited for has left.
    pub(super) fn engine_may_write(&self) {
        self.writer.wake();
    }

    pub(super) fn wrote(&self, bytes: usize) {
        self.count_sent(bytes);
        self.waiting_since.store(0, Ordering::Relaxed);
        self.settle(bytes);
    }

    pub(super) fn write_blocked(&self) {
        self.waiting_since.compare_exchange(0, self.stamp(), Ordering::Relaxed, Ordering::Relaxed).ok();
    }

    /// The engine has handed over everything it had, and all of it was taken.
    pub(super) fn flushed(&self) {
        self.waiting_since.store(0, Ordering::Relaxed);
        self.outstanding.store(0, Ordering::Relaxed);
    }

    /// A GET was answered with `bytes`; `all` if nothing was left behind.
    pub(super) fn fetched(&self, bytes: usize, all: bool) {
        self.count_sent(bytes);
        self.settle(if all { usize::MAX } else { bytes });
        let since = if self.outstanding() == 0 { 0 } else { self.stamp() };
        self.waiting_since.store(since, Ordering::Relaxed);
    }

    pub(super) fn settle(&self, bytes: usize) {
        self.outstanding
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |outstanding| {
                Some(outstanding.saturating_sub(bytes))
            })
            .ok();
    }

    /// Ends the session in the engine if it still is a polling session there; otherwise nothing happens.
    pub(super) fn end_session(&self) {
        if let (Some(sid), Some(registry)) = (self.sid.get(), self.registry.upgrade()) {
            registry.end_polling_session(*sid);
        }
    }

    /// The engine dropped the stream. If it did so in the middle of an upgrade, it still has the session, and
    /// would answer its polls with NOOP for ever.
    pub(super) fn stream_dropped(&self) {
        self.end_session();
        self.over();
    }

    pub(super) fn over(&self) {
        if !self.closed.swap(true, Ordering::SeqCst)
            && let Some(registry) = self.registry.upgrade()
        {
            registry.forget(self);
        }
    }
}
