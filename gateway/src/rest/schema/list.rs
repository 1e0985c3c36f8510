//! A user's conversations.

use utoipa::{IntoParams, ToSchema};

use super::{ConversationId, Message, Metadata, Timestamp, UserId};

/// A conversation as one of its participants sees it in a list.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListedConversation {
    pub id: ConversationId,
    #[schema(required)]
    pub title: Option<String>,
    pub metadata: Metadata,
    pub participants: Vec<UserId>,
    pub created_at: Timestamp,
    /// When its title or metadata were last changed.
    #[schema(required)]
    pub updated_at: Option<Timestamp>,
    /// What the user is in it.
    #[schema(max_length = 64, example = "member")]
    pub role: String,
    /// The newest message.
    #[schema(required)]
    pub last_message: Option<Message>,
    /// How many messages of others the user has not read; counted up to 1,000.
    #[schema(maximum = 1000)]
    pub unread_count: u64,
    /// The `seq` up to which the user has read it.
    pub read_seq: u64,
}

/// A page of conversations.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConversationPage {
    pub conversations: Vec<ListedConversation>,
    /// What reads on, when there are more.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

/// Which page of conversations.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ConversationListQuery {
    /// The `nextCursor` of the page before.
    pub cursor: Option<String>,
    /// At most this many.
    #[param(minimum = 1, maximum = 100, default = 50)]
    pub limit: Option<u64>,
}
