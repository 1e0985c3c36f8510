//! Reactions and what is sent to change them.

use utoipa::{IntoParams, ToSchema};

use super::{MessageId, UserId};

/// An emoji, or a word of the application's own without spaces, of at most 64 bytes.
#[derive(ToSchema)]
#[schema(min_length = 1, max_length = 64, pattern = r"^[^\s\u0000-\u001f\u007f-\u009f]+$", example = "👍")]
pub struct Emoji(String);

/// Who reacted with one emoji.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reaction {
    pub emoji: Emoji,
    pub count: u64,
    /// Who, in the order in which they did.
    pub users: Vec<Reactor>,
}

/// Somebody who reacted.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reactor {
    pub id: UserId,
    /// The name that they had then.
    pub name: String,
}

/// A reaction to be toggled.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReaction {
    pub emoji: Emoji,
}

/// What became of a reaction.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reacted {
    pub message_id: MessageId,
    pub emoji: Emoji,
    /// Whether the user's reaction is there now.
    pub active: bool,
    /// All reactions to the message now, the emoji in the order in which they came.
    pub reactions: Vec<Reaction>,
}

/// The reaction that a path names.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct OfReaction {
    /// Which message.
    pub message: MessageId,
    /// Which emoji.
    pub emoji: Emoji,
}
