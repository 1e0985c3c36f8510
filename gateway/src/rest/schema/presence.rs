//! Presence, and the sockets of users.

use utoipa::{IntoParams, ToSchema};

use super::{Timestamp, UserId};

/// What others see of a user.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PresenceStatus {
    Online,
    Away,
    Busy,
    Offline,
}

/// What everybody sees of a user, on all his devices together.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Presence {
    pub user_id: UserId,
    pub status: PresenceStatus,
    /// When the user was last there; null for who is not offline, and when it is not known.
    #[schema(required)]
    pub last_seen: Option<Timestamp>,
    /// Since when it is so; null when it is not known.
    #[schema(required)]
    pub at: Option<Timestamp>,
}

/// What others shall see.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPresence {
    pub status: PresenceStatus,
}

/// A page of users who are online.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PresencePage {
    pub presences: Vec<Presence>,
    /// How many are online in all.
    pub total: u64,
    /// What `cursor` is for the next page; null when there is none.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

/// Which page of users.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PresenceQuery {
    /// `nextCursor` of the page before.
    pub cursor: Option<String>,
    /// At most this many.
    #[param(minimum = 1, maximum = 500, default = 100)]
    pub limit: Option<u64>,
}

/// A connected socket.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConnectedSession {
    #[schema(max_length = 64)]
    pub session_id: String,
    /// What its gateway is called.
    pub gateway: String,
    /// What it speaks.
    pub dialect: String,
    pub connected_at: Timestamp,
}

/// The sockets of a user.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Sessions {
    /// On all gateways, oldest first.
    pub sessions: Vec<ConnectedSession>,
}
