//! An event as the dialects of a room write it: encoded at most once a dialect, however many sockets there are.

use std::sync::{Arc, OnceLock};

use parlance_domain::entry::Envelope;

use super::Member;
use crate::{
    dialect::{
        Audience, ClientEvent, Dialect, Dialects, Frame,
        view::{self, Told},
    },
    socket::packet::SharedFrame,
};

/// One event, encoded for a dialect when the first socket that speaks it is met.
pub(crate) struct Encoded {
    event: Told,
    /// By the index of the dialect.
    frames: Box<[OnceLock<Written>]>,
}

/// The event as a dialect writes it.
struct Written {
    frames: Vec<SharedFrame>,
    /// Held, so that its index is no other dialect's meanwhile.
    _dialect: Arc<Dialect>,
}

impl Encoded {
    /// One event.
    pub(crate) fn new(dialects: &Dialects, event: Told) -> Self {
        let frames = (0..dialects.places()).map(|_| OnceLock::new()).collect();
        Self { event, frames }
    }

    /// What an envelope tells: one event, except for receipts, of which there is one for each cursor.
    pub(crate) fn of(dialects: &Dialects, envelope: &Envelope) -> impl Iterator<Item = Self> {
        view::client_events(envelope).into_iter().map(|event| Self::new(dialects, event))
    }

    /// Hands the event to a socket; how many frames that took.
    pub(crate) fn deliver(&self, member: &Member) -> u64 {
        let is_origin = match &self.event {
            Told::Event(event) => {
                event.name.is_for_one_socket() || event.origin.is(&member.session, &member.user)
            }
            Told::Custom(_) => false,
        };
        let is_wanted = |shared: &&SharedFrame| match shared.frame.audience {
            Audience::Everyone => true,
            Audience::Others => !is_origin,
            Audience::Sender => is_origin,
        };
        let dialect = &member.socket.dialect;
        let late;
        let frames = match self.frames.get(dialect.index().get()) {
            Some(written) => &written.get_or_init(|| self.write(dialect)).frames,
            // It was loaded after the event was made.
            None => {
                late = self.write(dialect);
                &late.frames
            }
        };
        let mut wanted = frames.iter().filter(is_wanted).peekable();
        // What no rule holds for is noted as well: nothing older is told after it.
        let is_silent = wanted.peek().is_none() && !(frames.is_empty() && self.is_spoken_of(member));
        if is_silent || !self.is_news_for(member) {
            return 0;
        }
        let mut delivered = 0;
        for shared in wanted {
            member.socket.emit_shared(shared);
            delivered += 1;
        }
        delivered
    }

    /// Whether the socket's dialect has rules for it, be they for others like it.
    fn is_spoken_of(&self, member: &Member) -> bool {
        match &self.event {
            Told::Event(event) => member.socket.dialect.speaks_of(event.name),
            Told::Custom(_) => true,
        }
    }

    /// Notes that a socket is told of it; false for what it knows already.
    fn is_news_for(&self, member: &Member) -> bool {
        match &self.event {
            Told::Event(ClientEvent { news: Some(news), .. }) => member.socket.hears(*news),
            _ => true,
        }
    }

    fn write(&self, dialect: &Arc<Dialect>) -> Written {
        Written { frames: self.encode(dialect), _dialect: Arc::clone(dialect) }
    }

    fn encode(&self, dialect: &Dialect) -> Vec<SharedFrame> {
        let frames = match &self.event {
            Told::Event(event) if !dialect.speaks_of(event.name) => return Vec::new(),
            Told::Event(event) => dialect.encode(event),
            Told::Custom(custom) => vec![Frame::custom(custom)],
        };
        metrics::counter!(crate::metrics::ENCODINGS.name, "dialect" => dialect.name().to_owned())
            .increment(1);
        frames.into_iter().map(SharedFrame::from).collect()
    }
}
