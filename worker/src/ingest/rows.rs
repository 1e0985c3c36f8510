//! What a batch changes: its entries folded to the newest state of each row, sorted by key, so that a statement
//! never meets a row twice and transactions lock rows in one order.
//!
//! What went with a deleted conversation is not sorted out here: which entries that are is known under the lock of the
//! conversation's row.

use std::collections::{BTreeMap, btree_map::Entry};

use parlance_domain::{
    call::Call,
    conversation::ParticipantChange,
    entry::Envelope,
    event::Event,
    id::{CallId, ConversationId, MessageId, UserId},
    message::Message,
    reaction::Emoji,
    version::{Heads, Seq, Version},
};

mod call;
mod conversation;
mod cursor;
mod reaction;

pub(crate) use call::CallParticipantRow;
pub(crate) use conversation::ConversationRow;
pub(crate) use cursor::{CursorRow, Mark};
pub(crate) use reaction::ReactionRow;

/// The newest state of each row.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Rows<'a> {
    pub(crate) conversations: BTreeMap<&'a ConversationId, ConversationRow>,
    pub(crate) messages: BTreeMap<MessageId, &'a Message>,
    pub(crate) reactions: BTreeMap<(MessageId, &'a UserId, &'a Emoji), ReactionRow<'a>>,
    pub(crate) calls: BTreeMap<CallId, &'a Call>,
    pub(crate) call_participants: BTreeMap<(CallId, &'a UserId), CallParticipantRow<'a>>,
    pub(crate) memberships: BTreeMap<(&'a ConversationId, &'a UserId), Version>,
    pub(crate) cursors: BTreeMap<(&'a ConversationId, &'a UserId), CursorRow>,
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
        rows.conversation(conversation).raise(heads);
        rows
    }

    /// The conversations of which something was deleted with them.
    pub(crate) fn deleted(&self) -> Vec<&'a ConversationId> {
        let deleted = self.conversations.iter().filter(|(_, row)| row.deleted_rev > 0);
        deleted.map(|(id, _)| *id).collect()
    }

    fn add(&mut self, envelope: &'a Envelope) {
        let Envelope { conversation, header, event } = envelope;
        let version = header.version;
        if header.kind.is_durable() {
            self.conversation(conversation).raise(Heads { version, seq: header.seq });
        }
        match event {
            Event::MessageCreated(message)
            | Event::MessageEdited(message)
            | Event::MessageDeleted(message) => {
                self.conversation(conversation).active(message.created_at);
                keep_newest(&mut self.messages, message.body.id, message.as_ref(), |row| row.version);
            }
            Event::ReactionUpdated(update) => {
                let key = (update.message, &update.user.id, &update.emoji);
                let row = ReactionRow { conversation, update, at: header.at, version };
                keep_newest(&mut self.reactions, key, row, |row| row.version);
            }
            Event::CallStarted(call) | Event::CallAnswered(call) | Event::CallEnded(call) => {
                self.call(conversation, call);
            }
            Event::ConversationCreated(created) => {
                let row = self.conversation(conversation);
                row.stamp(version);
                row.active(header.at);
                for user in &created.participants {
                    self.membership(conversation, user, version);
                }
            }
            Event::ConversationUpdated(_) => self.conversation(conversation).stamp(version),
            Event::ConversationDeleted(_) => self.conversation(conversation).delete(version.rev),
            Event::ParticipantAdded(ParticipantChange { participant, .. })
            | Event::ParticipantRemoved(ParticipantChange { participant, .. }) => {
                self.membership(conversation, &participant.id, version);
            }
            Event::Receipts(receipts) => {
                for cursor in
                    receipts.cursors.iter().filter(|cursor| cursor.delivered.max(cursor.read) > Seq(0))
                {
                    let row = self.cursors.entry((conversation, &cursor.user)).or_default();
                    row.advance(cursor, header.at);
                }
            }
            Event::TypingStarted(_)
            | Event::TypingStopped(_)
            | Event::PresenceChanged(_)
            | Event::MemberJoined(_)
            | Event::MemberLeft(_)
            | Event::Custom(_) => {}
        }
    }

    fn conversation(&mut self, id: &'a ConversationId) -> &mut ConversationRow {
        self.conversations.entry(id).or_default()
    }

    /// Every state of a call names all who took part until then, so each of them counts.
    fn call(&mut self, conversation: &'a ConversationId, call: &'a Call) {
        keep_newest(&mut self.calls, call.id, call, |row| row.version);
        for participant in &call.participants {
            let key = (call.id, &participant.user.id);
            let row = CallParticipantRow { conversation, participant, version: call.version };
            keep_newest(&mut self.call_participants, key, row, |row| row.version);
        }
    }

    fn membership(&mut self, conversation: &'a ConversationId, user: &'a UserId, version: Version) {
        let newest = self.memberships.entry((conversation, user)).or_default();
        *newest = version.max(*newest);
    }
}

fn keep_newest<K: Ord, V>(rows: &mut BTreeMap<K, V>, key: K, row: V, version: impl Fn(&V) -> Version) {
    match rows.entry(key) {
        Entry::Vacant(entry) => {
            entry.insert(row);
        }
        Entry::Occupied(mut entry) if version(entry.get()) < version(&row) => {
            entry.insert(row);
        }
        Entry::Occupied(_) => {}
    }
}
