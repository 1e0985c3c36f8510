//! The fast lane: what the gateway sends to a socket is written to its TCP stream directly, as finished WebSocket
//! frames, instead of being encoded, queued and framed by the engine once a socket.
//!
//! Engine and lane write to one queue of whole frames, so that nothing gets into the middle of anything. What keeps
//! the order is a marker: a socket's frames are *held* from the moment at which the gateway emits a marker through the
//! engine, until that marker arrives here, is swallowed, and is replaced by what was held; nothing older is left in
//! the engine then, and the lane is *open*. The engine goes on writing what is its own: open, CONNECT, pings,
//! broadcasts of the adapter, close.
//!
//! There is no lane for polling, nor when the stream is not plain TCP; then everything goes through the engine.
//!
//! * `queue` – the frames, and how they are written; `cut` – what the engine writes, cut into frames
//! * `channel` – the sockets of a wire: held, open or gone
//! * `stream` – the stream as the engine sees it

mod channel;
mod cut;
mod queue;
mod stream;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use channel::{Channels, Way};
use cut::Cutter;
use queue::Queue;
use tokio::net::tcp::OwnedWriteHalf;

pub(super) use stream::LaneStream;

/// From so many waiting bytes on, the engine keeps what else it has.
const ENGINE_WAITS: usize = 64 << 10;

/// A socket's lane on its wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneId(u32);

/// The way past the engine to one client. Closed until the engine has been given a stream that it may pass.
#[derive(Default)]
pub(super) struct Lane(Mutex<Option<Box<State>>>);

struct State {
    tcp: OwnedWriteHalf,
    queue: Queue,
    cutter: Cutter,
    channels: Channels,
    /// Where the last of what the engine has written ends.
    engine_end: u64,
    /// A close frame has been queued.
    closed: bool,
    /// Since when something waits without any progress.
    stuck_since: Option<Instant>,
}

/// What has come of it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Progress {
    /// Bytes that the socket has taken.
    pub(super) written: usize,
    /// Bytes that wait now: those of the queue, and those held back.
    pub(super) waiting: usize,
    /// Somebody must wait for the socket to take more.
    pub(super) stuck: bool,
}

impl Lane {
    fn state(&self) -> MutexGuard<'_, Option<Box<State>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stream is there.
    fn attach(&self, tcp: OwnedWriteHalf) {
        *self.state() = Some(Box::new(State {
            tcp,
            queue: Queue::default(),
            cutter: Cutter::default(),
            channels: Channels::default(),
            engine_end: 0,
            closed: false,
            stuck_since: None,
        }));
    }

    /// Closes the sending side of the stream and drops what waits.
    fn detach(&self) {
        *self.state() = None;
    }

    /// Bytes that wait.
    pub(super) fn waiting(&self) -> usize {
        self.state().as_ref().map_or(0, |state| state.waiting())
    }

    /// How long something has been waiting without any progress.
    pub(super) fn stalled_for(&self, now: Instant) -> Duration {
        let since = self.state().as_ref().and_then(|state| state.stuck_since);
        since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// Begins to hold back a socket's frames, and has the marker emitted: `emit` gets the name of an event and its
    /// argument, and says whether the engine has taken it. `None` when there is no lane.
    pub(super) fn open(&self, namespace: &Arc<str>, emit: impl FnOnce(&str, u32) -> bool) -> Option<LaneId> {
        let id = self.state().as_mut().filter(|state| !state.closed)?.channels.hold(namespace.clone());
        if emit(channel::marker(), id.0) {
            return Some(id);
        }
        self.close(id);
        None
    }

    /// Forgets a socket.
    pub(super) fn close(&self, id: LaneId) {
        if let Some(state) = &mut *self.state() {
            state.channels.close(id);
            state.progress(0);
        }
    }

    /// Writes a frame at once if it is its turn, else keeps it. A socket that is gone gets nothing.
    pub(super) fn send(&self, id: LaneId, frame: &Bytes) -> io::Result<Progress> {
        let mut state = self.state();
        let Some(state) = state.as_deref_mut() else {
            return Ok(Progress::default());
        };
        let first = state.queue.is_empty();
        let written = match state.channels.way(id, frame) {
            Way::Open => state.queue.write_through(frame, |slices| write(&state.tcp, slices))?,
            Way::Held | Way::Gone => 0,
        };
        let stuck = first && !state.queue.is_empty();
        Ok(Progress { stuck, ..state.progress(written) })
    }

    /// Takes bytes from the engine; pending while too much waits.
    fn take(&self, cx: &mut Context<'_>, data: &[u8]) -> (Poll<()>, io::Result<Progress>) {
        let mut state = self.state();
        let Some(state) = state.as_deref_mut() else {
            return (Poll::Ready(()), Ok(Progress::default()));
        };
        if state.queue.bytes() >= ENGINE_WAITS {
            let flushed = state.flush(cx);
            if flushed.is_err() || state.queue.bytes() >= ENGINE_WAITS {
                return (Poll::Pending, flushed);
            }
        }
        state.accept(data);
        (Poll::Ready(()), state.flush(cx))
    }

    /// Writes what waits, and has the task woken when the socket takes more. Ready when the engine's part is gone.
    fn flush(&self, cx: &mut Context<'_>) -> (Poll<()>, io::Result<Progress>) {
        let mut state = self.state();
        let Some(state) = state.as_deref_mut() else {
            return (Poll::Ready(()), Ok(Progress::default()));
        };
        let flushed = state.flush(cx);
        let passed = state.queue.has_passed(state.engine_end);
        (if passed { Poll::Ready(()) } else { Poll::Pending }, flushed)
    }

    /// One try to part politely, then the end; what the socket does not take at once is not worth waiting for.
    fn part(&self, goodbye: &[u8]) {
        if let Some(state) = self.state().take()
            && state.queue.is_between_frames()
            && !state.closed
        {
            let _ = state.tcp.try_write(goodbye);
        }
    }
}

impl State {
    fn waiting(&self) -> usize {
        self.queue.bytes() + self.channels.held() + self.cutter.bytes()
    }

    fn accept(&mut self, data: &[u8]) {
        for cut in self.cutter.cut(data) {
            if let Some(id) = channel::marked(cut.text()) {
                for frame in self.channels.open(id) {
                    self.queue.push(frame);
                }
                continue;
            }
            if let Some(ends) = channel::ends(cut.text()) {
                self.channels.end(&ends);
            }
            if cut.is_close() {
                self.channels.end(&channel::Ends::All);
                self.closed = true;
            }
            self.queue.push(cut.bytes);
        }
        self.engine_end = self.queue.end();
    }

    fn flush(&mut self, cx: &mut Context<'_>) -> io::Result<Progress> {
        let mut written = 0;
        loop {
            written += self.queue.write(|slices| write(&self.tcp, slices))?;
            if self.queue.is_empty() || self.tcp.as_ref().poll_write_ready(cx)?.is_pending() {
                // The task is woken, or nothing waits: nobody else needs to do anything.
                return Ok(self.progress(written));
            }
        }
    }

    fn progress(&mut self, written: usize) -> Progress {
        let waiting = self.waiting();
        if waiting == 0 {
            self.stuck_since = None;
        } else if written > 0 || self.stuck_since.is_none() {
            self.stuck_since = Some(Instant::now());
        }
        Progress { written, waiting, stuck: false }
    }
}

fn write(tcp: &OwnedWriteHalf, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
    match slices {
        [one] => tcp.try_write(one),
        many => tcp.try_write_vectored(many),
    }
}
