//! `receipt.delivered` and `receipt.read`.

use serde_json::Value;

use crate::{
    command::Fields,
    id::{ConversationId, MessageId},
    receipt::{MAX_RECEIPT_MESSAGES, ReceiptKind, ReceiptTarget},
    rejection::Rejection,
    version::Seq,
};

/// Moves one of the user's cursors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Which cursor.
    pub kind: ReceiptKind,
    /// Of which conversation; when it is left out, that of the messages.
    pub conversation: Option<ConversationId>,
    /// How far.
    pub target: ReceiptTarget,
}

impl Receipt {
    pub(super) fn parse(kind: ReceiptKind, fields: &mut Fields) -> Result<Self, Rejection> {
        let conversation: Option<ConversationId> = fields.optional("conversation")?;
        let target = match (fields.number("seq")?, fields.list("messages")?) {
            (Some(seq), None) if conversation.is_some() => ReceiptTarget::Seq(Seq(seq)),
            (None, Some(ids)) => ReceiptTarget::Messages(message_ids(ids)?),
            (Some(_), None) => return Err(Rejection::invalid("conversation", "is missing")),
            (None, None) if conversation.is_some() => ReceiptTarget::Newest,
            (None, None) => return Err(Rejection::invalid("messages", "or conversation is missing")),
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
