//! What a batch changes: its entries folded to the newest state of each row, sorted by key, so that a statement
//! never meets a row twice and transactions lock rows in one order.

use std::collections::{BTreeMap, btree_map::Entry};

use parlance_domain::{
    conversation::ParticipantChange,
    entry::Envelope,
    event::Event,
    id::{ConversationId, MessageId, UserId},
    message::Message,
    receipt::Cursor,
    time::Timestamp,
    version::{Heads, Seq, Version},
};

/// The newest state of each row.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Rows<'a> {
    pub(crate) conversations: BTreeMap<&'a ConversationId, ConversationRow>,
    pub(crate) messages: BTreeMap<MessageId, &'a Message>,
    pub(crate) memberships: BTreeMap<(&'a ConversationId, &'a UserId), Version>,
    pub(crate) cursors: BTreeMap<(&'a ConversationId, &'a UserId), CursorRow>,
}

/// What a batch knows of a conversation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ConversationRow {
    /// Its newest numbers.
    pub(crate) heads: Heads,
    /// The event that last changed its title or fields; zeros when none did.
    pub(crate) state: Version,
}

/// How far somebody got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct CursorRow {
    pub(crate) delivered: Mark,
    pub(crate) read: Mark,
}

/// One cursor, and when it got there first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) seq: Seq,
    pub(crate) at: Timestamp,
}

impl<'a> Rows<'a> {
    /// Folds a batch.
    pub(crate) fn fold(envelopes: impl IntoIterator<Item = &'a Envelope>) -> Self {
        let mut rows = Self::default();
        for envelope in envelopes {
            rows.add(envelope);
        }
        rows
    }

    /// Only raises a conversation to numbers that were given out.
    pub(crate) fn heads(conversation: &'a ConversationId, heads: Heads) -> Self {
        let mut rows = Self::default();
        rows.raise(conversation, heads);
        rows
    }

    fn add(&mut self, envelope: &'a Envelope) {
        let Envelope { conversation, header, event } = envelope;
        if header.kind.is_durable() {
            self.raise(conversation, Heads { version: header.version, seq: header.seq });
        }
        match event {
            Event::MessageCreated(message)
            | Event::MessageEdited(message)
            | Event::MessageDeleted(message) => self.message(message),
            Event::ConversationUpdated(_) => {
                let row = self.conversations.entry(conversation).or_default();
                row.state = row.state.max(header.version);
            }
            Event::ConversationCreated(created) => {
                let row = self.conversations.entry(conversation).or_default();
                row.state = row.state.max(header.version);
                for user in &created.participants {
                    self.membership(conversation, user, header.version);
                }
            }
            Event::ParticipantAdded(ParticipantChange { participant, .. })
            | Event::ParticipantRemoved(ParticipantChange { participant, .. }) => {
                self.membership(conversation, &participant.id, header.version);
            }
            Event::Receipts(cursors) => {
                for cursor in cursors {
                    self.cursor(conversation, cursor, header.at);
                }
            }
            Event::TypingStarted(_) | Event::TypingStopped(_) | Event::Custom(_) => {}
            _ => {} // UNFINISHED
        }
    }

    fn raise(&mut self, conversation: &'a ConversationId, heads: Heads) {
        let row = &mut self.conversations.entry(conversation).or_default().heads;
        row.version = row.version.max(heads.version);
        row.seq = row.seq.max(heads.seq);
    }

    fn message(&mut self, message: &'a Message) {
        match self.messages.entry(message.body.id) {
            Entry::Vacant(entry) => {
                entry.insert(message);
            }
            Entry::Occupied(mut entry) if entry.get().version < message.version => {
                entry.insert(message);
            }
            Entry::Occupied(_) => {}
        }
    }

    fn membership(&mut self, conversation: &'a ConversationId, user: &'a UserId, version: Version) {
        let newest = self.memberships.entry((conversation, user)).or_default();
        *newest = version.max(*newest);
    }

    fn cursor(&mut self, conversation: &'a ConversationId, cursor: &'a Cursor, at: Timestamp) {
        if cursor.delivered == Seq(0) && cursor.read == Seq(0) {
            return;
        }
        let row = self.cursors.entry((conversation, &cursor.user)).or_default();
        row.delivered.advance(cursor.delivered, at);
        row.read.advance(cursor.read, at);
    }
}

impl Mark {
    /// Forward only. Of two that got to the same place the earlier counts, so that the order does not matter.
    fn advance(&mut self, seq: Seq, at: Timestamp) {
        if seq > self.seq || (seq == self.seq && at < self.at) {
            *self = Self { seq, at };
        }
    }
}
