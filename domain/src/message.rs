//! A message: what a client may write, and the full state that events, rows and answers carry.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    entry::Header,
    event::EventKind,
    id::{ClientId, ConversationId, MessageId, SessionId, UserId},
    notification::NotifyPolicy,
    rejection::{Code, Rejection},
    storable,
    time::Timestamp,
    user::Profile,
    version::{Seq, Version},
};

/// The largest content, in bytes of UTF-8.
pub const MAX_CONTENT_BYTES: usize = 1_000_000;
/// The largest metadata and the largest list of attachments, each in bytes of its JSON.
pub const MAX_EXTRA_BYTES: usize = 16 * 1024;
/// The most attachments a message can have.
pub const MAX_ATTACHMENTS: usize = 20;
/// The longest message type, in bytes.
pub const MAX_TYPE_BYTES: usize = 64;

/// The text of a message: not blank, within its bound, and storable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Content(String);

impl Content {
    /// Checks what a client wrote.
    ///
    /// # Errors
    /// [`Code::ContentTooLarge`], [`Code::ContentBlank`], or [`Code::InvalidPayload`] for U+0000.
    pub fn new(text: String) -> Result<Self, Rejection> {
        if text.len() > MAX_CONTENT_BYTES {
            Err(Code::ContentTooLarge.into())
        } else if !storable::is_text(&text) {
            Err(Rejection::invalid("content", "has a null character"))
        } else if text.trim().is_empty() {
            Err(Code::ContentBlank.into())
        } else {
            Ok(Self(text))
        }
    }

    /// What is left of the content of a message that was taken back.
    pub fn gone() -> Self {
        Self(String::new())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What kind of content it is: `text`, `image`, or a word of the application's own, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageType(String);

impl MessageType {
    /// Takes a word of ASCII letters, digits, `_`, `-`, `.`, `:`, in any case.
    ///
    /// # Errors
    /// [`Code::InvalidPayload`] for anything else.
    pub fn new(word: &str) -> Result<Self, Rejection> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
        if word.is_empty() || word.len() > MAX_TYPE_BYTES || !word.chars().all(allowed) {
            return Err(Rejection::invalid("type", "is no word of at most 64 letters, digits, _ - . :"));
        }
        Ok(Self(word.to_ascii_lowercase()))
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for MessageType {
    fn default() -> Self {
        Self("text".to_owned())
    }
}

/// The files that a message names: JSON objects of the application's own, bounded.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Attachments(Vec<Value>);

impl Attachments {
    /// Checks what a client wrote.
    ///
    /// # Errors
    /// [`Code::InvalidPayload`] when there are too many, too large or too deep, or one is no storable object.
    pub fn new(items: Vec<Value>) -> Result<Self, Rejection> {
        if items.len() > MAX_ATTACHMENTS {
            return Err(Rejection::invalid("attachments", "are more than 20"));
        }
        if !items.iter().all(|item| item.is_object() && storable::is_json(item)) {
            return Err(Rejection::invalid("attachments", "are no list of objects without null characters"));
        }
        bounded("attachments", &json!(items))?;
        Ok(Self(items))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The objects.
    pub fn as_slice(&self) -> &[Value] {
        &self.0
    }
}

/// Free fields of the application, passed through untouched.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metadata(Map<String, Value>);

impl Metadata {
    /// Checks what a client wrote.
    ///
    /// # Errors
    /// [`Code::InvalidPayload`] when it is larger than [`MAX_EXTRA_BYTES`], too deep, or not storable.
    pub fn new(fields: Map<String, Value>) -> Result<Self, Rejection> {
        Self::of("metadata", fields)
    }

    /// The same where clients call it `name`.
    ///
    /// # Errors
    /// As [`Metadata::new`].
    pub fn of(name: &str, fields: Map<String, Value>) -> Result<Self, Rejection> {
        let value = Value::Object(fields);
        if !storable::is_json(&value) {
            return Err(Rejection::invalid(name, "has a null character"));
        }
        bounded(name, &value)?;
        match value {
            Value::Object(fields) => Ok(Self(fields)),
            _ => Ok(Self::default()),
        }
    }

    /// Whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The fields.
    pub fn fields(&self) -> &Map<String, Value> {
        &self.0
    }
}

fn bounded(field: &str, value: &Value) -> Result<(), Rejection> {
    if value.to_string().len() > MAX_EXTRA_BYTES {
        return Err(Rejection::invalid(field, "takes more than 16 KiB"));
    }
    if !storable::is_within(storable::MAX_LEVELS, value) {
        return Err(Rejection::invalid(field, "has more than 64 levels"));
    }
    Ok(())
}

/// What a message is, before and beside its numbers. This is the body of its events in Redis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageBody {
    /// The message's id.
    pub id: MessageId,
    /// Who sent it, as he was when he sent it.
    pub sender: Profile,
    /// What kind of content it is.
    #[serde(rename = "type")]
    pub kind: MessageType,
    /// The text.
    pub content: Content,
    /// The files it names.
    #[serde(default, skip_serializing_if = "Attachments::is_empty")]
    pub attachments: Attachments,
    /// The application's own fields.
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
    /// The message it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageId>,
    /// What the sender called the command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<ClientId>,
    /// Who is notified of it.
    #[serde(default, skip_serializing_if = "NotifyPolicy::is_never")]
    pub notify: NotifyPolicy,
    /// Whether those who take part are told, wherever they are, that something was said in the conversation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tells_activity: bool,
}

/// Where a message is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Which message.
    pub id: MessageId,
    /// In which conversation.
    pub conversation: ConversationId,
    /// Its place in it.
    pub seq: Seq,
    /// Who sent it.
    pub sender: UserId,
}

/// A message with its place in its conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Where it was said.
    pub conversation: ConversationId,
    /// Its place among the messages.
    pub seq: Seq,
    /// The state that this is.
    pub version: Version,
    /// The event that created it.
    pub created_rev: u64,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When its content was last changed.
    pub edited_at: Option<Timestamp>,
    /// When it was taken back.
    pub deleted_at: Option<Timestamp>,
    /// The connection that this state came from.
    pub origin: Option<SessionId>,
    /// What it is.
    pub body: MessageBody,
}

/// A message after a change, as its event's body carries it: what the header does not say. The change's own time is
/// the header's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangedMessage {
    /// What it is now.
    pub message: MessageBody,
    /// Its place.
    pub seq: Seq,
    /// The event that created it.
    pub created_rev: u64,
    /// When it was accepted, in unix milliseconds.
    pub created_at_ms: i64,
    /// When it had been edited before, in unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_at_ms: Option<i64>,
}

impl Message {
    /// The message that the event with this header created.
    pub fn created(conversation: ConversationId, header: &Header, body: MessageBody) -> Self {
        Self {
            conversation,
            seq: header.seq,
            version: header.version,
            created_rev: header.version.rev,
            created_at: header.at,
            edited_at: None,
            deleted_at: None,
            origin: header.origin.clone(),
            body,
        }
    }

    /// The body of an event that changes the message to `body`.
    pub fn changed(&self, body: MessageBody) -> ChangedMessage {
        ChangedMessage {
            message: body,
            seq: self.seq,
            created_rev: self.created_rev,
            created_at_ms: self.created_at.0,
            edited_at_ms: self.edited_at.map(|time| time.0),
        }
    }

    /// The message as the event with this header left it.
    pub fn after(conversation: ConversationId, header: &Header, changed: ChangedMessage) -> Self {
        let at = |kind| (header.kind == kind).then_some(header.at);
        Self {
            conversation,
            seq: changed.seq,
            version: header.version,
            created_rev: changed.created_rev,
            created_at: Timestamp(changed.created_at_ms),
            edited_at: at(EventKind::MessageEdited).or(changed.edited_at_ms.map(Timestamp)),
            deleted_at: at(EventKind::MessageDeleted),
            origin: header.origin.clone(),
            body: changed.message,
        }
    }

    /// The message as clients read it (`message` in `docs/protocol.md`).
    pub fn view(&self) -> Value {
        let body = &self.body;
        let mut view = json!({
            "id": body.id,
            "conversationId": self.conversation,
            "seq": self.seq,
            "offset": self.version.rev,
            "epoch": self.version.epoch,
            "senderId": body.sender.id,
            "sender": body.sender,
            "type": body.kind,
            "content": body.content,
            "status": "sent",
            "createdAt": self.created_at,
        });
        if let Value::Object(fields) = &mut view {
            let mut add = |key: &str, value: Value| fields.insert(key.to_owned(), value);
            if let Some(edited_at) = self.edited_at {
                add("editedAt", json!(edited_at));
            }
            if let Some(deleted_at) = self.deleted_at {
                add("deletedAt", json!(deleted_at));
            }
            if let Some(client_id) = &body.client_id {
                add("clientId", json!(client_id));
            }
            if let Some(reply_to) = &body.reply_to {
                add("replyTo", json!(reply_to));
            }
            if !body.attachments.is_empty() {
                add("attachments", json!(body.attachments));
            }
            if !body.metadata.is_empty() {
                add("metadata", json!(body.metadata));
            }
        }
        view
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_refused_with_the_code_of_its_fault() {
        let code = |text: &str| Content::new(text.to_owned()).map_err(|rejection| rejection.code);
        assert_eq!(code(" \n\t"), Err(Code::ContentBlank));
        assert_eq!(code("a\0"), Err(Code::InvalidPayload));
        assert!(code(&"a".repeat(MAX_CONTENT_BYTES)).is_ok());
        assert_eq!(code(&"a".repeat(MAX_CONTENT_BYTES + 1)), Err(Code::ContentTooLarge));
    }

    #[test]
    fn a_type_is_lower_case_whatever_the_client_wrote() {
        assert_eq!(MessageType::new("TEXT").map(|kind| kind.as_str().to_owned()), Ok("text".to_owned()));
        assert!(MessageType::new("a b").is_err());
    }

    #[test]
    fn metadata_is_bounded_in_bytes() {
        let of = |bytes: usize| Metadata::new(Map::from_iter([("a".to_owned(), json!("x".repeat(bytes)))]));
        assert!(of(1000).is_ok());
        assert!(of(MAX_EXTRA_BYTES).is_err());
        let large = Map::from_iter([("a".to_owned(), json!("x".repeat(MAX_EXTRA_BYTES)))]);
        let null = Map::from_iter([("a".to_owned(), json!("\0"))]);
        for fields in [large, null] {
            let refused = Metadata::of("data", fields).unwrap_err();
            assert!(refused.message.starts_with("data "), "{refused:?}");
        }
    }
}
