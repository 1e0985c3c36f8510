//! The table of events that clients can be sent.

use super::{Shape, objects};

macro_rules! events {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal: $shape:ident)*) => {
        /// The events that clients can be sent, by their canonical names.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum EventName {
            $($(#[doc = $doc])* $variant,)*
        }

        impl EventName {
            /// Every event.
            pub const ALL: &[EventName] = &[$(EventName::$variant,)*];

            /// The canonical name, as dialect files write it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(EventName::$variant => $name,)*
                }
            }

            /// What happened, in a sentence.
            pub fn about(self) -> &'static str {
                match self {
                    $(EventName::$variant => concat!($($doc),*).trim_ascii(),)*
                }
            }

            pub(in crate::dialect) fn shape(self) -> Shape {
                Shape::Object(match self {
                    $(EventName::$variant => objects::$shape,)*
                })
            }
        }
    };
}

events! {
    /// A message was sent.
    MessageCreated = "message.created": MESSAGE
    /// A message's content was changed.
    MessageEdited = "message.edited": MESSAGE
    /// A message was taken back.
    MessageDeleted = "message.deleted": MESSAGE
    /// The conversation was made.
    ConversationCreated = "conversation.created": CONVERSATION_EVENT
    /// Its title or its fields were changed.
    ConversationUpdated = "conversation.updated": CONVERSATION_EVENT
    /// It was deleted, with everything in it.
    ConversationDeleted = "conversation.deleted": CONVERSATION_DELETED
    /// Somebody takes part from now on, or as something else.
    ParticipantAdded = "participant.added": PARTICIPANT_CHANGE
    /// Somebody takes part no longer.
    ParticipantRemoved = "participant.removed": PARTICIPANT_CHANGE
    /// A reaction to a message came or went.
    ReactionUpdated = "reaction.updated": REACTION_UPDATE
    /// Somebody rings.
    CallStarted = "call.started": CALL
    /// Somebody joined a call.
    CallAnswered = "call.answered": CALL
    /// A call is over.
    CallEnded = "call.ended": CALL
    /// A user's client has the messages up to a place.
    ReceiptDelivered = "receipt.delivered": RECEIPT
    /// A user has seen the messages up to a place.
    ReceiptRead = "receipt.read": RECEIPT
    /// Messages have arrived with somebody other than their authors, or were read by somebody, for the first time.
    MessageStatus = "message.status": MESSAGE_STATUS
    /// Somebody writes.
    TypingStarted = "typing.started": TYPING_STARTED
    /// Somebody stopped writing.
    TypingStopped = "typing.stopped": TYPING_STOPPED
    /// Somebody came online, went offline, or chose a status.
    PresenceChanged = "presence.changed": PRESENCE
    /// Somebody came into the conversation with his first socket.
    MemberJoined = "member.joined": MEMBER
    /// Somebody went out of the conversation with his last socket.
    MemberLeft = "member.left": MEMBER
    /// To a user: there is a notification.
    NotificationCreated = "notification.created": NOTIFICATION
    /// To a user: something was said in a conversation of his, or its title, its fields or who takes part was changed.
    ConversationActivity = "conversation.activity": ACTIVITY
    /// To a user: a message of his has arrived with somebody for the first time.
    MessageDelivered = "message.delivered": MESSAGE_DELIVERED
    /// To a user: another client of a call says something.
    CallSignal = "call.signal": CALL_SIGNAL
    /// To a user: how far an upload of his has come.
    UploadProgress = "upload.progress": UPLOAD_PROGRESS
    /// To a user: an upload of his is stored.
    UploadCompleted = "upload.completed": UPLOAD
    /// To one socket: it is connected.
    SessionReady = "session.ready": SESSION_READY
    /// To one socket: its token ends soon.
    SessionExpiring = "session.expiring": SESSION_EXPIRING
    /// To one socket: events were missed, and reading the history is the way to have them.
    Resync = "resync": RESYNC
    /// To one socket: it gets the conversation's events no longer.
    ConversationLeft = "conversation.left": CONVERSATION_LEFT
}

/// For whom an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The sockets that have joined a conversation.
    Conversation,
    /// All sockets of a user.
    User,
    /// One socket.
    Socket,
}

impl EventName {
    /// The event with this canonical name.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|name| name.as_str() == word)
    }

    /// For whom it is.
    pub fn scope(self) -> Scope {
        match self {
            EventName::NotificationCreated
            | EventName::ConversationActivity
            | EventName::MessageDelivered
            | EventName::CallSignal
            | EventName::UploadProgress
            | EventName::UploadCompleted => Scope::User,
            EventName::SessionReady
            | EventName::SessionExpiring
            | EventName::Resync
            | EventName::ConversationLeft => Scope::Socket,
            _ => Scope::Conversation,
        }
    }

    /// Whether it is for the one socket that it is handed to.
    pub fn is_for_one_socket(self) -> bool {
        self.scope() == Scope::Socket
    }

    /// Whether it is for the sockets of a conversation, where some are "others".
    pub fn is_for_a_conversation(self) -> bool {
        self.scope() == Scope::Conversation
    }
}
