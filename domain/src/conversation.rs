//! Conversations and who takes part in them.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    id::{ConversationId, UserId},
    message::Metadata,
    rejection::Rejection,
    storable,
    time::Timestamp,
    user::Profile,
};

/// The longest title, in bytes.
pub const MAX_TITLE_BYTES: usize = 512;
/// The most participants that one command can name.
pub const MAX_PARTICIPANTS_A_COMMAND: usize = 1_000;

/// How many participants a [`Conversation`] names, those who joined first; the others are in lists of participants.
pub const MAX_LISTED_PARTICIPANTS: usize = 1_000;

/// The name of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Title(String);

impl Title {
    /// Checks what a backend wrote.
    ///
    /// # Errors
    /// `invalid_payload` when it is too long or not storable.
    pub fn new(text: String) -> Result<Self, Rejection> {
        if text.len() > MAX_TITLE_BYTES {
            return Err(Rejection::invalid("title", "is longer than 512 bytes"));
        }
        if !storable::is_text(&text) {
            return Err(Rejection::invalid("title", "has a null character"));
        }
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A conversation with its participants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Conversation {
    /// The conversation's id.
    pub id: ConversationId,
    /// Its name, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Title>,
    /// The application's own fields.
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
    /// Who takes part, at most [`MAX_LISTED_PARTICIPANTS`].
    pub participants: Vec<UserId>,
    /// When it was made, in unix milliseconds where it travels inside Redis.
    pub created_at_ms: i64,
    /// When its title or fields were last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at_ms: Option<i64>,
}

impl Conversation {
    /// The conversation as clients read it.
    pub fn view(&self) -> Value {
        json!({
            "id": self.id,
            "title": self.title,
            "metadata": self.metadata,
            "participants": self.participants,
            "createdAt": Timestamp(self.created_at_ms),
            "updatedAt": self.updated_at_ms.map(Timestamp),
        })
    }
}

/// How a conversation is now that its newest message, its title or who takes part is another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Activity {
    /// The conversation.
    pub conversation: Conversation,
    /// The view of its newest message, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_message: Option<Value>,
    /// When something was last said in it, or its title or fields were changed, or it was made.
    pub active_at_ms: i64,
}

impl Activity {
    /// The activity as clients read it: the conversation with its newest message.
    pub fn view(&self) -> Value {
        let mut view = self.conversation.view();
        if let Value::Object(fields) = &mut view {
            fields.insert("lastMessage".to_owned(), json!(self.last_message));
            fields.insert("updatedAt".to_owned(), json!(Timestamp(self.active_at_ms)));
        }
        view
    }
}

/// That somebody came into a conversation or left it for good. It invalidates what is known of the
/// membership; the truth is the row in Postgres.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParticipantChange {
    /// Who.
    pub participant: Profile,
    /// As what.
    #[serde(default)]
    pub role: ParticipantRole,
}

/// What is left of a conversation that was deleted: who has to hear of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletedConversation {
    /// Who took part, at most [`MAX_LISTED_PARTICIPANTS`].
    pub participants: Vec<UserId>,
}

/// The longest role of a participant, in bytes.
pub const MAX_ROLE_BYTES: usize = 64;

/// What a participant is in a conversation: `member`, or the application's own word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ParticipantRole(String);

impl ParticipantRole {
    /// Takes a word of letters, digits, `_`, `-`, `.` and `:`.
    ///
    /// # Errors
    /// `invalid_payload`.
    pub fn new(word: &str) -> Result<Self, Rejection> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
        if word.is_empty() || word.len() > MAX_ROLE_BYTES || !word.chars().all(allowed) {
            return Err(Rejection::invalid("role", "is no word of at most 64 letters, digits, _ - . :"));
        }
        Ok(Self(word.to_owned()))
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for ParticipantRole {
    fn default() -> Self {
        Self("member".to_owned())
    }
}
