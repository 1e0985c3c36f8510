//! The commands around what is not a message: reactions, calls, notifications and custom events.

use serde_json::Value;

use crate::{
    call::{CallType, MAX_SIGNAL_BYTES},
    command::{Fields, limit},
    custom::CustomEvent,
    id::{CallId, ConversationId, MessageId, NotificationId, UserId},
    message::{MessageType, Metadata},
    notification::NotificationText,
    reaction::{Emoji, ReactionChange},
    rejection::Rejection,
};

/// How many notifications one command marks as read.
pub const MAX_NOTIFICATIONS_A_COMMAND: usize = 500;
/// How many notifications one page has.
pub const MAX_NOTIFICATION_LIMIT: u64 = 100;

/// `reaction.toggle`, `reaction.add` and `reaction.remove`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct React {
    /// To which message.
    pub message: MessageId,
    /// With what.
    pub emoji: Emoji,
    /// What becomes of it.
    pub change: ReactionChange,
}

/// `call.start`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartCall {
    /// Where.
    pub conversation: ConversationId,
    /// What kind.
    pub kind: CallType,
}

/// `call.signal`.
#[derive(Debug, Clone, PartialEq)]
pub struct SignalCall {
    /// Of which call.
    pub call: CallId,
    /// To whom; left out, to all others in the call.
    pub to: Option<UserId>,
    /// What is relayed, as it is.
    pub payload: Value,
}

/// `notification.list`: the user's own, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListNotifications {
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// At most this many.
    pub limit: u64,
    /// Only those that are not read.
    pub unread: bool,
}

/// `notification.read`: all of the user's when none are named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadNotifications {
    /// Which.
    pub notifications: Option<Vec<NotificationId>>,
}

/// `notification.send`.
#[derive(Debug, Clone, PartialEq)]
pub struct Notify {
    /// Whom.
    pub user: UserId,
    /// What kind, the application's own word.
    pub kind: MessageType,
    /// What it says.
    pub text: NotificationText,
    /// The application's own fields.
    pub data: Metadata,
}

/// `custom.emit`.
#[derive(Debug, Clone, PartialEq)]
pub struct EmitEvent {
    /// To whom.
    pub to: Recipients,
    /// What.
    pub event: CustomEvent,
}

/// Who gets a custom event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipients {
    /// All sockets of a user.
    User(UserId),
    /// All sockets that have joined a conversation.
    Conversation(ConversationId),
    /// All sockets.
    Everyone,
}

impl React {
    pub(super) fn parse(change: ReactionChange, fields: &mut Fields) -> Result<Self, Rejection> {
        let missing = || Rejection::invalid("emoji", "is missing");
        Ok(Self {
            message: fields.required("message")?,
            emoji: Emoji::new(fields.text("emoji")?.ok_or_else(missing)?)?,
            change,
        })
    }
}

impl StartCall {
    pub(super) fn parse(fields: &mut Fields) -> Result<Self, Rejection> {
        let kind = fields.text("type")?.map(|word| CallType::new(&word)).transpose()?.unwrap_or_default();
        Ok(Self { conversation: fields.required("conversation")?, kind })
    }
}

impl SignalCall {
    pub(super) fn parse(fields: &mut Fields) -> Result<Self, Rejection> {
        let missing = || Rejection::invalid("payload", "is missing");
        let payload = fields.take("payload").ok_or_else(missing)?;
        if payload.to_string().len() > MAX_SIGNAL_BYTES {
            return Err(Rejection::invalid("payload", "takes more than 64 KiB"));
        }
        Ok(Self { call: fields.required("call")?, to: fields.optional("to")?, payload })
    }
}

impl ListNotifications {
    pub(super) fn parse(fields: &mut Fields) -> Result<Self, Rejection> {
        Ok(Self {
            cursor: fields.text("cursor")?,
            limit: limit(fields, 50, MAX_NOTIFICATION_LIMIT)?,
            unread: fields.flag("unread")?.unwrap_or(false),
        })
    }
}

impl ReadNotifications {
    pub(super) fn parse(fields: &mut Fields) -> Result<Self, Rejection> {
        let Some(items) = fields.list("notifications")? else {
            return Ok(Self { notifications: None });
        };
        if items.is_empty() || items.len() > MAX_NOTIFICATIONS_A_COMMAND {
            return Err(Rejection::invalid("notifications", "are not 1 to 500 ids"));
        }
        let id = |item: Value| match item {
            Value::String(text) => {
                text.parse().map_err(|problem| Rejection::invalid("notifications", problem))
            }
            _ => Err(Rejection::invalid("notifications", "has something that is no text")),
        };
        Ok(Self { notifications: Some(items.into_iter().map(id).collect::<Result<_, _>>()?) })
    }
}

impl Notify {
    pub(super) fn parse(fields: &mut Fields) -> Result<Self, Rejection> {
        let missing = |field| move || Rejection::invalid(field, "is missing");
        Ok(Self {
            user: fields.required("user")?,
            kind: MessageType::new(&fields.text("type")?.ok_or_else(missing("type"))?)?,
            text: NotificationText::new(fields.text("text")?.ok_or_else(missing("text"))?)?,
            data: Metadata::of("data", fields.object("data")?.unwrap_or_default())?,
        })
    }
}

impl EmitEvent {
    pub(super) fn parse(fields: &mut Fields) -> Result<Self, Rejection> {
        let to = match (fields.optional("user")?, fields.optional("conversation")?) {
            (None, None) => Recipients::Everyone,
            (Some(user), None) => Recipients::User(user),
            (None, Some(conversation)) => Recipients::Conversation(conversation),
            (Some(_), Some(_)) => {
                return Err(Rejection::invalid("user", "and conversation exclude each other"));
            }
        };
        let event = fields.text("event")?.ok_or_else(|| Rejection::invalid("event", "is missing"))?;
        Ok(Self { to, event: CustomEvent::new(event, fields.take("data").unwrap_or(Value::Null))? })
    }
}
