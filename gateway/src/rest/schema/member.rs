//! Who is in a conversation now.

use utoipa::{IntoParams, ToSchema};

use super::{ConversationId, UserId};

/// Who is in a conversation.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Members {
    pub conversation_id: ConversationId,
    /// As many as were asked for; in the order of the ids.
    #[schema(max_items = 500)]
    pub members: Vec<UserId>,
    /// How many there are in all.
    pub member_count: u64,
}

/// How many members are named.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MemberQuery {
    /// At most this many.
    #[param(minimum = 1, maximum = 500, default = 100)]
    pub limit: Option<u64>,
}
