//! What gateways have.

use std::collections::BTreeMap;

use utoipa::ToSchema;

use super::Timestamp;

/// What all gateways have together, and what each of them has.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Stats {
    /// Sockets.
    pub connected: u64,
    /// Users with a socket, each counted once.
    pub users: u64,
    /// Conversations that a socket has joined, each counted once.
    pub rooms: u64,
    pub gateways: Vec<Gateway>,
}

/// What a gateway has.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// What it is called (`gateway.name`).
    pub gateway: String,
    pub connected: u64,
    pub users: u64,
    pub rooms: u64,
    /// Sockets, by dialect.
    pub dialects: BTreeMap<String, u64>,
    /// When it said so.
    pub at: Timestamp,
}
