//! From an entry's bytes to what it means, and whether it can be written at all.

use std::str;

use parlance_broker::ingest::{Entry, StreamKind};
use parlance_domain::{
    entry::{Envelope, Header},
    event::{Event, EventKind},
    id::ConversationId,
    version::{Heads, Seq},
};

/// Why an entry cannot be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// In words for an operator.
    pub(crate) reason: String,
    /// What Postgres called it, when it was Postgres that refused.
    pub(crate) sqlstate: Option<String>,
}

impl Fault {
    fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), sqlstate: None }
    }
}

/// Columns are signed.
const MOST: u64 = i64::MAX as u64;

/// What the entry says.
pub(crate) fn decode(stream: StreamKind, entry: &Entry) -> Result<Envelope, Fault> {
    let conversation = conversation(entry)?;
    let line = text("the header", &entry.header)?;
    let header = Header::parse(line).map_err(|error| Fault::new(error.to_string()))?;
    let belongs = match stream {
        StreamKind::Ingest => header.kind.is_durable(),
        StreamKind::Receipts => header.kind == EventKind::Receipts,
    };
    if !belongs {
        return Err(Fault::new(format!("{} does not belong in the {} stream", header.kind, stream.as_str())));
    }
    if stream == StreamKind::Ingest {
        check_numbers(&header)?;
    }
    let body = text("the body", &entry.body)?;
    let envelope =
        Envelope::decode(conversation, header, body).map_err(|error| Fault::new(error.to_string()))?;
    check_cursors(&envelope.event)?;
    Ok(envelope)
}

/// The numbers that an entry raises its conversation to, as far as they can be read: also of an entry whose kind
/// is unknown or whose body is broken. They were given out, so nothing else may get them.
pub(crate) fn heads(stream: StreamKind, entry: &Entry) -> Option<(ConversationId, Heads)> {
    if stream != StreamKind::Ingest {
        return None;
    }
    let conversation = conversation(entry).ok()?;
    let (_kind, numbers) = str::from_utf8(&entry.header).ok()?.split_once(' ')?;
    // The numbers are read alike whatever the kind is.
    let header = Header::parse(&format!("{} {numbers}", EventKind::ConversationCreated)).ok()?;
    check_numbers(&header).ok()?;
    Some((conversation, Heads { version: header.version, seq: header.seq }))
}

fn conversation(entry: &Entry) -> Result<ConversationId, Fault> {
    let id = text("the conversation id", &entry.conversation)?;
    ConversationId::new(id).map_err(|problem| Fault::new(format!("the conversation id {problem}")))
}

fn text<'a>(what: &str, bytes: &'a [u8]) -> Result<&'a str, Fault> {
    str::from_utf8(bytes).map_err(|error| Fault::new(format!("{what} is no UTF-8: {error}")))
}

fn check_numbers(header: &Header) -> Result<(), Fault> {
    let Header { kind, version, seq, .. } = header;
    if version.epoch == 0 || version.rev == 0 || (*kind == EventKind::MessageCreated && *seq == Seq(0)) {
        return Err(Fault::new("it has no place in its conversation"));
    }
    if version.epoch.max(version.rev).max(seq.0) > MOST {
        return Err(Fault::new("a number is larger than Postgres stores"));
    }
    Ok(())
}

fn check_cursors(event: &Event) -> Result<(), Fault> {
    let Event::Receipts(cursors) = event else { return Ok(()) };
    if cursors.iter().any(|cursor| cursor.delivered.0.max(cursor.read.0) > MOST) {
        return Err(Fault::new("a cursor is larger than Postgres stores"));
    }
    Ok(())
}
