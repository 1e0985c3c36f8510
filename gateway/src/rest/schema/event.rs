//! A backend's own events.

use serde_json::Value;
use utoipa::ToSchema;

/// An event under the application's own name.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomEvent {
    /// Its name on the wire: at most 128 bytes without control characters, and none that Socket.IO keeps for itself.
    #[schema(min_length = 1, max_length = 128, example = "order:shipped")]
    pub event: String,
    /// Its only argument, any JSON of at most 64 KiB; `null` when it is left out.
    pub data: Option<Value>,
}

/// There is nothing to say.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}
