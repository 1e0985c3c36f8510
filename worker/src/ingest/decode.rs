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
    check_body(&envelope.event)?;
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

/// The numbers that stand in bodies.
fn check_body(event: &Event) -> Result<(), Fault> {
    let largest = match event {
        Event::Receipts(receipts) => {
            receipts.cursors.iter().map(|cursor| cursor.delivered.max(cursor.read).0).max().unwrap_or(0)
        }
        Event::ReactionUpdated(update) => update.seq.0,
        _ => event.message().map_or(0, |message| message.seq.0.max(message.created_rev)),
    };
    if largest > MOST {
        return Err(Fault::new("a number in its body is larger than Postgres stores"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use parlance_broker::ingest::EntryId;
    use parlance_domain::version::Version;
    use proptest::prelude::*;

    use super::*;

    fn entry(conversation: &[u8], header: &str, body: &[u8]) -> Entry {
        Entry {
            id: EntryId::default(),
            conversation: conversation.to_vec().into(),
            header: header.to_owned().into(),
            body: body.to_vec().into(),
        }
    }

    #[test]
    fn the_numbers_of_an_unknown_kind_or_a_broken_body_are_read() {
        let expected = Heads { version: Version::new(2, 7), seq: Seq(5) };
        for (header, body) in [("message.sung 2 7 5 1 -", "{}"), ("message.created 2 7 5 1 s", "{")] {
            let entry = entry(b"c", header, body.as_bytes());
            assert!(decode(StreamKind::Ingest, &entry).is_err());
            let (conversation, numbers) = heads(StreamKind::Ingest, &entry).unwrap();
            assert_eq!((conversation.as_str(), numbers), ("c", expected));
            assert_eq!(heads(StreamKind::Receipts, &entry), None, "cursors give no numbers out");
        }
    }

    #[test]
    fn numbers_that_cannot_be_right_raise_nothing() {
        for header in ["", "a", "a b c d e f", "a 0 1 1 1 -", "a 1 0 1 1 -", "a 1 18446744073709551615 1 1 -"]
        {
            assert_eq!(heads(StreamKind::Ingest, &entry(b"c", header, b"{}")), None, "{header:?}");
        }
        assert_eq!(heads(StreamKind::Ingest, &entry(b"\xff", "a 1 1 1 1 -", b"{}")), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(conversation: Vec<u8>, header in ".{0,60}", body: Vec<u8>) {
            let entry = entry(&conversation, &header, &body);
            for stream in StreamKind::ALL {
                let _ = (decode(stream, &entry), heads(stream, &entry));
            }
        }
    }
}
