//! Conversations and who takes part in them.

use utoipa::{IntoParams, ToSchema};

use super::{ConversationId, Metadata, Profile, Timestamp, UserId};

/// A conversation.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Conversation {
    pub id: ConversationId,
    #[schema(required)]
    pub title: Option<String>,
    pub metadata: Metadata,
    /// The first 1,000; the others are in the list of participants.
    #[schema(max_items = 1000)]
    pub participants: Vec<UserId>,
    pub created_at: Timestamp,
    /// When its title or metadata were last changed.
    #[schema(required)]
    pub updated_at: Option<Timestamp>,
}

/// A conversation to be made.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewConversation {
    /// Without it, one is made.
    pub id: Option<ConversationId>,
    /// At most 512 bytes.
    #[schema(max_length = 512)]
    pub title: Option<String>,
    #[schema(max_items = 1000)]
    pub participants: Vec<NewParticipant>,
    pub metadata: Option<Metadata>,
}

/// Somebody who takes part from the start: a user's id, or that with a role.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum NewParticipant {
    Id(UserId),
    WithRole(ParticipantWithRole),
}

/// A user in a role.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ParticipantWithRole {
    pub id: UserId,
    pub role: Option<ParticipantRole>,
}

/// `member`, or a word of the application's own.
#[derive(ToSchema)]
#[schema(pattern = "^[A-Za-z0-9_.:-]{1,64}$", example = "member")]
pub struct ParticipantRole(String);

/// What a conversation becomes: at least one of these.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConversationChange {
    /// At most 512 bytes; null takes the title away.
    #[schema(max_length = 512)]
    pub title: Option<String>,
    /// All of them.
    pub metadata: Option<Metadata>,
}

/// That somebody takes part.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Participation {
    pub conversation_id: ConversationId,
    pub participant: Profile,
    pub role: ParticipantRole,
}

/// As what somebody takes part.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewParticipation {
    pub role: Option<ParticipantRole>,
}

/// Somebody who takes part.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Participant {
    pub user_id: UserId,
    pub user: Profile,
    pub role: ParticipantRole,
    #[schema(required)]
    pub joined_at: Option<Timestamp>,
    /// Up to which `seq` messages were delivered to them.
    pub delivered_seq: u64,
    /// Up to which `seq` they have read.
    pub read_seq: u64,
}

/// A page of participants.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ParticipantPage {
    pub participants: Vec<Participant>,
    /// What `cursor` is for the next page; null when there is none.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

/// Which page of participants.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ParticipantQuery {
    /// `nextCursor` of the page before.
    pub cursor: Option<String>,
    /// At most this many.
    #[param(minimum = 1, maximum = 100, default = 50)]
    pub limit: Option<u64>,
}
