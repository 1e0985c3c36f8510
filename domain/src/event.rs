//! What happens in a conversation.
//!
//! *Durable* events have a place in the conversation's order and a row in Postgres. *State* (receipts) is
//! persisted as a cursor. *Ephemeral* events are for those who are there.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    conversation::{Conversation, ParticipantChange},
    message::Message,
    receipt::Cursor,
    user::Profile,
};

/// What can travel on a conversation's channel, as its header names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A message was sent.
    MessageCreated,
    /// A message's content was changed.
    MessageEdited,
    /// A message was taken back: its content is gone, its place is kept.
    MessageDeleted,
    /// The conversation was made.
    ConversationCreated,
    /// Somebody takes part from now on.
    ParticipantAdded,
    /// Somebody takes part no longer.
    ParticipantRemoved,
    /// Cursors moved: one a user, gathered over an interval.
    Receipts,
    /// Somebody writes.
    TypingStarted,
    /// Somebody stopped writing.
    TypingStopped,
}

impl EventKind {
    /// Every kind.
    pub const ALL: &[EventKind] = &[
        EventKind::MessageCreated,
        EventKind::MessageEdited,
        EventKind::MessageDeleted,
        EventKind::ConversationCreated,
        EventKind::ParticipantAdded,
        EventKind::ParticipantRemoved,
        EventKind::Receipts,
        EventKind::TypingStarted,
        EventKind::TypingStopped,
    ];

    /// The kind as headers write it.
    pub fn as_str(self) -> &'static str {
        match self {
            EventKind::MessageCreated => "message.created",
            EventKind::MessageEdited => "message.edited",
            EventKind::MessageDeleted => "message.deleted",
            EventKind::ConversationCreated => "conversation.created",
            EventKind::ParticipantAdded => "participant.added",
            EventKind::ParticipantRemoved => "participant.removed",
            EventKind::Receipts => "receipts",
            EventKind::TypingStarted => "typing.started",
            EventKind::TypingStopped => "typing.stopped",
        }
    }

    /// The kind that a header names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == word)
    }

    /// Whether it has a place in the conversation's order and is never lost.
    pub fn is_durable(self) -> bool {
        match self {
            EventKind::MessageCreated
            | EventKind::MessageEdited
            | EventKind::MessageDeleted
            | EventKind::ConversationCreated
            | EventKind::ParticipantAdded
            | EventKind::ParticipantRemoved => true,
            EventKind::Receipts | EventKind::TypingStarted | EventKind::TypingStopped => false,
        }
    }

    /// Whether it changes who may do what, so that what was authorised before must be looked up again.
    pub fn changes_membership(self) -> bool {
        matches!(
            self,
            EventKind::ConversationCreated | EventKind::ParticipantAdded | EventKind::ParticipantRemoved
        )
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who is writing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Typing {
    /// The writer.
    pub user: Profile,
}

/// What happened, with the full new state of what it changed.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A message was sent.
    MessageCreated(Box<Message>),
    /// A message's content was changed.
    MessageEdited(Box<Message>),
    /// A message was taken back.
    MessageDeleted(Box<Message>),
    /// The conversation was made.
    ConversationCreated(Box<Conversation>),
    /// Somebody takes part from now on.
    ParticipantAdded(ParticipantChange),
    /// Somebody takes part no longer.
    ParticipantRemoved(ParticipantChange),
    /// Cursors moved.
    Receipts(Vec<Cursor>),
    /// Somebody writes.
    TypingStarted(Typing),
    /// Somebody stopped writing.
    TypingStopped(Typing),
}

impl Event {
    /// The message whose new state it carries.
    pub fn message(&self) -> Option<&Message> {
        match self {
            Event::MessageCreated(message)
            | Event::MessageEdited(message)
            | Event::MessageDeleted(message) => Some(message),
            _ => None,
        }
    }

    /// The same, taking it.
    pub fn into_message(self) -> Option<Message> {
        match self {
            Event::MessageCreated(message)
            | Event::MessageEdited(message)
            | Event::MessageDeleted(message) => Some(*message),
            _ => None,
        }
    }
}
