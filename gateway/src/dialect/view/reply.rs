//! The canonical reply of each command.

use parlance_domain::{id::ConversationId, message::Message, time::Timestamp, version::Heads};
use serde_json::{Value, json};

/// `echo`: `{echo}`.
pub fn echo(payload: &Value) -> Value {
    json!({"echo": payload})
}

/// `ping`: `{time}`.
pub fn ping(now: Timestamp) -> Value {
    json!({"time": now})
}

/// `conversation.join`: `{conversationId, epoch, offset, seq}`, where the conversation stands at the join.
pub fn joined(conversation: &ConversationId, heads: Heads) -> Value {
    json!({
        "conversationId": conversation,
        "epoch": heads.version.epoch,
        "offset": heads.version.rev,
        "seq": heads.seq,
    })
}

/// `conversation.leave`: `{conversationId}`.
pub fn left(conversation: &ConversationId) -> Value {
    json!({"conversationId": conversation})
}

/// `message.send`: `{message}`.
pub fn sent(message: &Message) -> Value {
    json!({"message": message.view()})
}

/// `message.history`: `{messages, hasMore}`, the messages in the order of the conversation.
pub fn history<'m>(messages: impl IntoIterator<Item = &'m Message>, has_more: bool) -> Value {
    let messages: Vec<Value> = messages.into_iter().map(Message::view).collect();
    json!({"messages": messages, "hasMore": has_more})
}

/// Receipts and typing: `{}`.
pub fn nothing() -> Value {
    json!({})
}
