//! Entries as the gateways append them.

use parlance_broker::ingest::StreamKind;
use parlance_domain::{
    entry::Header,
    event::EventKind,
    id::MessageId,
    time::Timestamp,
    version::{Seq, Version},
};
use serde_json::{Value, json};

/// The time of every entry, in unix milliseconds.
pub const AT: i64 = 1_700_000_000_000;

/// An entry that is not yet in a stream.
#[derive(Debug, Clone)]
pub struct TestEntry {
    pub stream: StreamKind,
    pub conversation: String,
    pub header: String,
    pub body: Vec<u8>,
}

/// The id of the `n`-th message of a conversation.
pub fn message_id(conversation: &str, n: u64) -> MessageId {
    let mut seed = [0_u8; 8];
    for (index, byte) in conversation.bytes().enumerate() {
        seed[index % 8] = seed[index % 8].wrapping_mul(31) ^ byte;
    }
    MessageId::new(AT as u64 + n, seed, 0)
}

fn durable(kind: EventKind, conversation: &str, version: Version, seq: u64, body: &Value) -> TestEntry {
    let header = Header { kind, version, seq: Seq(seq), at: Timestamp(AT), origin: None };
    TestEntry {
        stream: StreamKind::Ingest,
        conversation: conversation.to_owned(),
        header: header.to_string(),
        body: body.to_string().into_bytes(),
    }
}

/// The message with this place, in epoch 1, where only messages are.
pub fn message(conversation: &str, n: u64) -> TestEntry {
    message_in(conversation, Version::new(1, n), n, "hello")
}

/// A message with all its numbers.
pub fn message_in(conversation: &str, version: Version, seq: u64, content: &str) -> TestEntry {
    let body = json!({
        "id": message_id(conversation, seq), "sender": {"id": "anna", "name": "Anna"}, "type": "text",
        "content": content, "metadata": {"k": [1, 2.5]}, "clientId": format!("client-{seq}"),
    });
    durable(EventKind::MessageCreated, conversation, version, seq, &body)
}

/// A message that decodes and that Postgres refuses.
pub fn unstorable(conversation: &str, n: u64) -> TestEntry {
    message_in(conversation, Version::new(1, n), n, "no\0pe")
}

/// That a conversation was created with participants.
pub fn conversation_created(conversation: &str, version: Version, participants: &[&str]) -> TestEntry {
    let body = json!({"id": conversation, "participants": participants, "createdAtMs": AT});
    durable(EventKind::ConversationCreated, conversation, version, 0, &body)
}

/// That somebody came or went.
pub fn participant(kind: EventKind, conversation: &str, version: Version, user: &str) -> TestEntry {
    let body = json!({"participant": {"id": user, "name": user}});
    durable(kind, conversation, version, 0, &body)
}

/// That somebody's cursors moved, `later` milliseconds after the others.
pub fn receipt(conversation: &str, user: &str, delivered: u64, read: u64, later: i64) -> TestEntry {
    let header = Header::transient(EventKind::Receipts, Timestamp(AT + later), None);
    TestEntry {
        stream: StreamKind::Receipts,
        conversation: conversation.to_owned(),
        header: header.to_string(),
        body: json!([{"u": user, "d": delivered, "r": read}]).to_string().into_bytes(),
    }
}
