//! The wire's metrics: each name once, with its help text.

use metrics::{Counter, Unit, counter};
use parlance_chassis::metrics::{Kind, Metric};

/// Bytes from clients: WebSocket streams and polling bodies.
pub const RECEIVED: Metric = Metric {
    name: "parlance_wire_received_bytes_total",
    kind: Kind::Counter,
    unit: Some(Unit::Bytes),
    help: "Bytes from Socket.IO clients: WebSocket streams and polling bodies",
    labels: &[],
};

/// Bytes to clients: WebSocket streams and polling bodies.
pub const SENT: Metric = Metric {
    name: "parlance_wire_sent_bytes_total",
    kind: Kind::Counter,
    unit: Some(Unit::Bytes),
    help: "Bytes to Socket.IO clients: WebSocket streams and polling bodies",
    labels: &[],
};

/// Transports that the gateway ended.
pub const KILLS: Metric = Metric {
    name: "parlance_wire_kills_total",
    kind: Kind::Counter,
    unit: None,
    help: "Socket.IO transports that the gateway ended, by reason",
    labels: &["reason"],
};

/// All metrics of the wire.
pub const METRICS: &[Metric] = &[RECEIVED, SENT, KILLS];

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
