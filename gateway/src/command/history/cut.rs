//! Cutting a page out of what was found: so many messages, so many bytes, and messages of one place together.

use std::iter::Peekable;

use parlance_domain::{message::Message, version::Seq};
use parlance_store::message::page::{Span, Stretch};

/// How many bytes of content a page has, plus at the most one place. A page must fit in what may wait for a client.
pub(in crate::command) const PAGE_BYTES: usize = 1024 * 1024;

/// What a page may still take.
#[derive(Debug)]
pub(super) struct Room {
    messages: u64,
    bytes: usize,
}

impl Room {
    /// For a page of `limit` messages.
    pub(super) fn new(limit: u64) -> Self {
        Self { messages: limit, bytes: PAGE_BYTES }
    }

    /// Whether nothing more is taken.
    pub(super) fn is_full(&self) -> bool {
        self.messages == 0 || self.bytes == 0
    }

    /// Takes a message in.
    pub(super) fn take(&mut self, message: &Message) {
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(message.body.content.as_str().len());
    }

    /// Moves the messages of the next place over, unless the page is full; whether there were any.
    fn take_place(
        &mut self,
        from: &mut Peekable<impl Iterator<Item = Message>>,
        to: &mut Vec<Message>,
    ) -> bool {
        let place: Option<Seq> = from.peek().map(|message| message.seq).filter(|_| !self.is_full());
        let Some(place) = place else { return false };
        while let Some(message) = from.next_if(|message| message.seq == place) {
            self.take(&message);
            to.push(message);
        }
        true
    }
}

/// The page right beside a place: the messages in the order of the conversation, and whether there are more.
pub(super) fn beside(span: Span, stretch: Stretch, limit: u64) -> (Vec<Message>, bool) {
    let Stretch { mut messages, more } = stretch;
    let is_before = matches!(span, Span::Before(_));
    if is_before {
        messages.reverse();
    }
    let mut left = messages.into_iter().peekable();
    let (mut page, mut room) = (Vec::new(), Room::new(limit));
    while room.take_place(&mut left, &mut page) {}
    if is_before {
        page.reverse();
    }
    (page, more || left.peek().is_some())
}

/// The page around a place, which `newer` begins with: by turns from both sides, so that about half is older and a side
/// that has less leaves the room to the other. And whether there are older and newer ones.
pub(super) fn around(older: Stretch, newer: Stretch, limit: u64) -> (Vec<Message>, bool, bool) {
    let mut older_left = older.messages.into_iter().rev().peekable();
    let mut newer_left = newer.messages.into_iter().peekable();
    let (mut before, mut after, mut room) = (Vec::new(), Vec::new(), Room::new(limit));
    loop {
        let took_newer = room.take_place(&mut newer_left, &mut after);
        let took_older = room.take_place(&mut older_left, &mut before);
        if !took_newer && !took_older {
            break;
        }
    }
    before.reverse();
    before.append(&mut after);
    (before, older.more || older_left.peek().is_some(), newer.more || newer_left.peek().is_some())
}
