//! Notifications: what a user is told on all his devices, and finds again later.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    id::{ConversationId, MessageId, NotificationId, UserId},
    message::Metadata,
    rejection::Rejection,
    storable,
    time::Timestamp,
};

/// The longest text of a notification, in bytes.
pub const MAX_NOTIFICATION_TEXT_BYTES: usize = 4 * 1024;

/// The text of a notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NotificationText(String);

impl NotificationText {
    /// Checks `text` and takes it.
    ///
    /// # Errors
    /// `invalid_payload` when it is too long or has a null character.
    pub fn new(text: String) -> Result<Self, Rejection> {
        if text.len() > MAX_NOTIFICATION_TEXT_BYTES {
            return Err(Rejection::invalid("text", "is longer than 4 KiB"));
        }
        if !storable::is_text(&text) {
            return Err(Rejection::invalid("text", "has a null character"));
        }
        Ok(Self(text))
    }

    /// As much of a message's content as tells what it is about.
    pub fn excerpt(content: &str) -> Self {
        const EXCERPT_CHARACTERS: usize = 200;
        Self(content.chars().take(EXCERPT_CHARACTERS).collect())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Who is notified of a message, beside those who see it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotifyPolicy {
    /// Nobody.
    #[default]
    Never,
    /// The participants of whom no socket is in the conversation.
    Absent,
    /// All participants but the sender.
    Always,
}

impl NotifyPolicy {
    /// Every policy.
    pub const ALL: &[NotifyPolicy] = &[NotifyPolicy::Never, NotifyPolicy::Absent, NotifyPolicy::Always];

    /// The word, as dialect files and rows have it.
    pub fn as_str(self) -> &'static str {
        match self {
            NotifyPolicy::Never => "never",
            NotifyPolicy::Absent => "absent",
            NotifyPolicy::Always => "always",
        }
    }

    /// The policy with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|policy| policy.as_str() == word)
    }

    /// Whether nobody is notified.
    pub fn is_never(&self) -> bool {
        *self == NotifyPolicy::Never
    }
}

/// A notification.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// Its id.
    pub id: NotificationId,
    /// For whom.
    pub user: UserId,
    /// What kind: `message`, or the application's own word.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it says.
    pub text: NotificationText,
    /// The application's own fields.
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub data: Metadata,
    /// Where it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationId>,
    /// The message that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<MessageId>,
    /// The view of that message, when it is announced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Value>,
    /// When.
    pub created_at_ms: i64,
    /// When the user marked it as read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_at_ms: Option<i64>,
}

impl Notification {
    /// The canonical view.
    pub fn view(&self) -> Value {
        json!({
            "id": self.id,
            "userId": self.user,
            "type": self.kind,
            "text": self.text,
            "data": self.data,
            "conversationId": self.conversation,
            "messageId": self.message_id,
            "message": self.message,
            "read": self.read_at_ms.is_some(),
            "readAt": self.read_at_ms.map(Timestamp),
            "createdAt": Timestamp(self.created_at_ms),
        })
    }
}
