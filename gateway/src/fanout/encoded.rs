//! An event as the dialects of a room write it: encoded at most once a dialect, however many sockets there are.

use std::sync::OnceLock;

use parlance_domain::{entry::Envelope, event::Event, id::SessionId, receipt::Cursor};

use super::Member;
use crate::dialect::{Audience, ClientEvent, Dialects, Frame, view};

/// One event, encoded for a dialect when the first socket that speaks it is met.
pub(super) struct Encoded {
    dialects: Dialects,
    events: Vec<ClientEvent>,
    origin: Option<SessionId>,
    /// By the index of the dialect.
    frames: Box<[OnceLock<Vec<Frame>>]>,
}

impl Encoded {
    /// What an envelope tells: one event, except for receipts, of which each cursor has an origin of its own.
    pub(super) fn of(dialects: &Dialects, envelope: &Envelope) -> Vec<Self> {
        let encoded = |envelope: &Envelope, origin: Option<&SessionId>| Self {
            dialects: dialects.clone(),
            events: view::client_events(envelope),
            origin: origin.cloned(),
            frames: (0..dialects.count()).map(|_| OnceLock::new()).collect(),
        };
        let Event::Receipts(cursors) = &envelope.event else {
            return vec![encoded(envelope, envelope.header.origin.as_ref())];
        };
        let one = |cursor: &Cursor| {
            let event = Event::Receipts(vec![cursor.clone()]);
            let (conversation, header) = (envelope.conversation.clone(), envelope.header.clone());
            encoded(&Envelope { conversation, header, event }, cursor.origin.as_ref())
        };
        cursors.iter().map(one).collect()
    }

    /// Hands the event to a socket; how many frames that took.
    pub(super) fn deliver(&self, member: &Member) -> u64 {
        let is_origin = self.origin.as_ref() == Some(&member.session);
        let mut delivered = 0;
        for frame in self.frames(member) {
            let wanted = match frame.audience {
                Audience::Everyone => true,
                Audience::Others => !is_origin,
                Audience::Sender => is_origin,
            };
            if wanted {
                member.socket.emit(frame);
                delivered += 1;
            }
        }
        delivered
    }

    fn frames(&self, member: &Member) -> &[Frame] {
        let Some(frames) = self.frames.get(member.dialect.get()) else { return &[] };
        frames.get_or_init(|| match self.dialects.by_index(member.dialect) {
            Some(dialect) => self.events.iter().flat_map(|event| dialect.encode(event)).collect(),
            None => Vec::new(),
        })
    }
}
