//! What commands are answered from, and what they read.

use parlance_domain::command::CommandName;

use super::{
    objects::{
        CALL, CONVERSATION, GATEWAY, LISTED_CONVERSATION, MESSAGE, NOTIFICATION, PARTICIPANT, PROFILE,
        REACTION, SEEN, SESSION, STORED_MESSAGE, USER,
    },
    shape::{Field, Shape, field},
};

/// What a refused command is answered from.
pub(in crate::dialect) const FAILURE: Shape = Shape::Object(&[
    field("code", Shape::Text),
    field("message", Shape::Text),
    field("retryable", Shape::Flag),
    field("retryAfterMs", Shape::Number),
    field("event", Shape::Text),
]);

/// What a command that was carried out is answered from.
pub(in crate::dialect) fn reply(command: CommandName) -> Shape {
    Shape::Object(match command {
        CommandName::SessionAuthenticate => AUTHENTICATED,
        CommandName::SessionIdentify => IDENTIFIED,
        CommandName::SessionResume => RESUMED,
        CommandName::Echo => ECHOED,
        CommandName::Ping => PONG,
        CommandName::ConversationJoin => JOINED,
        CommandName::ConversationLeave => LEFT,
        CommandName::ConversationGet | CommandName::ConversationUpdate => CONVERSATION_REPLY,
        CommandName::ConversationCreate => CREATED,
        CommandName::ConversationList => CONVERSATIONS,
        CommandName::ParticipantList => PARTICIPANTS,
        CommandName::ParticipantAdd => ADDED,
        CommandName::MessageSend | CommandName::MessageEdit | CommandName::MessageDelete => SENT,
        CommandName::MessageGet => FOUND,
        CommandName::MessageHistory => HISTORY,
        CommandName::ReactionToggle | CommandName::ReactionAdd | CommandName::ReactionRemove => REACTED,
        CommandName::CallStart | CommandName::CallAnswer | CommandName::CallEnd | CommandName::CallGet => {
            CALL_REPLY
        }
        CommandName::NotificationList => NOTIFICATIONS,
        CommandName::NotificationRead | CommandName::ReceiptRead => MARKED,
        CommandName::NotificationSend => NOTIFIED,
        CommandName::PresenceSet => PRESENCE_SET,
        CommandName::PresenceGet => PRESENCES,
        CommandName::PresenceList => ONLINE,
        CommandName::MemberList => MEMBERS,
        CommandName::SessionList => SESSIONS,
        CommandName::StatsGet => STATS,
        CommandName::UserPut => USER_PUT,
        CommandName::UserImport => USERS_IMPORTED,
        CommandName::UserGet => USER_REPLY,
        CommandName::UserList => USERS,
        CommandName::UserRevoke => REVOKED,
        CommandName::ConversationDelete
        | CommandName::ParticipantRemove
        | CommandName::ReceiptDelivered
        | CommandName::TypingStart
        | CommandName::TypingStop
        | CommandName::CallSignal
        | CommandName::CustomEmit
        | CommandName::UserDelete
        | CommandName::UserDisconnect => &[],
    })
}

/// The shape of a command's field.
pub(in crate::dialect) fn argument(command: CommandName, name: &str) -> Option<Shape> {
    if !command.fields().contains(&name) {
        return None;
    }
    Some(match name {
        "conversation" => Shape::Conversation,
        "user" | "to" => Shape::User,
        "before" if command == CommandName::UserRevoke => Shape::Text,
        "before" | "after" | "page" | "limit" | "seq" => Shape::Number,
        "users" if command == CommandName::PresenceGet => Shape::List(&Shape::User),
        "messages" | "notifications" => Shape::List(&Shape::Text),
        "attachments" | "users" => Shape::List(&Shape::Json),
        "participants" => Shape::List(&Shape::User),
        "metadata" | "conversations" => Shape::Object(&[]),
        "unread" | "exclusive" => Shape::Flag,
        "payload" | "data" => Shape::Json,
        _ => Shape::Text,
    })
}

/// The fields without which a command is always refused: of each list at least one field.
pub(in crate::dialect) fn needed(command: CommandName) -> &'static [&'static [&'static str]] {
    match command {
        CommandName::Echo
        | CommandName::Ping
        | CommandName::ConversationList
        | CommandName::NotificationList
        | CommandName::NotificationRead
        | CommandName::PresenceList
        | CommandName::StatsGet
        | CommandName::UserList => &[],
        CommandName::PresenceSet => &[&["status"]],
        CommandName::PresenceGet => &[&["users"]],
        CommandName::SessionAuthenticate => &[&["token"]],
        CommandName::SessionResume => &[&["conversations"]],
        CommandName::ConversationCreate => &[&["participants"]],
        CommandName::ConversationJoin
        | CommandName::ConversationLeave
        | CommandName::ConversationGet
        | CommandName::ConversationDelete
        | CommandName::ParticipantList
        | CommandName::MemberList
        | CommandName::TypingStart
        | CommandName::TypingStop
        | CommandName::CallStart
        | CommandName::MessageHistory => &[&["conversation"]],
        CommandName::ConversationUpdate => &[&["conversation"], &["title", "metadata"]],
        CommandName::ParticipantAdd | CommandName::ParticipantRemove => &[&["conversation"], &["user"]],
        CommandName::MessageSend => &[&["conversation"], &["content", "attachments"]],
        CommandName::MessageEdit => &[&["message"], &["content"]],
        CommandName::MessageDelete | CommandName::MessageGet => &[&["message"]],
        CommandName::ReactionToggle | CommandName::ReactionAdd | CommandName::ReactionRemove => {
            &[&["message"], &["emoji"]]
        }
        CommandName::ReceiptDelivered | CommandName::ReceiptRead => &[&["messages", "conversation"]],
        CommandName::CallAnswer | CommandName::CallEnd | CommandName::CallGet => &[&["call"]],
        CommandName::CallSignal => &[&["call"], &["payload"]],
        CommandName::NotificationSend => &[&["user"], &["type"], &["text"]],
        CommandName::CustomEmit => &[&["event"]],
        CommandName::UserPut => &[&["user"], &["name"]],
        CommandName::UserImport => &[&["users"]],
        CommandName::SessionIdentify
        | CommandName::UserGet
        | CommandName::UserDelete
        | CommandName::UserDisconnect
        | CommandName::UserRevoke
        | CommandName::SessionList => &[&["user"]],
    }
}

const AUTHENTICATED: &[Field] = &[field("expiresAt", Shape::Time)];

const IDENTIFIED: &[Field] = &[field("userId", Shape::User)];

const REVOKED: &[Field] = &[field("userId", Shape::User), field("before", Shape::Time)];

const RESUMED: &[Field] = &[field("conversations", Shape::List(&Shape::Object(RESUMED_CONVERSATION)))];

const RESUMED_CONVERSATION: &[Field] = &[
    field("conversationId", Shape::Conversation),
    field("recovered", Shape::Flag),
    field("epoch", Shape::Number),
    field("offset", Shape::Number),
    field("seq", Shape::Number),
    field("error", Shape::Text),
];

const ECHOED: &[Field] = &[field("echo", Shape::Json)];

const PONG: &[Field] = &[field("time", Shape::Time)];

const JOINED: &[Field] = &[
    field("conversationId", Shape::Conversation),
    field("epoch", Shape::Number),
    field("offset", Shape::Number),
    field("seq", Shape::Number),
    field("members", Shape::List(&Shape::User)),
    field("memberCount", Shape::Number),
];

const LEFT: &[Field] = &[field("conversationId", Shape::Conversation)];

const CONVERSATION_REPLY: &[Field] = &[field("conversation", Shape::Object(CONVERSATION))];

const CREATED: &[Field] =
    &[field("conversation", Shape::Object(CONVERSATION)), field("created", Shape::Flag)];

const CONVERSATIONS: &[Field] = &[
    field("conversations", Shape::List(&Shape::Object(LISTED_CONVERSATION))),
    field("nextCursor", Shape::Text),
];

const PARTICIPANTS: &[Field] =
    &[field("participants", Shape::List(&Shape::Object(PARTICIPANT))), field("nextCursor", Shape::Text)];

const ADDED: &[Field] = &[
    field("conversationId", Shape::Conversation),
    field("participant", Shape::Object(PROFILE)),
    field("role", Shape::Text),
    field("added", Shape::Flag),
];

const SENT: &[Field] = &[field("message", Shape::Object(MESSAGE))];

const FOUND: &[Field] = &[field("message", Shape::Object(STORED_MESSAGE))];

const HISTORY: &[Field] = &[
    field("messages", Shape::List(&Shape::Object(STORED_MESSAGE))),
    field("hasMore", Shape::Flag),
    field("nextCursor", Shape::Text),
    field("page", Shape::Number),
    field("limit", Shape::Number),
    field("total", Shape::Number),
    field("unreadCount", Shape::Number),
];

const REACTED: &[Field] = &[
    field("messageId", Shape::Text),
    field("emoji", Shape::Text),
    field("active", Shape::Flag),
    field("reactions", Shape::List(&Shape::Object(REACTION))),
];

const CALL_REPLY: &[Field] = &[field("call", Shape::Object(CALL))];

const NOTIFICATIONS: &[Field] = &[
    field("notifications", Shape::List(&Shape::Object(NOTIFICATION))),
    field("unreadCount", Shape::Number),
    field("nextCursor", Shape::Text),
];

const MARKED: &[Field] = &[field("marked", Shape::Number)];

const NOTIFIED: &[Field] = &[field("notification", Shape::Object(NOTIFICATION))];

const PRESENCE_SET: &[Field] = &[field("presence", Shape::Object(SEEN))];

const PRESENCES: &[Field] = &[field("presences", Shape::List(&Shape::Object(SEEN)))];

const ONLINE: &[Field] = &[
    field("presences", Shape::List(&Shape::Object(SEEN))),
    field("total", Shape::Number),
    field("nextCursor", Shape::Text),
];

const MEMBERS: &[Field] = &[
    field("conversationId", Shape::Conversation),
    field("members", Shape::List(&Shape::User)),
    field("memberCount", Shape::Number),
];

const SESSIONS: &[Field] = &[field("sessions", Shape::List(&Shape::Object(SESSION)))];

const STATS: &[Field] = &[
    field("connected", Shape::Number),
    field("users", Shape::Number),
    field("rooms", Shape::Number),
    field("gateways", Shape::List(&Shape::Object(GATEWAY))),
];

const USER_REPLY: &[Field] = &[field("user", Shape::Object(USER))];

const USER_PUT: &[Field] = &[field("user", Shape::Object(USER)), field("created", Shape::Flag)];

const USERS_IMPORTED: &[Field] = &[field("created", Shape::Number), field("updated", Shape::Number)];

const USERS: &[Field] =
    &[field("users", Shape::List(&Shape::Object(USER))), field("nextCursor", Shape::Text)];
