//! The wire's metrics: each name once, with its help text.

use metrics::{Counter, Unit, counter};
use parlance_chassis::metrics::{Metric, start_counters};

use super::KillReason;

/// Bytes from clients: WebSocket streams and polling bodies.
pub const RECEIVED: Metric = Metric::counter(
    "parlance_wire_received_bytes_total",
    "Bytes from Socket.IO clients: WebSocket streams and polling bodies",
    &[],
)
.of(Unit::Bytes);

/// Bytes to clients: WebSocket streams and polling bodies.
pub const SENT: Metric = Metric::counter(
    "parlance_wire_sent_bytes_total",
    "Bytes to Socket.IO clients: WebSocket streams and polling bodies",
    &[],
)
.of(Unit::Bytes);

/// Transports that the gateway ended.
pub const KILLS: Metric = Metric::counter(
    "parlance_wire_kills_total",
    "Socket.IO transports that the gateway ended, by reason",
    &["reason"],
);

/// All metrics of the wire.
pub const METRICS: &[Metric] = &[RECEIVED, SENT, KILLS];

/// Lets the kills of every reason show, at zero.
pub fn start_kills() {
    let reasons = (1..=u8::MAX).map_while(KillReason::from_u8);
    // Not the gateway's doing, and not counted.
    let counted = reasons.filter(|reason| *reason != KillReason::Broken);
    start_counters(&KILLS, "reason", counted.map(KillReason::as_str));
}

/// Handles of the counters that every read and write touches.
pub(super) struct Traffic {
    pub(super) received: Counter,
    pub(super) sent: Counter,
}

impl Traffic {
    /// The recorder of the process must be installed by now.
    pub(super) fn new() -> Self {
        Self { received: counter!(RECEIVED.name), sent: counter!(SENT.name) }
    }
}
