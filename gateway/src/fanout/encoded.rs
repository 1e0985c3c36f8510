//! An event as the dialects of a room write it: encoded at most once a dialect, however many sockets there are.

use std::sync::OnceLock;

use parlance_domain::entry::Envelope;

use super::Member;
use crate::{
    dialect::{
        Audience, ClientEvent, Dialects, Frame,
        view::{self, Told},
    },
    socket::packet::SharedFrame,
};

/// One event, encoded for a dialect when the first socket that speaks it is met.
pub(crate) struct Encoded {
    dialects: Dialects,
    event: Told,
    /// By the index of the dialect.
    frames: Box<[OnceLock<Vec<SharedFrame>>]>,
}

impl Encoded {
    /// One event.
    pub(crate) fn new(dialects: &Dialects, event: Told) -> Self {
        let frames = (0..dialects.count()).map(|_| OnceLock::new()).collect();
        Self { dialects: dialects.clone(), event, frames }
    }

    /// What an envelope tells: one event, except for receipts, of which there is one for each cursor.
    pub(crate) fn of(dialects: &Dialects, envelope: &Envelope) -> impl Iterator<Item = Self> {
        view::client_events(envelope).into_iter().map(|event| Self::new(dialects, event))
    }

    /// Hands the event to a socket; how many frames that took.
    pub(crate) fn deliver(&self, member: &Member) -> u64 {
        let is_origin = match &self.event {
            Told::Event(event) => event.origin.is(&member.session, &member.user),
            Told::Custom(_) => false,
        };
        let is_wanted = |shared: &&SharedFrame| match shared.frame.audience {
            Audience::Everyone => true,
            Audience::Others => !is_origin,
            Audience::Sender => is_origin,
        };
        let mut wanted = self.frames(member).iter().filter(is_wanted).peekable();
        if wanted.peek().is_none() || !self.is_news_for(member) {
            return 0;
        }
        let mut delivered = 0;
        for shared in wanted {
            member.socket.emit_shared(shared);
            delivered += 1;
        }
        delivered
    }

    /// Notes that a socket is told of it; false for what it knows already.
    fn is_news_for(&self, member: &Member) -> bool {
        match &self.event {
            Told::Event(ClientEvent { news: Some(news), .. }) => member.socket.hears(*news),
            _ => true,
        }
    }

    fn frames(&self, member: &Member) -> &[SharedFrame] {
        let Some(frames) = self.frames.get(member.dialect.get()) else {
            return &[];
        };
        frames.get_or_init(|| match self.dialects.by_index(member.dialect) {
            None => Vec::new(),
            Some(dialect) => match &self.event {
                Told::Event(event) => dialect.encode(event).into_iter().map(SharedFrame::from).collect(),
                Told::Custom(custom) => vec![SharedFrame::from(Frame::custom(custom))],
            },
        })
    }
}
