//! Notifications and what is sent to make and to mark them.

use utoipa::{IntoParams, ToSchema};

use super::{ConversationId, Message, MessageId, Metadata, Timestamp, UserId};

/// A notification: a UUID of version 7, in lower case with hyphens.
#[derive(ToSchema)]
#[schema(
    pattern = "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
    example = "0198c5f0-6c00-7c7e-8f2e-3a1b5c9d0001"
)]
pub struct NotificationId(String);

/// Something that a user is told.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Notification {
    pub id: NotificationId,
    /// For whom.
    pub user_id: UserId,
    /// `message`, or the application's own word, in lower case.
    #[serde(rename = "type")]
    #[schema(example = "message")]
    pub kind: String,
    /// What it says. For a message: how it begins; nothing when it is encrypted or was taken back.
    pub text: String,
    pub data: Metadata,
    /// Where the message was said.
    #[schema(required)]
    pub conversation_id: Option<ConversationId>,
    /// The message that it is about.
    #[schema(required)]
    pub message_id: Option<MessageId>,
    /// That message. In the event only; always null here.
    #[schema(required)]
    pub message: Option<Message>,
    pub read: bool,
    #[schema(required)]
    pub read_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// A notification to be made.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewNotification {
    /// A word of letters, digits, `_`, `-`, `.` and `:`.
    #[serde(rename = "type")]
    #[schema(pattern = "^[A-Za-z0-9_.:-]{1,64}$", example = "invoice.paid")]
    pub kind: String,
    /// At most 4 KiB of UTF-8, no U+0000.
    #[schema(max_length = 4_096, example = "Your invoice was paid")]
    pub text: String,
    pub data: Option<Metadata>,
}

/// A page of notifications.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NotificationPage {
    pub notifications: Vec<Notification>,
    /// How many of all are not read.
    pub unread_count: u64,
    /// What `cursor` is for the next page; null when there is none.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

/// Which page of notifications.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct NotificationQuery {
    /// `nextCursor` of the page before.
    pub cursor: Option<String>,
    /// At most this many.
    #[param(minimum = 1, maximum = 100, default = 50)]
    pub limit: Option<u64>,
    /// Only those that are not read.
    #[param(default = false)]
    pub unread: Option<bool>,
}

/// Which notifications are marked as read.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReadNotifications {
    /// All of the user's when it is left out.
    #[schema(min_items = 1, max_items = 500)]
    pub notification_ids: Option<Vec<NotificationId>>,
}

/// How many notifications were marked.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MarkedNotifications {
    pub marked: u64,
}
