//! The canonical names that a dialect file can use: the fields of each command, of each reply and of each
//! event, with the shape of each. A file that names anything else is refused at start.
//!
//! `view` makes the replies and the events; a test there holds the two together.

use parlance_domain::command::CommandName;

/// What a canonical value is, which decides how it is written on a wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A text.
    Text,
    /// A number.
    Number,
    /// True or false.
    Flag,
    /// A point in time.
    Time,
    /// The id of a user.
    User,
    /// The id of a conversation.
    Conversation,
    /// The application's own JSON; its fields are not known here.
    Json,
    /// Known fields.
    Object(&'static [Field]),
    /// A list.
    List(&'static Shape),
}

/// A field of an object.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
}

const fn field(name: &'static str, shape: Shape) -> Field {
    Field { name, shape }
}

impl Shape {
    /// The shape of a field, `None` when there is no such field.
    pub(super) fn field(self, name: &str) -> Option<Shape> {
        match self {
            Shape::Json => Some(Shape::Json),
            Shape::Object(fields) => fields.iter().find(|field| field.name == name).map(|field| field.shape),
            _ => None,
        }
    }

    /// The names of the fields that are known.
    pub(super) fn names(self) -> Vec<&'static str> {
        match self {
            Shape::Object(fields) => fields.iter().map(|field| field.name).collect(),
            _ => Vec::new(),
        }
    }
}

/// The events that clients can be sent, by their canonical names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventName {
    /// A message was sent.
    MessageCreated,
    /// A message's content was changed.
    MessageEdited,
    /// A message was taken back.
    MessageDeleted,
    /// The conversation was made.
    ConversationCreated,
    /// Somebody takes part from now on.
    ParticipantAdded,
    /// Somebody takes part no longer.
    ParticipantRemoved,
    /// A user's client has the messages up to a place.
    ReceiptDelivered,
    /// A user has seen the messages up to a place.
    ReceiptRead,
    /// Somebody writes.
    TypingStarted,
    /// Somebody stopped writing.
    TypingStopped,
    /// To one socket: it is connected.
    SessionReady,
    /// To one socket: events were missed, and reading the history is the way to have them.
    Resync,
    /// To one socket: it gets the conversation's events no longer.
    ConversationLeft,
}

impl EventName {
    /// Every event.
    pub const ALL: &[EventName] = &[
        EventName::MessageCreated,
        EventName::MessageEdited,
        EventName::MessageDeleted,
        EventName::ConversationCreated,
        EventName::ParticipantAdded,
        EventName::ParticipantRemoved,
        EventName::ReceiptDelivered,
        EventName::ReceiptRead,
        EventName::TypingStarted,
        EventName::TypingStopped,
        EventName::SessionReady,
        EventName::Resync,
        EventName::ConversationLeft,
    ];

    /// The canonical name, as dialect files write it.
    pub fn as_str(self) -> &'static str {
        match self {
            EventName::MessageCreated => "message.created",
            EventName::MessageEdited => "message.edited",
            EventName::MessageDeleted => "message.deleted",
            EventName::ConversationCreated => "conversation.created",
            EventName::ParticipantAdded => "participant.added",
            EventName::ParticipantRemoved => "participant.removed",
            EventName::ReceiptDelivered => "receipt.delivered",
            EventName::ReceiptRead => "receipt.read",
            EventName::TypingStarted => "typing.started",
            EventName::TypingStopped => "typing.stopped",
            EventName::SessionReady => "session.ready",
            EventName::Resync => "resync",
            EventName::ConversationLeft => "conversation.left",
        }
    }

    /// The event with this canonical name.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|name| name.as_str() == word)
    }

    /// Whether it is for the sockets of a conversation, not for one socket alone.
    pub fn is_for_a_conversation(self) -> bool {
        !matches!(self, EventName::SessionReady | EventName::Resync | EventName::ConversationLeft)
    }

    pub(super) fn shape(self) -> Shape {
        Shape::Object(match self {
            EventName::MessageCreated | EventName::MessageEdited | EventName::MessageDeleted => MESSAGE,
            EventName::ConversationCreated => CONVERSATION_CREATED,
            EventName::ParticipantAdded | EventName::ParticipantRemoved => PARTICIPANT_CHANGE,
            EventName::ReceiptDelivered | EventName::ReceiptRead => RECEIPT,
            EventName::TypingStarted | EventName::TypingStopped => TYPING,
            EventName::SessionReady => SESSION_READY,
            EventName::Resync => RESYNC,
            EventName::ConversationLeft => CONVERSATION_LEFT,
        })
    }
}

/// What a refused command is answered from.
pub(super) const FAILURE: Shape = Shape::Object(&[
    field("code", Shape::Text),
    field("message", Shape::Text),
    field("retryable", Shape::Flag),
    field("retryAfterMs", Shape::Number),
    field("event", Shape::Text),
]);

/// What a command that was carried out is answered from.
pub(super) fn reply(command: CommandName) -> Shape {
    Shape::Object(match command {
        CommandName::Echo => ECHOED,
        CommandName::Ping => PONG,
        CommandName::ConversationJoin => JOINED,
        CommandName::ConversationLeave => LEFT,
        CommandName::MessageSend | CommandName::MessageEdit | CommandName::MessageDelete => SENT,
        CommandName::MessageHistory => HISTORY,
        CommandName::ReceiptDelivered
        | CommandName::ReceiptRead
        | CommandName::TypingStart
        | CommandName::TypingStop => &[],
    })
}

/// The shape of a command's field.
pub(super) fn argument(command: CommandName, name: &str) -> Option<Shape> {
    if !command.fields().contains(&name) {
        return None;
    }
    Some(match name {
        "conversation" => Shape::Conversation,
        "before" | "after" | "limit" | "seq" => Shape::Number,
        "messages" => Shape::List(&Shape::Text),
        "attachments" => Shape::List(&Shape::Json),
        "metadata" => Shape::Object(&[]),
        "payload" => Shape::Json,
        _ => Shape::Text,
    })
}

/// The fields without which a command is always refused: of each list at least one field.
pub(super) fn needed(command: CommandName) -> &'static [&'static [&'static str]] {
    match command {
        CommandName::Echo | CommandName::Ping => &[],
        CommandName::ConversationJoin
        | CommandName::ConversationLeave
        | CommandName::TypingStart
        | CommandName::TypingStop
        | CommandName::MessageHistory => &[&["conversation"]],
        CommandName::MessageSend => &[&["conversation"], &["content"]],
        CommandName::MessageEdit => &[&["message"], &["content"]],
        CommandName::MessageDelete => &[&["message"]],
        CommandName::ReceiptDelivered | CommandName::ReceiptRead => {
            &[&["messages", "seq"], &["messages", "conversation"]]
        }
    }
}

const PROFILE: &[Field] = &[
    field("id", Shape::User),
    field("name", Shape::Text),
    field("avatar", Shape::Text),
    field("role", Shape::Text),
];

const MESSAGE: &[Field] = &[
    field("id", Shape::Text),
    field("conversationId", Shape::Conversation),
    field("seq", Shape::Number),
    field("offset", Shape::Number),
    field("epoch", Shape::Number),
    field("senderId", Shape::User),
    field("sender", Shape::Object(PROFILE)),
    field("type", Shape::Text),
    field("content", Shape::Text),
    field("status", Shape::Text),
    field("createdAt", Shape::Time),
    field("editedAt", Shape::Time),
    field("deletedAt", Shape::Time),
    field("clientId", Shape::Text),
    field("replyTo", Shape::Text),
    field("attachments", Shape::List(&Shape::Json)),
    field("metadata", Shape::Json),
];

const CONVERSATION_CREATED: &[Field] = &[
    field("id", Shape::Conversation),
    field("title", Shape::Text),
    field("metadata", Shape::Json),
    field("participants", Shape::List(&Shape::User)),
    field("createdAt", Shape::Time),
    field("offset", Shape::Number),
    field("epoch", Shape::Number),
];

const PARTICIPANT_CHANGE: &[Field] = &[
    field("conversationId", Shape::Conversation),
    field("participant", Shape::Object(PROFILE)),
    field("offset", Shape::Number),
    field("epoch", Shape::Number),
    field("at", Shape::Time),
];

const RECEIPT: &[Field] = &[
    field("conversationId", Shape::Conversation),
    field("userId", Shape::User),
    field("seq", Shape::Number),
    field("at", Shape::Time),
];

const TYPING: &[Field] = &[
    field("conversationId", Shape::Conversation),
    field("userId", Shape::User),
    field("user", Shape::Object(PROFILE)),
    field("at", Shape::Time),
];

const SESSION_READY: &[Field] = &[
    field("userId", Shape::User),
    field("sessionId", Shape::Text),
    field("user", Shape::Object(PROFILE)),
    field("dialect", Shape::Text),
    field("pingIntervalMs", Shape::Number),
];

const RESYNC: &[Field] = &[
    field("conversationId", Shape::Conversation),
    field("epoch", Shape::Number),
    field("offset", Shape::Number),
];

const CONVERSATION_LEFT: &[Field] =
    &[field("conversationId", Shape::Conversation), field("reason", Shape::Text)];

const ECHOED: &[Field] = &[field("echo", Shape::Json)];

const PONG: &[Field] = &[field("time", Shape::Time)];

const JOINED: &[Field] = &[
    field("conversationId", Shape::Conversation),
    field("epoch", Shape::Number),
    field("offset", Shape::Number),
    field("seq", Shape::Number),
];

const LEFT: &[Field] = &[field("conversationId", Shape::Conversation)];

const SENT: &[Field] = &[field("message", Shape::Object(MESSAGE))];

const HISTORY: &[Field] =
    &[field("messages", Shape::List(&Shape::Object(MESSAGE))), field("hasMore", Shape::Flag)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for name in EventName::ALL {
            assert_eq!(EventName::parse(name.as_str()), Some(*name));
        }
    }

    #[test]
    fn what_a_command_needs_is_among_its_fields() {
        for command in CommandName::ALL {
            for name in needed(*command).iter().copied().flatten() {
                assert!(argument(*command, name).is_some(), "{command:?} {name}");
            }
        }
    }
}
