//! All live wires: found by session id, swept for slow readers, ended together.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use socketioxide::socket::Sid;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::config::{SlowReader, WireConfig};
use super::engine::Engine;
use super::handshake::Handshake;
use super::metrics::Traffic;
use super::request::Refusal;
use super::{KillReason, Transport, Wire};
use crate::limits::{Pass, Rate};

const SWEEP: Duration = Duration::from_secs(1);
/// How long a killed polling client that had no GET pending can still fetch its close packet.
const FAREWELL: Duration = Duration::from_secs(30);

/// The live wires of one endpoint.
pub struct Wires {
    state: Mutex<State>,
    next: AtomicU64,
    limits: SlowReader,
    packets: Rate,
    traffic: Arc<Traffic>,
    engine: OnceLock<Weak<dyn Engine>>,
    emptied: Notify,
}

#[derive(Default)]
struct State {
    live: HashMap<u64, Live>,
    polling: HashMap<Sid, Polling>,
    /// Nobody is let in any more.
    is_closed: bool,
}

/// A listed session. It has its place as long as it is listed, whoever keeps the wire.
struct Live {
    wire: Arc<Wire>,
    _pass: Option<Pass>,
}

/// A session that was opened by polling.
enum Polling {
    Live(Arc<Wire>),
    /// Its client was ended and does not know yet.
    Farewell {
        until: Instant,
    },
}

/// What a socket's `req_parts().extensions` holds. The engine keeps it exactly as long as the session, and the
/// registry lets go of the wire when the last clone is dropped: keep the [`Wire`], not the slot.
#[derive(Clone, Debug)]
pub struct WireSlot(Arc<Owner>);

#[derive(Debug)]
struct Owner(Arc<Wire>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.over();
    }
}

impl WireSlot {
    /// The session's wire.
    pub fn wire(&self) -> &Arc<Wire> {
        &self.0.0
    }
}

impl std::fmt::Debug for Wires {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wires").field("live", &self.len()).finish_non_exhaustive()
    }
}

impl Wires {
    pub(super) fn new(config: &WireConfig) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            next: AtomicU64::new(0),
            limits: config.slow_reader,
            packets: config.packets,
            traffic: Arc::new(Traffic::new()),
            engine: OnceLock::new(),
            emptied: Notify::new(),
        })
    }

    /// How many sessions are alive.
    pub fn len(&self) -> usize {
        self.state().live.len()
    }

    /// Whether no session is alive.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The live wires of this moment, to be ended at one's own pace.
    pub fn snapshot(&self) -> Vec<Arc<Wire>> {
        self.state().live.values().map(|live| Arc::clone(&live.wire)).collect()
    }

    /// Ends every live wire.
    pub fn kill_all(&self, reason: KillReason) {
        for wire in self.snapshot() {
            wire.kill(reason);
        }
    }

    /// From now on no session is opened.
    pub fn close_entrance(&self) {
        self.state().is_closed = true;
    }

    /// Whether there is a client that needs to send requests to keep its session.
    pub fn has_polling(&self) -> bool {
        let needs = |wire: &Wire| wire.is_polling() && wire.killed().is_none();
        self.state().live.values().any(|live| needs(&live.wire))
    }

    /// Resolves when no session is alive.
    pub async fn emptied(&self) {
        loop {
            let notified = self.emptied.notified();
            if self.is_empty() {
                return;
            }
            notified.await;
        }
    }

    /// Ends slow readers and those who were told to go, once a second, and everything when `hard` is cancelled.
    pub(super) async fn sweep(self: Arc<Self>, hard: CancellationToken) {
        let mut tick = tokio::time::interval(SWEEP);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while hard.run_until_cancelled(tick.tick()).await.is_some() {
            for (wire, reason) in self.overdue(Instant::now()) {
                wire.kill(reason);
            }
        }
        self.kill_all(KillReason::Shutdown);
    }

    /// Collected first, killed later: a kill comes back here to remove the wire.
    fn overdue(&self, now: Instant) -> Vec<(Arc<Wire>, KillReason)> {
        let mut state = self.state();
        state.polling.retain(|_, polling| match polling {
            Polling::Live(_) => true,
            Polling::Farewell { until } => *until > now,
        });
        let overdue = |Live { wire, .. }: &Live| {
            let reason = match wire {
                wire if wire.has_parted(now) => KillReason::Disconnected,
                wire if wire.is_slow(now) => KillReason::SlowReader,
                _ => return None,
            };
            Some((Arc::clone(wire), reason))
        };
        state.live.values().filter_map(overdue).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the endpoint does with it.
impl Wires {
    pub(super) fn set_engine(&self, engine: Weak<dyn Engine>) {
        self.engine.set(engine).ok();
    }

    pub(super) fn traffic(&self) -> &Arc<Traffic> {
        &self.traffic
    }

    pub(super) fn limits(&self) -> SlowReader {
        self.limits
    }

    pub(super) fn packets(&self) -> Rate {
        self.packets
    }

    /// A new wire and the slot that keeps it listed.
    ///
    /// # Errors
    /// When nobody is let in any more.
    pub(super) fn open(
        self: &Arc<Self>,
        transport: Transport,
        from: Handshake,
        pass: Option<Pass>,
    ) -> Result<WireSlot, Refusal> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let wire = Arc::new(Wire::new(id, self, transport, from));
        let mut state = self.state();
        if state.is_closed {
            return Err(Refusal::Draining);
        }
        state.live.insert(id, Live { wire: Arc::clone(&wire), _pass: pass });
        drop(state);
        Ok(WireSlot(Arc::new(Owner(wire))))
    }

    /// Makes a polling session's wire known by its session id.
    pub(super) fn name(&self, wire: &Arc<Wire>, sid: Sid) {
        {
            let mut state = self.state();
            // A session that ended while its open packet was being read must not stay listed.
            if !wire.closed() && wire.sid.set(sid).is_ok() {
                state.polling.insert(sid, Polling::Live(Arc::clone(wire)));
            }
        }
        // A kill that came before the name had nothing to end.
        if wire.killed().is_some() {
            self.end_polling_session(sid);
        }
    }

    /// The wire of a session that was opened by polling.
    pub(super) fn polling(&self, sid: Sid) -> Result<Arc<Wire>, Refusal> {
        match self.state().polling.get(&sid) {
            Some(Polling::Live(wire)) => Ok(Arc::clone(wire)),
            Some(Polling::Farewell { .. }) | None => Err(Refusal::UnknownSession),
        }
    }

    /// Whether this poll is of a client that was ended and does not know yet. True once.
    pub(super) fn farewell(&self, sid: Sid) -> bool {
        let mut state = self.state();
        match state.polling.get(&sid) {
            Some(Polling::Live(wire)) => wire.killed().is_some() && !wire.told.swap(true, Ordering::SeqCst),
            Some(Polling::Farewell { .. }) => state.polling.remove(&sid).is_some(),
            None => false,
        }
    }

    pub(super) fn forget(&self, wire: &Wire) {
        let empty = {
            let mut state = self.state();
            state.live.remove(&wire.id);
            if let Some(sid) = wire.sid.get() {
                state.polling.remove(sid);
                let ended = wire.killed().is_some() && !wire.told.load(Ordering::SeqCst);
                if ended && wire.transport() == Transport::Polling {
                    state.polling.insert(*sid, Polling::Farewell { until: Instant::now() + FAREWELL });
                }
            }
            state.live.is_empty()
        };
        if empty {
            self.emptied.notify_waiters();
        }
    }

    pub(super) fn end_polling_session(&self, sid: Sid) {
        if let Some(engine) = self.engine.get().and_then(Weak::upgrade) {
            engine.end_polling_session(sid);
        }
    }
}
