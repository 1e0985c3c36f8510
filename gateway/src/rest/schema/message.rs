//! Messages and what is sent to change them.

use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::{ConversationId, MessageId, Metadata, Profile, Reaction, Timestamp, UserId};

/// A message with its place in its conversation.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Message {
    pub id: MessageId,
    pub conversation_id: ConversationId,
    /// Its place among the conversation's messages, from 1.
    pub seq: u64,
    /// The offset of this state among the conversation's events.
    pub offset: u64,
    /// The epoch that `offset` counts in.
    pub epoch: u64,
    pub sender_id: UserId,
    /// The sender, as they were when they sent it.
    pub sender: Profile,
    #[serde(rename = "type")]
    pub kind: MessageType,
    /// The text; empty when the message was deleted or has attachments alone.
    pub content: String,
    /// How far the others have got with it.
    pub status: MessageStatus,
    pub created_at: Timestamp,
    /// When its content was last changed.
    #[schema(nullable = false)]
    pub edited_at: Option<Timestamp>,
    /// When it was deleted: its place stays, its content is gone.
    #[schema(nullable = false)]
    pub deleted_at: Option<Timestamp>,
    /// What the sender called it.
    #[schema(nullable = false)]
    pub client_id: Option<String>,
    /// The message that it answers.
    #[schema(nullable = false)]
    pub reply_to: Option<MessageId>,
    #[schema(nullable = false)]
    pub attachments: Option<Vec<Attachment>>,
    #[schema(nullable = false)]
    pub metadata: Option<Metadata>,
    /// The reactions to it, where messages are read.
    #[schema(nullable = false)]
    pub reactions: Option<Vec<Reaction>>,
}

/// `text`, `image`, `file`, `system`, `encrypted` or a word of the application's own, in lower case.
#[derive(ToSchema)]
#[schema(pattern = "^[A-Za-z0-9_.:-]{1,64}$", example = "text")]
pub struct MessageType(String);

/// `delivered` and `read` once one of the other participants has got that far.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum MessageStatus {
    Sent,
    Delivered,
    Read,
}

/// A file that a message names, in the application's own fields.
#[derive(ToSchema)]
#[schema(value_type = Object)]
pub struct Attachment(Map<String, Value>);

/// A message to be sent.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewMessage {
    /// The text, not blank, at most 1,000,000 bytes. It may be missing when there are attachments.
    #[schema(max_length = 1_000_000)]
    pub content: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<MessageType>,
    /// What the client calls it. The same again within ten minutes is answered with the first message.
    #[schema(min_length = 1, max_length = 128)]
    pub client_id: Option<String>,
    /// The message that it answers.
    pub reply_to: Option<MessageId>,
    /// At most 16 KiB of JSON.
    #[schema(max_items = 20)]
    pub attachments: Option<Vec<Attachment>>,
    pub metadata: Option<Metadata>,
}

/// What a message becomes.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MessageEdit {
    /// The text, not blank, at most 1,000,000 bytes.
    #[schema(min_length = 1, max_length = 1_000_000)]
    pub content: String,
}

/// A page of messages.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MessagePage {
    pub messages: Vec<Message>,
    /// Whether there are more in the direction of reading.
    pub has_more: bool,
    /// What reads on, when there are more.
    #[schema(required)]
    pub next_cursor: Option<String>,
    /// The number of a numbered page.
    #[schema(required)]
    pub page: Option<u64>,
    /// How many messages a numbered page has at the most.
    #[schema(required)]
    pub limit: Option<u64>,
    /// For a numbered page, how many messages there are.
    #[schema(required)]
    pub total: Option<u64>,
}

/// Which page of messages.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct HistoryQuery {
    /// Those right before this `seq`.
    pub before: Option<u64>,
    /// Those right after this `seq`.
    pub after: Option<u64>,
    /// Those around this message, about half of them older.
    pub around: Option<MessageId>,
    /// The `nextCursor` of the page before.
    pub cursor: Option<String>,
    /// The page with this number, from 1, counted in the order of the page. At most one of these five parameters.
    #[param(minimum = 1)]
    pub page: Option<u64>,
    /// At most this many.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u64>,
    /// How the messages of the page stand.
    #[param(inline, default = "oldest")]
    pub order: Option<MessageOrder>,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum MessageOrder {
    Oldest,
    Newest,
}
