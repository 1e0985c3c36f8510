//! Receipts and typing.

use utoipa::ToSchema;

use super::MessageId;

/// How far the user has got: up to the place `seq`, or up to the newest of the messages, one of the two; with neither, up to
/// the newest message that there is.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewReceipt {
    #[serde(rename = "type")]
    pub kind: ReceiptType,
    /// Everything up to this place.
    pub seq: Option<u64>,
    /// Everything up to the newest of these, which are in the conversation.
    #[schema(min_items = 1, max_items = 500)]
    pub message_ids: Option<Vec<MessageId>>,
}

/// What is read is delivered too.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum ReceiptType {
    Delivered,
    Read,
}

/// Whether the user is writing.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTyping {
    pub state: TypingState,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum TypingState {
    Started,
    Stopped,
}
