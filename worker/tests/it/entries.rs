//! Entries as the gateways append them.

use parlance_broker::ingest::StreamKind;
use parlance_domain::{
    entry::Header,
    event::EventKind,
    id::{CallId, MessageId},
    time::Timestamp,
    version::{Seq, Version},
};
use serde_json::{Value, json};

/// The time of every entry, in unix milliseconds.
pub const AT: i64 = 1_700_000_000_000;

/// When every call rang: so late that no worker ends one because nobody did.
pub const RANG_AT: i64 = 4_000_000_000_000;

/// An entry that is not yet in a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct TestEntry {
    pub stream: StreamKind,
    pub conversation: String,
    pub header: String,
    pub body: Vec<u8>,
}

impl TestEntry {
    /// The same, accepted so many milliseconds after the others.
    pub fn later(self, ms: i64) -> Self {
        let header = Header::parse(&self.header).unwrap();
        Self { header: Header { at: Timestamp(header.at.0 + ms), ..header }.to_string(), ..self }
    }
}

/// The id of the `n`-th message of a conversation.
pub fn message_id(conversation: &str, n: u64) -> MessageId {
    MessageId::new(AT as u64 + n, seed(conversation), 0)
}

/// The id of the `n`-th call of a conversation.
pub fn call_id(conversation: &str, n: u64) -> CallId {
    CallId::new(AT as u64 + n, seed(conversation), 0)
}

fn seed(conversation: &str) -> [u8; 8] {
    let mut seed = [0_u8; 8];
    for (index, byte) in conversation.bytes().enumerate() {
        seed[index % 8] = seed[index % 8].wrapping_mul(31) ^ byte;
    }
    seed
}

fn durable(kind: EventKind, conversation: &str, version: Version, seq: u64, body: &Value) -> TestEntry {
    let header = Header { kind, version, seq: Seq(seq), at: Timestamp(AT), origin: None, trace: None };
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
    durable(EventKind::MessageCreated, conversation, version, seq, &message_body(conversation, seq, content))
}

/// A message of which somebody is to be notified.
pub fn notifying(conversation: &str, n: u64, policy: &str) -> TestEntry {
    let mut body = message_body(conversation, n, "hello");
    body["notify"] = json!(policy);
    durable(EventKind::MessageCreated, conversation, Version::new(1, n), n, &body)
}

/// A message of which participants are to be told wherever they are.
pub fn telling(conversation: &str, n: u64, content: &str) -> TestEntry {
    let mut body = message_body(conversation, n, content);
    body["tellsActivity"] = json!(true);
    durable(EventKind::MessageCreated, conversation, Version::new(1, n), n, &body)
}

fn message_body(conversation: &str, seq: u64, content: &str) -> Value {
    json!({
        "id": message_id(conversation, seq), "sender": {"id": "anna", "name": "Anna"}, "type": "text",
        "content": content, "metadata": {"k": [1, 2.5]}, "clientId": format!("client-{seq}"),
    })
}

/// That a message's content was changed, or that it was taken back; `created_rev` is the event that created it.
pub fn changed_message(
    kind: EventKind,
    conversation: &str,
    version: Version,
    (seq, created_rev): (u64, u64),
    content: &str,
) -> TestEntry {
    let body = json!({
        "message": message_body(conversation, seq, content), "seq": seq, "createdRev": created_rev,
        "createdAtMs": AT + created_rev as i64,
    });
    durable(kind, conversation, version, 0, &body)
}

/// A message that decodes and that Postgres refuses.
pub fn unstorable(conversation: &str, n: u64) -> TestEntry {
    message_in(conversation, Version::new(1, n), n, "no\0pe")
}

/// That somebody's reaction to the message with this place came or went.
pub fn reaction(
    conversation: &str,
    version: Version,
    seq: u64,
    (user, emoji): (&str, &str),
    active: bool,
) -> TestEntry {
    let body = json!({
        "message": message_id(conversation, seq), "seq": seq, "user": {"id": user, "name": user.to_uppercase()},
        "emoji": emoji, "active": active, "reactions": [],
    });
    durable(EventKind::ReactionUpdated, conversation, version, 0, &body)
}

/// What happened in the `n`-th call of a conversation: it rang at [`RANG_AT`], and these are in it, who rang first.
pub fn call(
    kind: EventKind,
    conversation: &str,
    version: Version,
    n: u64,
    participants: &[&str],
) -> TestEntry {
    let status = match kind {
        EventKind::CallStarted => "ringing",
        EventKind::CallAnswered => "ongoing",
        _ if participants.len() > 1 => "ended",
        _ => "missed",
    };
    let user = |id: &str| json!({"id": id, "name": id});
    let in_it = |id: &&str| json!({"user": user(id), "joinedAtMs": RANG_AT});
    let body = json!({
        "id": call_id(conversation, n), "type": "video", "status": status, "startedBy": user(participants[0]),
        "startedAtMs": RANG_AT, "endedBy": (status == "ended").then_some(participants[0]),
        "participants": participants.iter().map(in_it).collect::<Vec<_>>(),
    });
    durable(kind, conversation, version, 0, &body)
}

/// That a conversation was created with participants.
pub fn conversation_created(conversation: &str, version: Version, participants: &[&str]) -> TestEntry {
    let body = json!({"id": conversation, "participants": participants, "createdAtMs": AT});
    durable(EventKind::ConversationCreated, conversation, version, 0, &body)
}

/// That a conversation's title was changed.
pub fn conversation_updated(conversation: &str, version: Version) -> TestEntry {
    let body = json!({"id": conversation, "title": "new", "participants": [], "createdAtMs": AT});
    durable(EventKind::ConversationUpdated, conversation, version, 0, &body)
}

/// That a conversation was deleted.
pub fn conversation_deleted(conversation: &str, version: Version) -> TestEntry {
    durable(EventKind::ConversationDeleted, conversation, version, 0, &json!({"participants": ["anna"]}))
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
