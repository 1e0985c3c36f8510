//! Calls and what is sent to change them.

use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{ConversationId, Profile, Timestamp, UserId};

/// A call: a UUID of version 7, in lower case with hyphens.
#[derive(ToSchema)]
#[schema(
    pattern = "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
    example = "0198c5f0-6c00-7c7e-8f2e-3a1b5c9d0001"
)]
pub struct CallId(String);

/// `audio`, `video` or a word of the application's own, in lower case.
#[derive(ToSchema)]
#[schema(pattern = "^[A-Za-z0-9_-]{1,32}$", example = "audio")]
pub struct CallType(String);

/// Where a call stands. `ringing` becomes `ongoing` with the first answer; `ended` and `missed` are for good.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum CallStatus {
    Ringing,
    Ongoing,
    Ended,
    Missed,
}

/// A call in the state after the event at `offset`.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Call {
    pub id: CallId,
    pub conversation_id: ConversationId,
    #[serde(rename = "type")]
    pub kind: CallType,
    pub status: CallStatus,
    /// Who rang.
    pub started_by: UserId,
    /// The same, as they were then.
    pub caller: Profile,
    pub started_at: Timestamp,
    /// When it was answered first.
    #[schema(required)]
    pub answered_at: Option<Timestamp>,
    /// Who answered last.
    #[schema(required)]
    pub answered_by: Option<UserId>,
    #[schema(required)]
    pub ended_at: Option<Timestamp>,
    /// Who ended it; null as long as nobody has, and when time did.
    #[schema(required)]
    pub ended_by: Option<UserId>,
    /// How long people talked, from the first answer to the end; 0 when nobody answered, null before it is over.
    #[schema(required)]
    pub duration_ms: Option<u64>,
    /// Who rang and who answered, in that order.
    #[schema(max_items = 100)]
    pub participants: Vec<CallParticipant>,
    /// The offset of this state among the conversation's events.
    pub offset: u64,
    /// The epoch that `offset` counts in.
    pub epoch: u64,
}

/// Somebody in a call.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CallParticipant {
    pub user_id: UserId,
    pub user: Profile,
    /// Since when: the start for who rang, the answer for the others.
    pub joined_at: Timestamp,
}

/// A call to be started.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCall {
    /// `audio` when it is left out.
    #[serde(rename = "type")]
    pub kind: Option<CallType>,
}

/// What one client of a call says to others.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSignal {
    /// A participant of the conversation; all others in the call when it is left out.
    pub to: Option<UserId>,
    /// Whatever the clients have agreed on, handed over as it is: not null, at most 64 KiB of JSON.
    pub payload: Value,
}

/// That something is on its way.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Accepted {}

/// A page of calls.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CallPage {
    pub calls: Vec<Call>,
    /// What `cursor` is for the next page; null when there is none.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

/// Which page of calls.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CallQuery {
    /// `nextCursor` of the page before.
    pub cursor: Option<String>,
    /// At most this many.
    #[param(minimum = 1, maximum = 100, default = 50)]
    pub limit: Option<u64>,
}

/// The call that a path names.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct OfCall {
    /// Which call.
    pub call: CallId,
}
