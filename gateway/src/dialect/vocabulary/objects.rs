//! The objects of the canonical views, field by field.

use super::shape::{Field, Shape, field};

pub(super) const PROFILE: &[Field] = &[
    field("id", Shape::User),
    field("name", Shape::Text),
    field("avatar", Shape::Text),
    field("role", Shape::Text),
];

/// A user as backends and he himself read him; others read the profile of it.
pub(super) const USER: &[Field] = &[
    field("id", Shape::User),
    field("name", Shape::Text),
    field("username", Shape::Text),
    field("avatar", Shape::Text),
    field("email", Shape::Text),
    field("role", Shape::Text),
    field("metadata", Shape::Json),
    field("updatedAt", Shape::Time),
];

/// What every view of a message has.
macro_rules! message {
    ($($more:expr),*) => {
        &[
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
            $($more,)*
        ]
    };
}

/// A message as its events and the answers to commands have it.
pub(super) const MESSAGE: &[Field] = message!();

/// A message as it is read: with the reactions to it.
pub(super) const STORED_MESSAGE: &[Field] =
    message!(field("reactions", Shape::List(&Shape::Object(REACTION))));

pub(super) const REACTION: &[Field] = &[
    field("emoji", Shape::Text),
    field("count", Shape::Number),
    field("users", Shape::List(&Shape::Object(REACTOR))),
];

pub(super) const REACTOR: &[Field] = &[field("id", Shape::User), field("name", Shape::Text)];

pub(super) const REACTION_UPDATE: &[Field] = &[
    field("messageId", Shape::Text),
    field("conversationId", Shape::Conversation),
    field("seq", Shape::Number),
    field("userId", Shape::User),
    field("user", Shape::Object(PROFILE)),
    field("emoji", Shape::Text),
    field("active", Shape::Flag),
    field("reactions", Shape::List(&Shape::Object(REACTION))),
    field("offset", Shape::Number),
    field("epoch", Shape::Number),
    field("at", Shape::Time),
];

pub(super) const CONVERSATION: &[Field] = &[
    field("id", Shape::Conversation),
    field("title", Shape::Text),
    field("metadata", Shape::Json),
    field("participants", Shape::List(&Shape::User)),
    field("createdAt", Shape::Time),
    field("updatedAt", Shape::Time),
];

pub(super) const CONVERSATION_EVENT: &[Field] = &[
    field("id", Shape::Conversation),
    field("title", Shape::Text),
    field("metadata", Shape::Json),
    field("participants", Shape::List(&Shape::User)),
    field("createdAt", Shape::Time),
    field("updatedAt", Shape::Time),
    field("offset", Shape::Number),
    field("epoch", Shape::Number),
];

pub(super) const LISTED_CONVERSATION: &[Field] = &[
    field("id", Shape::Conversation),
    field("title", Shape::Text),
    field("metadata", Shape::Json),
    field("participants", Shape::List(&Shape::User)),
    field("createdAt", Shape::Time),
    field("updatedAt", Shape::Time),
    field("role", Shape::Text),
    field("lastMessage", Shape::Object(MESSAGE)),
    field("unreadCount", Shape::Number),
    field("readSeq", Shape::Number),
];

pub(super) const ACTIVITY: &[Field] = &[
    field("id", Shape::Conversation),
    field("title", Shape::Text),
    field("metadata", Shape::Json),
    field("participants", Shape::List(&Shape::User)),
    field("lastMessage", Shape::Object(MESSAGE)),
    field("createdAt", Shape::Time),
    field("updatedAt", Shape::Time),
];

pub(super) const CONVERSATION_DELETED: &[Field] = &[
    field("conversationId", Shape::Conversation),
    field("offset", Shape::Number),
    field("epoch", Shape::Number),
    field("at", Shape::Time),
];

pub(super) const PARTICIPANT_CHANGE: &[Field] = &[
    field("conversationId", Shape::Conversation),
    field("participant", Shape::Object(PROFILE)),
    field("role", Shape::Text),
    field("offset", Shape::Number),
    field("epoch", Shape::Number),
    field("at", Shape::Time),
];

pub(super) const PARTICIPANT: &[Field] = &[
    field("userId", Shape::User),
    field("user", Shape::Object(PROFILE)),
    field("role", Shape::Text),
    field("joinedAt", Shape::Time),
    field("deliveredSeq", Shape::Number),
    field("readSeq", Shape::Number),
];

pub(super) const CALL: &[Field] = &[
    field("id", Shape::Text),
    field("conversationId", Shape::Conversation),
    field("type", Shape::Text),
    field("status", Shape::Text),
    field("startedBy", Shape::User),
    field("caller", Shape::Object(PROFILE)),
    field("startedAt", Shape::Time),
    field("answeredAt", Shape::Time),
    field("answeredBy", Shape::User),
    field("endedAt", Shape::Time),
    field("endedBy", Shape::User),
    field("durationMs", Shape::Number),
    field("participants", Shape::List(&Shape::Object(CALL_PARTICIPANT))),
    field("offset", Shape::Number),
    field("epoch", Shape::Number),
];

pub(super) const CALL_PARTICIPANT: &[Field] =
    &[field("userId", Shape::User), field("user", Shape::Object(PROFILE)), field("joinedAt", Shape::Time)];

pub(super) const CALL_SIGNAL: &[Field] = &[
    field("callId", Shape::Text),
    field("conversationId", Shape::Conversation),
    field("userId", Shape::User),
    field("user", Shape::Object(PROFILE)),
    field("payload", Shape::Json),
];

pub(super) const NOTIFICATION: &[Field] = &[
    field("id", Shape::Text),
    field("userId", Shape::User),
    field("type", Shape::Text),
    field("text", Shape::Text),
    field("data", Shape::Json),
    field("conversationId", Shape::Conversation),
    field("messageId", Shape::Text),
    field("message", Shape::Object(MESSAGE)),
    field("read", Shape::Flag),
    field("readAt", Shape::Time),
    field("createdAt", Shape::Time),
];

pub(super) const UPLOAD: &[Field] = &[
    field("id", Shape::Text),
    field("url", Shape::Text),
    field("ownerId", Shape::User),
    field("conversationId", Shape::Conversation),
    field("name", Shape::Text),
    field("contentType", Shape::Text),
    field("size", Shape::Number),
    field("createdAt", Shape::Time),
];

pub(super) const UPLOAD_PROGRESS: &[Field] =
    &[field("uploadId", Shape::Text), field("received", Shape::Number), field("total", Shape::Number)];

pub(super) const RECEIPT: &[Field] = &[
    field("conversationId", Shape::Conversation),
    field("userId", Shape::User),
    field("seq", Shape::Number),
    field("messageId", Shape::Text),
    field("at", Shape::Time),
    field("messages", Shape::List(&Shape::Object(COVERED))),
];

pub(super) const COVERED: &[Field] =
    &[field("id", Shape::Text), field("seq", Shape::Number), field("senderId", Shape::User)];

pub(super) const MESSAGE_STATUS: &[Field] = &[
    field("conversationId", Shape::Conversation),
    field("status", Shape::Text),
    field("userId", Shape::User),
    field("at", Shape::Time),
    field("messages", Shape::List(&Shape::Object(COVERED))),
];

pub(super) const MESSAGE_DELIVERED: &[Field] = &[
    field("messageId", Shape::Text),
    field("conversationId", Shape::Conversation),
    field("userId", Shape::User),
    field("at", Shape::Time),
];

pub(super) const TYPING_STARTED: &[Field] = &[
    field("conversationId", Shape::Conversation),
    field("userId", Shape::User),
    field("user", Shape::Object(PROFILE)),
    field("expiresInMs", Shape::Number),
    field("at", Shape::Time),
];

pub(super) const TYPING_STOPPED: &[Field] = &[
    field("conversationId", Shape::Conversation),
    field("userId", Shape::User),
    field("user", Shape::Object(PROFILE)),
    field("at", Shape::Time),
];

pub(super) const PRESENCE: &[Field] = &[
    field("userId", Shape::User),
    field("status", Shape::Text),
    field("connected", Shape::Flag),
    field("reason", Shape::Text),
    field("sessionId", Shape::Text),
    field("lastSeen", Shape::Time),
    field("at", Shape::Time),
];

/// A presence as everybody may see it.
pub(super) const SEEN: &[Field] = &[
    field("userId", Shape::User),
    field("status", Shape::Text),
    field("lastSeen", Shape::Time),
    field("at", Shape::Time),
];

pub(super) const MEMBER: &[Field] = &[
    field("conversationId", Shape::Conversation),
    field("userId", Shape::User),
    field("user", Shape::Object(PROFILE)),
    field("at", Shape::Time),
];

pub(super) const SESSION: &[Field] = &[
    field("sessionId", Shape::Text),
    field("gateway", Shape::Text),
    field("dialect", Shape::Text),
    field("connectedAt", Shape::Time),
];

pub(super) const GATEWAY: &[Field] = &[
    field("gateway", Shape::Text),
    field("connected", Shape::Number),
    field("users", Shape::Number),
    field("rooms", Shape::Number),
    field("dialects", Shape::Json),
    field("at", Shape::Time),
];

pub(super) const SESSION_READY: &[Field] = &[
    field("userId", Shape::User),
    field("sessionId", Shape::Text),
    field("socketId", Shape::Text),
    field("user", Shape::Object(PROFILE)),
    field("role", Shape::Text),
    field("conversationId", Shape::Conversation),
    field("dialect", Shape::Text),
    field("pingIntervalMs", Shape::Number),
];

pub(super) const SESSION_EXPIRING: &[Field] =
    &[field("expiresAt", Shape::Time), field("expiresInMs", Shape::Number)];

pub(super) const RESYNC: &[Field] = &[
    field("conversationId", Shape::Conversation),
    field("epoch", Shape::Number),
    field("offset", Shape::Number),
];

pub(super) const CONVERSATION_LEFT: &[Field] =
    &[field("conversationId", Shape::Conversation), field("reason", Shape::Text)];
