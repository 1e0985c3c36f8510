//! What can be asked: the commands, their fields, and how loose fields become a checked command.
//!
//! A dialect finds the fields in an application's payload; REST and sockets then parse them here, so that
//! the same request is refused with the same words wherever it came from.

use serde_json::{Map, Value};

use crate::{
    id::{ClientId, ConversationId, MessageId},
    message::{Attachments, Content, MessageType, Metadata},
    receipt::{MAX_RECEIPT_MESSAGES, ReceiptKind, ReceiptTarget},
    rejection::Rejection,
    version::Seq,
};

mod fields;

pub use fields::Fields;

/// The most messages that one page of history has.
pub const MAX_HISTORY_LIMIT: u64 = 200;
/// How many messages a page has when the client does not say.
pub const DEFAULT_HISTORY_LIMIT: u64 = 50;
/// The largest payload that `echo` returns, in bytes of its JSON.
pub const MAX_ECHO_BYTES: usize = 64 * 1024;

/// The commands that a socket can ask for, by their canonical names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CommandName {
    /// See [`Command::Echo`].
    Echo,
    /// See [`Command::Ping`].
    Ping,
    /// See [`Command::Join`].
    ConversationJoin,
    /// See [`Command::Leave`].
    ConversationLeave,
    /// See [`Command::Send`].
    MessageSend,
    /// See [`Command::Edit`].
    MessageEdit,
    /// See [`Command::Delete`].
    MessageDelete,
    /// See [`Command::History`].
    MessageHistory,
    /// See [`Command::Receipt`].
    ReceiptDelivered,
    /// See [`Command::Receipt`].
    ReceiptRead,
    /// See [`Command::Typing`].
    TypingStart,
    /// See [`Command::Typing`].
    TypingStop,
}

impl CommandName {
    /// Every command, in the order of the documentation.
    pub const ALL: &[CommandName] = &[
        CommandName::Echo,
        CommandName::Ping,
        CommandName::ConversationJoin,
        CommandName::ConversationLeave,
        CommandName::MessageSend,
        CommandName::MessageEdit,
        CommandName::MessageDelete,
        CommandName::MessageHistory,
        CommandName::ReceiptDelivered,
        CommandName::ReceiptRead,
        CommandName::TypingStart,
        CommandName::TypingStop,
    ];

    /// The canonical name, as dialect files write it.
    pub fn as_str(self) -> &'static str {
        match self {
            CommandName::Echo => "echo",
            CommandName::Ping => "ping",
            CommandName::ConversationJoin => "conversation.join",
            CommandName::ConversationLeave => "conversation.leave",
            CommandName::MessageSend => "message.send",
            CommandName::MessageEdit => "message.edit",
            CommandName::MessageDelete => "message.delete",
            CommandName::MessageHistory => "message.history",
            CommandName::ReceiptDelivered => "receipt.delivered",
            CommandName::ReceiptRead => "receipt.read",
            CommandName::TypingStart => "typing.start",
            CommandName::TypingStop => "typing.stop",
        }
    }

    /// The command with this canonical name.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|name| name.as_str() == word)
    }

    /// The names of the fields that the command reads.
    pub fn fields(self) -> &'static [&'static str] {
        match self {
            CommandName::Echo => &["payload"],
            CommandName::Ping => &[],
            CommandName::ConversationJoin
            | CommandName::ConversationLeave
            | CommandName::TypingStart
            | CommandName::TypingStop => &["conversation"],
            CommandName::MessageSend => {
                &["conversation", "content", "type", "client_id", "reply_to", "attachments", "metadata"]
            }
            CommandName::MessageEdit => &["message", "content"],
            CommandName::MessageDelete => &["message"],
            CommandName::MessageHistory => &["conversation", "before", "after", "limit"],
            CommandName::ReceiptDelivered | CommandName::ReceiptRead => &["conversation", "seq", "messages"],
        }
    }
}

/// A checked command of a socket or a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Answer with the same.
    Echo(Value),
    /// Answer with the time.
    Ping,
    /// Get the conversation's events from now on.
    Join(ConversationId),
    /// Get them no longer.
    Leave(ConversationId),
    /// Say something.
    Send(Box<SendMessage>),
    /// Change the content of a message.
    Edit(MessageId, Content),
    /// Take a message back.
    Delete(MessageId),
    /// Read a page of what was said.
    History(History),
    /// Move a cursor.
    Receipt(Receipt),
    /// Tell the others that the user writes, or stopped writing.
    Typing(ConversationId, TypingState),
}

/// `message.send`.
#[derive(Debug, Clone, PartialEq)]
pub struct SendMessage {
    /// Where.
    pub conversation: ConversationId,
    /// The text.
    pub content: Content,
    /// What kind of content.
    pub kind: MessageType,
    /// What the client calls this command; the same again is the same message.
    pub client_id: Option<ClientId>,
    /// The message that this one answers.
    pub reply_to: Option<MessageId>,
    /// The files it names.
    pub attachments: Attachments,
    /// The application's own fields.
    pub metadata: Metadata,
}

/// `message.history`: a page, in the order of the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// Of which conversation.
    pub conversation: ConversationId,
    /// Which end of it.
    pub page: Page,
    /// At most this many, 1 to [`MAX_HISTORY_LIMIT`].
    pub limit: u64,
}

/// Where a page of history lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// The newest messages.
    Newest,
    /// Those right before this place.
    Before(Seq),
    /// Those right after this place.
    After(Seq),
}

/// `receipt.delivered` and `receipt.read`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Which cursor.
    pub kind: ReceiptKind,
    /// Of which conversation; when it is left out, that of the messages.
    pub conversation: Option<ConversationId>,
    /// How far.
    pub target: ReceiptTarget,
}

/// Whether somebody writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypingState {
    /// He does.
    Started,
    /// He stopped.
    Stopped,
}

impl Command {
    /// Checks the fields of a command. Fields that the command does not have are not looked at.
    ///
    /// # Errors
    /// The first thing that does not fit, as the client should read it.
    pub fn parse(name: CommandName, fields: Map<String, Value>) -> Result<Self, Rejection> {
        let mut fields = Fields::new(fields);
        Ok(match name {
            CommandName::Echo => {
                let payload = fields.take("payload").unwrap_or(Value::Null);
                if payload.to_string().len() > MAX_ECHO_BYTES {
                    return Err(Rejection::invalid("payload", "takes more than 64 KiB"));
                }
                Command::Echo(payload)
            }
            CommandName::Ping => Command::Ping,
            CommandName::ConversationJoin => Command::Join(fields.required("conversation")?),
            CommandName::ConversationLeave => Command::Leave(fields.required("conversation")?),
            CommandName::MessageSend => Command::Send(Box::new(SendMessage::parse(&mut fields)?)),
            CommandName::MessageEdit => {
                let message = fields.required("message")?;
                Command::Edit(message, content(&mut fields)?)
            }
            CommandName::MessageDelete => Command::Delete(fields.required("message")?),
            CommandName::MessageHistory => Command::History(History::parse(&mut fields)?),
            CommandName::ReceiptDelivered => {
                Command::Receipt(Receipt::parse(ReceiptKind::Delivered, &mut fields)?)
            }
            CommandName::ReceiptRead => Command::Receipt(Receipt::parse(ReceiptKind::Read, &mut fields)?),
            CommandName::TypingStart => {
                Command::Typing(fields.required("conversation")?, TypingState::Started)
            }
            CommandName::TypingStop => {
                Command::Typing(fields.required("conversation")?, TypingState::Stopped)
            }
        })
    }
}

fn content(fields: &mut Fields) -> Result<Content, Rejection> {
    Content::new(fields.text("content")?.ok_or_else(|| Rejection::invalid("content", "is missing"))?)
}

impl SendMessage {
    fn parse(fields: &mut Fields) -> Result<Self, Rejection> {
        let conversation = fields.required("conversation")?;
        let content = content(fields)?;
        let kind = fields.text("type")?.map(|word| MessageType::new(&word)).transpose()?.unwrap_or_default();
        Ok(Self {
            conversation,
            content,
            kind,
            client_id: fields.optional("client_id")?,
            reply_to: fields.optional("reply_to")?,
            attachments: Attachments::new(fields.list("attachments")?.unwrap_or_default())?,
            metadata: Metadata::new(fields.object("metadata")?.unwrap_or_default())?,
        })
    }
}

impl History {
    fn parse(fields: &mut Fields) -> Result<Self, Rejection> {
        let conversation = fields.required("conversation")?;
        let page = match (fields.number("before")?, fields.number("after")?) {
            (None, None) => Page::Newest,
            (Some(before), None) => Page::Before(Seq(before)),
            (None, Some(after)) => Page::After(Seq(after)),
            (Some(_), Some(_)) => return Err(Rejection::invalid("before", "and after exclude each other")),
        };
        let limit = fields.number("limit")?.unwrap_or(DEFAULT_HISTORY_LIMIT);
        if !(1..=MAX_HISTORY_LIMIT).contains(&limit) {
            return Err(Rejection::invalid("limit", "is not between 1 and 200"));
        }
        Ok(Self { conversation, page, limit })
    }
}

impl Receipt {
    fn parse(kind: ReceiptKind, fields: &mut Fields) -> Result<Self, Rejection> {
        let conversation: Option<ConversationId> = fields.optional("conversation")?;
        let target = match (fields.number("seq")?, fields.list("messages")?) {
            (Some(seq), None) if conversation.is_some() => ReceiptTarget::Seq(Seq(seq)),
            (None, Some(ids)) => ReceiptTarget::Messages(message_ids(ids)?),
            (Some(_), None) => return Err(Rejection::invalid("conversation", "is missing")),
            (None, None) => return Err(Rejection::invalid("messages", "or seq is missing")),
            (Some(_), Some(_)) => return Err(Rejection::invalid("messages", "and seq exclude each other")),
        };
        Ok(Self { kind, conversation, target })
    }
}

fn message_ids(items: Vec<Value>) -> Result<Vec<MessageId>, Rejection> {
    if items.is_empty() || items.len() > MAX_RECEIPT_MESSAGES {
        return Err(Rejection::invalid("messages", "are not 1 to 500 ids"));
    }
    let id = |item: Value| match item {
        Value::String(text) => text.parse().map_err(|problem| Rejection::invalid("messages", problem)),
        _ => Err(Rejection::invalid("messages", "has something that is no text")),
    };
    items.into_iter().map(id).collect()
}

#[cfg(test)]
mod tests;
