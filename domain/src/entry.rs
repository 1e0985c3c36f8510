//! How an event travels through Redis: a header of one line, then the body as JSON.
//!
//! The append script writes the header (it gives the numbers), so its form is shared with
//! `broker/lua/append.lua`:
//!
//! ```text
//! <kind> <epoch> <rev> <seq> <at: unix ms> <origin session or ->[ <traceparent>]
//! ```
//!
//! The hot log and the ingest stream keep header (`h`) and body (`b`) as fields; a channel carries
//! header, newline, body. Events without a place in the order (typing, receipts, presence) have zeros for numbers.

use std::fmt;

use crate::{
    call::{Call, CallBody},
    conversation::{Conversation, DeletedConversation, ParticipantChange},
    custom::CustomEvent,
    event::{Event, EventKind, Typing},
    id::{ConversationId, SessionId},
    message::{ChangedMessage, Message, MessageBody},
    presence::{Member, Presence},
    reaction::ReactionUpdate,
    receipt::Receipts,
    time::Timestamp,
    trace::TraceParent,
    version::{Seq, Version},
};

/// Why an entry cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// The header has not the form above.
    #[error("the header {0:?} is malformed")]
    Header(String),
    /// The kind is none that this version knows.
    #[error("the kind {0:?} is unknown")]
    Kind(String),
    /// The body is not the JSON of its kind.
    #[error("the body does not fit its kind: {0}")]
    Body(#[from] serde_json::Error),
}

/// The numbers and the origin of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// What happened.
    pub kind: EventKind,
    /// The state after it; zeros when it has no place in the order.
    pub version: Version,
    /// The message's place, 0 when the event created none.
    pub seq: Seq,
    /// When it was accepted, by the clock of Redis (or the gateway's, without a place in the order).
    pub at: Timestamp,
    /// The connection that it came from.
    pub origin: Option<SessionId>,
    /// The trace of the command that made it, if that is traced.
    pub trace: Option<TraceParent>,
}

impl Header {
    /// The header of an event without a place in the order.
    pub fn transient(kind: EventKind, at: Timestamp, origin: Option<SessionId>) -> Self {
        Self { kind, version: Version::default(), seq: Seq(0), at, origin, trace: None }
    }

    /// Reads the line that [`fmt::Display`] and the append script write.
    ///
    /// # Errors
    /// When the line has another form, or names an unknown kind.
    pub fn parse(line: &str) -> Result<Self, EntryError> {
        let malformed = || EntryError::Header(line.chars().take(120).collect());
        let mut parts = line.split(' ');
        let mut next = || parts.next().ok_or_else(malformed);
        let kind = next()?;
        let kind = EventKind::parse(kind).ok_or_else(|| EntryError::Kind(kind.chars().take(64).collect()))?;
        let mut number = || next()?.parse::<u64>().map_err(|_| malformed());
        let (epoch, rev, seq, at) = (number()?, number()?, number()?, number()?);
        let origin = next()?;
        let trace = parts.next().map(|text| TraceParent::new(text).ok_or_else(malformed)).transpose()?;
        if parts.next().is_some() {
            return Err(malformed());
        }
        Ok(Self {
            kind,
            version: Version::new(epoch, rev),
            seq: Seq(seq),
            at: Timestamp(i64::try_from(at).map_err(|_| malformed())?),
            origin: SessionId::new(origin),
            trace,
        })
    }
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, version, seq, at, origin, trace } = self;
        let origin = origin.as_ref().map_or("-", SessionId::as_str);
        write!(f, "{kind} {} {} {} {} {origin}", version.epoch, version.rev, seq.0, at.0)?;
        trace.as_ref().map_or(Ok(()), |trace| write!(f, " {trace}"))
    }
}

/// An event with its numbers and its conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    /// Where it happened.
    pub conversation: ConversationId,
    /// Its numbers and origin.
    pub header: Header,
    /// What happened.
    pub event: Event,
}

impl Envelope {
    /// Puts header and body together.
    ///
    /// # Errors
    /// When the body is not the JSON of the header's kind.
    pub fn decode(conversation: ConversationId, header: Header, body: &str) -> Result<Self, EntryError> {
        let event = match header.kind {
            EventKind::MessageCreated => {
                let body: MessageBody = serde_json::from_str(body)?;
                Event::MessageCreated(Box::new(Message::created(conversation.clone(), &header, body)))
            }
            EventKind::MessageEdited => Event::MessageEdited(changed(&conversation, &header, body)?),
            EventKind::MessageDeleted => Event::MessageDeleted(changed(&conversation, &header, body)?),
            EventKind::ConversationCreated => {
                Event::ConversationCreated(Box::new(serde_json::from_str::<Conversation>(body)?))
            }
            EventKind::ConversationUpdated => {
                Event::ConversationUpdated(Box::new(serde_json::from_str::<Conversation>(body)?))
            }
            EventKind::ConversationDeleted => {
                Event::ConversationDeleted(serde_json::from_str::<DeletedConversation>(body)?)
            }
            EventKind::ParticipantAdded => {
                Event::ParticipantAdded(serde_json::from_str::<ParticipantChange>(body)?)
            }
            EventKind::ParticipantRemoved => {
                Event::ParticipantRemoved(serde_json::from_str::<ParticipantChange>(body)?)
            }
            EventKind::ReactionUpdated => {
                Event::ReactionUpdated(Box::new(serde_json::from_str::<ReactionUpdate>(body)?))
            }
            EventKind::CallStarted => Event::CallStarted(call(&conversation, &header, body)?),
            EventKind::CallAnswered => Event::CallAnswered(call(&conversation, &header, body)?),
            EventKind::CallEnded => Event::CallEnded(call(&conversation, &header, body)?),
            EventKind::Custom => Event::Custom(serde_json::from_str::<CustomEvent>(body)?),
            EventKind::Receipts => Event::Receipts(serde_json::from_str::<Receipts>(body)?),
            EventKind::TypingStarted => Event::TypingStarted(serde_json::from_str::<Typing>(body)?),
            EventKind::TypingStopped => Event::TypingStopped(serde_json::from_str::<Typing>(body)?),
            EventKind::PresenceChanged => Event::PresenceChanged(serde_json::from_str::<Presence>(body)?),
            EventKind::MemberJoined => Event::MemberJoined(serde_json::from_str::<Member>(body)?),
            EventKind::MemberLeft => Event::MemberLeft(serde_json::from_str::<Member>(body)?),
        };
        Ok(Self { conversation, header, event })
    }

    /// Reads what a conversation's channel carries: header, newline, body.
    ///
    /// # Errors
    /// When either part is malformed.
    pub fn decode_published(conversation: ConversationId, published: &str) -> Result<Self, EntryError> {
        let (line, body) =
            published.split_once('\n').ok_or_else(|| EntryError::Header(String::from("(no newline)")))?;
        Self::decode(conversation, Header::parse(line)?, body)
    }
}

fn changed(conversation: &ConversationId, header: &Header, body: &str) -> Result<Box<Message>, EntryError> {
    let changed: ChangedMessage = serde_json::from_str(body)?;
    Ok(Box::new(Message::after(conversation.clone(), header, changed)))
}

fn call(conversation: &ConversationId, header: &Header, body: &str) -> Result<Box<Call>, EntryError> {
    let call: CallBody = serde_json::from_str(body)?;
    Ok(Box::new(Call::after(conversation.clone(), header, call)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_header_reads_back() {
        let header = Header {
            kind: EventKind::MessageCreated,
            version: Version::new(2, 17),
            seq: Seq(9),
            at: Timestamp(1_700_000_000_123),
            origin: SessionId::new("abc"),
            trace: None,
        };
        assert_eq!(header.to_string(), "message.created 2 17 9 1700000000123 abc");
        assert_eq!(Header::parse(&header.to_string()).unwrap(), header);
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let traced = Header { trace: TraceParent::new(trace), ..header };
        assert_eq!(traced.to_string(), format!("message.created 2 17 9 1700000000123 abc {trace}"));
        assert_eq!(Header::parse(&traced.to_string()).unwrap(), traced);
        assert!(Header::parse(&format!("{traced} more")).is_err());
        assert!(Header::parse("message.created 2 17 9 1700000000123 abc trace").is_err());
    }

    #[test]
    fn a_typing_event_needs_no_place_in_the_order() {
        let published = "typing.started 0 0 0 5 s1\n{\"user\":{\"id\":\"u\",\"name\":\"U\"}}";
        let envelope = Envelope::decode_published(ConversationId::new("c").unwrap(), published).unwrap();
        assert!(matches!(envelope.event, Event::TypingStarted(typing) if typing.user.name == "U"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(published in ".{0,200}") {
            let _ = Envelope::decode_published(ConversationId::new("c").unwrap(), &published);
        }

        #[test]
        fn no_body_makes_the_decoder_panic(kind in 0..EventKind::ALL.len(), body in ".{0,200}") {
            let published = format!("{} 1 1 1 1 -\n{body}", EventKind::ALL[kind]);
            let _ = Envelope::decode_published(ConversationId::new("c").unwrap(), &published);
        }
    }
}
