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
///
/// Each tells more users than the one before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
    /// Whether no socket of the user was in the conversation, when a message made it and that was found out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent: Option<bool>,
    /// When.
    pub created_at_ms: i64,
    /// When the user marked it as read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_at_ms: Option<i64>,
}

impl Notification {
    /// Whether clients are told of it for which this policy holds: of what a backend says all of them, of a message as
    /// the policy says.
    pub fn is_for(&self, policy: NotifyPolicy) -> bool {
        self.message_id.is_none()
            || match policy {
                NotifyPolicy::Never => false,
                // What an earlier version made was for the absent alone.
                NotifyPolicy::Absent => self.absent != Some(false),
                NotifyPolicy::Always => true,
            }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    fn notification(message_id: Option<MessageId>, absent: Option<bool>) -> Notification {
        Notification {
            id: NotificationId::new(1, [0; 8], 0),
            user: UserId::new("u").unwrap(),
            kind: "message".to_owned(),
            text: NotificationText::excerpt("x"),
            data: Metadata::default(),
            conversation: None,
            message_id,
            message: None,
            absent,
            created_at_ms: 0,
            read_at_ms: None,
        }
    }

    #[test]
    fn of_a_message_each_client_is_told_as_its_policy_says_and_of_a_backend_s_word_everybody() {
        let told = |message_id, absent| {
            let notification = notification(message_id, absent);
            NotifyPolicy::ALL.iter().map(|policy| notification.is_for(*policy)).collect::<Vec<_>>()
        };
        let message = Some(MessageId::new(1, [0; 8], 0));
        assert_eq!(told(message, Some(true)), [false, true, true]);
        assert_eq!(told(message, Some(false)), [false, false, true]);
        assert_eq!(told(message, None), [false, true, true]);
        assert_eq!(told(None, None), [true, true, true]);
    }

    #[test]
    fn the_stronger_policy_tells_more() {
        assert_eq!(NotifyPolicy::ALL.iter().max(), Some(&NotifyPolicy::Always));
        assert!(NotifyPolicy::Never < NotifyPolicy::Absent);
    }
}
