//! What happens in a conversation.
//!
//! *Durable* events have a place in the conversation's order and a row in Postgres. *State* (receipts) is
//! persisted as a cursor. *Ephemeral* events are for those who are there.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    call::Call,
    conversation::{Conversation, DeletedConversation, ParticipantChange},
    custom::CustomEvent,
    message::Message,
    presence::{Member, Presence},
    reaction::ReactionUpdate,
    receipt::Receipts,
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
    /// Its title or its fields were changed.
    ConversationUpdated,
    /// It was deleted, with everything in it.
    ConversationDeleted,
    /// Somebody takes part from now on.
    ParticipantAdded,
    /// Somebody takes part no longer.
    ParticipantRemoved,
    /// A reaction to a message came or went.
    ReactionUpdated,
    /// Somebody rings.
    CallStarted,
    /// Somebody joined a call.
    CallAnswered,
    /// A call is over.
    CallEnded,
    /// A backend's own event, for those who are there.
    Custom,
    /// Cursors moved: one a user, gathered over an interval.
    Receipts,
    /// Somebody writes.
    TypingStarted,
    /// Somebody stopped writing.
    TypingStopped,
    /// Somebody who is in the conversation came online, went offline, or chose a status.
    PresenceChanged,
    /// Somebody came into the conversation with his first socket.
    MemberJoined,
    /// Somebody went out of it with his last socket.
    MemberLeft,
}

impl EventKind {
    /// Every kind.
    pub const ALL: &[EventKind] = &[
        EventKind::MessageCreated,
        EventKind::MessageEdited,
        EventKind::MessageDeleted,
        EventKind::ConversationCreated,
        EventKind::ConversationUpdated,
        EventKind::ConversationDeleted,
        EventKind::ParticipantAdded,
        EventKind::ParticipantRemoved,
        EventKind::ReactionUpdated,
        EventKind::CallStarted,
        EventKind::CallAnswered,
        EventKind::CallEnded,
        EventKind::Custom,
        EventKind::Receipts,
        EventKind::TypingStarted,
        EventKind::TypingStopped,
        EventKind::PresenceChanged,
        EventKind::MemberJoined,
        EventKind::MemberLeft,
    ];

    /// The kind as headers write it.
    pub fn as_str(self) -> &'static str {
        match self {
            EventKind::MessageCreated => "message.created",
            EventKind::MessageEdited => "message.edited",
            EventKind::MessageDeleted => "message.deleted",
            EventKind::ConversationCreated => "conversation.created",
            EventKind::ConversationUpdated => "conversation.updated",
            EventKind::ConversationDeleted => "conversation.deleted",
            EventKind::ParticipantAdded => "participant.added",
            EventKind::ParticipantRemoved => "participant.removed",
            EventKind::ReactionUpdated => "reaction.updated",
            EventKind::CallStarted => "call.started",
            EventKind::CallAnswered => "call.answered",
            EventKind::CallEnded => "call.ended",
            EventKind::Custom => "custom",
            EventKind::Receipts => "receipts",
            EventKind::TypingStarted => "typing.started",
            EventKind::TypingStopped => "typing.stopped",
            EventKind::PresenceChanged => "presence.changed",
            EventKind::MemberJoined => "member.joined",
            EventKind::MemberLeft => "member.left",
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
            | EventKind::ConversationUpdated
            | EventKind::ConversationDeleted
            | EventKind::ParticipantAdded
            | EventKind::ParticipantRemoved
            | EventKind::ReactionUpdated
            | EventKind::CallStarted
            | EventKind::CallAnswered
            | EventKind::CallEnded => true,
            EventKind::Custom
            | EventKind::Receipts
            | EventKind::TypingStarted
            | EventKind::TypingStopped
            | EventKind::PresenceChanged
            | EventKind::MemberJoined
            | EventKind::MemberLeft => false,
        }
    }

    /// Whether it changes who may do what, so that what was authorised before must be looked up again.
    pub fn changes_membership(self) -> bool {
        matches!(
            self,
            EventKind::ConversationCreated
                | EventKind::ConversationDeleted
                | EventKind::ParticipantAdded
                | EventKind::ParticipantRemoved
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
#[serde(rename_all = "camelCase")]
pub struct Typing {
    /// The writer.
    pub user: Profile,
    /// How long he may be taken for writing without being told again, in milliseconds; of one who stopped, nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_ms: Option<u64>,
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
    /// Its title or its fields were changed: the conversation as it is now.
    ConversationUpdated(Box<Conversation>),
    /// It was deleted, with everything in it.
    ConversationDeleted(DeletedConversation),
    /// Somebody takes part from now on.
    ParticipantAdded(ParticipantChange),
    /// Somebody takes part no longer.
    ParticipantRemoved(ParticipantChange),
    /// A reaction to a message came or went.
    ReactionUpdated(Box<ReactionUpdate>),
    /// Somebody rings.
    CallStarted(Box<Call>),
    /// Somebody joined a call.
    CallAnswered(Box<Call>),
    /// A call is over.
    CallEnded(Box<Call>),
    /// A backend's own event.
    Custom(CustomEvent),
    /// Cursors moved.
    Receipts(Receipts),
    /// Somebody writes.
    TypingStarted(Typing),
    /// Somebody stopped writing.
    TypingStopped(Typing),
    /// Somebody's presence is another.
    PresenceChanged(Presence),
    /// Somebody came into the conversation.
    MemberJoined(Member),
    /// Somebody went out of it.
    MemberLeft(Member),
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

    /// The call, when it is one's event.
    pub fn call(&self) -> Option<&Call> {
        match self {
            Event::CallStarted(call) | Event::CallAnswered(call) | Event::CallEnded(call) => Some(call),
            _ => None,
        }
    }
}
