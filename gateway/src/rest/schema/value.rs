//! The values that stand in many schemas.

use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

/// A user, by the application's own id: at most 128 bytes of UTF-8 without control characters.
#[derive(ToSchema)]
#[schema(
    min_length = 1,
    max_length = 128,
    pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$",
    example = "alice"
)]
pub struct UserId(String);

/// A conversation, by the application's own id or a made one: at most 128 bytes of UTF-8 without control characters.
#[derive(ToSchema)]
#[schema(
    min_length = 1,
    max_length = 128,
    pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$",
    example = "lobby"
)]
pub struct ConversationId(String);

/// A message: a UUID of version 7, in lower case with hyphens.
#[derive(ToSchema)]
#[schema(
    pattern = "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
    example = "0198c5f0-6c00-7c7e-8f2e-3a1b5c9d0001"
)]
pub struct MessageId(String);

/// A point in time, in UTC with milliseconds.
#[derive(ToSchema)]
#[schema(format = DateTime, example = "2026-01-31T09:30:00.000Z")]
pub struct Timestamp(String);

/// The application's own fields, passed through untouched: at most 16 KiB of JSON, no U+0000.
#[derive(ToSchema)]
#[schema(value_type = Object)]
pub struct Metadata(Map<String, Value>);

/// The conversation that a path names.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct InConversation {
    /// Which conversation.
    pub conversation: ConversationId,
}

/// The participant that a path names.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct OfParticipant {
    /// Which conversation.
    pub conversation: ConversationId,
    /// Which user.
    pub user: UserId,
}

/// The message that a path names.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct OfMessage {
    /// Which message.
    pub message: MessageId,
}

/// The user that a path names.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct OfUser {
    /// Which user.
    pub user: UserId,
}

/// The state that a change is meant for.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub struct IfMatch {
    /// The `ETag` that was read; when it is another by now, nothing is changed.
    #[param(rename = "If-Match")]
    pub if_match: Option<String>,
}

/// That the gateway answers.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Health {
    #[schema(example = "ok")]
    pub status: String,
    /// The gateway's time.
    pub timestamp: Timestamp,
}
