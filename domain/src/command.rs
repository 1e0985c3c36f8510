//! What can be asked: the commands, their fields, and how loose fields become a checked command.
//!
//! A dialect finds the fields in an application's payload; REST and sockets then parse them here, so that
//! the same request is refused with the same words wherever it came from.

use serde_json::{Map, Value};

use crate::{
    id::{CallId, ConversationId, MessageId, UserId},
    message::Content,
    presence::Status,
    reaction::ReactionChange,
    receipt::ReceiptKind,
    rejection::Rejection,
    user::User,
};

mod conversation;
mod fields;
mod message;
mod name;
mod presence;
mod receipt;
mod social;
mod user;

pub use conversation::{
    AddParticipant, CreateConversation, JoinConversation, ListConversations, ListParticipants,
    MAX_LIST_LIMIT, MAX_RESUMED, Resume, UpdateConversation,
};
pub use fields::Fields;
pub use message::{DEFAULT_HISTORY_LIMIT, History, MAX_HISTORY_LIMIT, Order, Page, SendMessage};
pub use name::CommandName;
pub use presence::{GetPresence, ListMembers, ListPresence, MAX_MEMBERS, MAX_PRESENCES};
pub use receipt::Receipt;
pub use social::{
    EmitEvent, ListNotifications, MAX_NOTIFICATION_LIMIT, MAX_NOTIFICATIONS_A_COMMAND, Notify, React,
    ReadNotifications, Recipients, SignalCall, StartCall,
};
pub use user::{ListUsers, MAX_USERS_A_COMMAND, RevokeTokens};

/// The largest payload that `echo` returns, in bytes of its JSON.
pub const MAX_ECHO_BYTES: usize = 64 * 1024;
/// The longest token that `session.authenticate` takes, in bytes.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// A checked command of a socket or a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Let the session last as long as this token.
    Authenticate(String),
    /// Say whose the session is.
    Identify(UserId),
    /// Join conversations again, and get what was missed.
    Resume(Resume),
    /// Answer with the same.
    Echo(Value),
    /// Answer with the time.
    Ping,
    /// Get the conversation's events from now on.
    Join(JoinConversation),
    /// Get them no longer.
    Leave(ConversationId),
    /// Read what is known of a conversation.
    ConversationGet(ConversationId),
    /// Read a user's conversations.
    ConversationList(ListConversations),
    /// Make a conversation.
    ConversationCreate(Box<CreateConversation>),
    /// Change a conversation.
    ConversationUpdate(Box<UpdateConversation>),
    /// Delete a conversation and everything in it.
    ConversationDelete(ConversationId),
    /// Read who takes part.
    ParticipantList(ListParticipants),
    /// Make somebody take part, or be something else there.
    ParticipantAdd(AddParticipant),
    /// Make somebody take part no longer.
    ParticipantRemove(ConversationId, UserId),
    /// Say something.
    Send(Box<SendMessage>),
    /// Change the content of a message.
    Edit(MessageId, Content),
    /// Take a message back.
    Delete(MessageId),
    /// Read a message.
    MessageGet(MessageId),
    /// Read a page of what was said.
    History(History),
    /// Change one's reaction to a message.
    React(React),
    /// Move a cursor.
    Receipt(Receipt),
    /// Tell the others that the user writes, or stopped writing.
    Typing(ConversationId, TypingState),
    /// Choose what others see of one's presence.
    PresenceSet(Status),
    /// Read the presence of users.
    PresenceGet(GetPresence),
    /// Read who is online.
    PresenceList(ListPresence),
    /// Read who is in a conversation now.
    MemberList(ListMembers),
    /// Read which sockets a user has.
    SessionList(UserId),
    /// Read how many sockets and rooms there are.
    Stats,
    /// Ring.
    CallStart(StartCall),
    /// Join a call.
    CallAnswer(CallId),
    /// End a call, or decline it.
    CallEnd(CallId),
    /// Tell others in a call something.
    CallSignal(SignalCall),
    /// Read what is known of a call.
    CallGet(CallId),
    /// Read one's notifications.
    NotificationList(ListNotifications),
    /// Mark notifications as read.
    NotificationRead(ReadNotifications),
    /// Notify a user.
    Notify(Box<Notify>),
    /// Hand a backend's event on.
    Emit(Box<EmitEvent>),
    /// Write what is known of a user.
    UserPut(Box<User>),
    /// Write what is known of many users, of all or of none.
    UserImport(Vec<User>),
    /// Read what is known of a user.
    UserGet(UserId),
    /// Read who is known.
    UserList(ListUsers),
    /// Forget what is known of a user.
    UserDelete(UserId),
    /// Disconnect all sockets of a user.
    Disconnect(UserId),
    /// Revoke older tokens of a user.
    Revoke(RevokeTokens),
}

/// Whether somebody writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypingState {
    /// He does.
    Started,
    /// He stopped.
    Stopped,
}

impl Command {
    /// Checks the fields of a command. Fields that the command does not have are not looked at.
    ///
    /// # Errors
    /// The first thing that does not fit, as the client should read it.
    pub fn parse(name: CommandName, fields: Map<String, Value>) -> Result<Self, Rejection> {
        let mut fields = Fields::new(fields);
        let fields = &mut fields;
        Ok(match name {
            CommandName::SessionAuthenticate => Command::Authenticate(token(fields)?),
            CommandName::SessionIdentify => Command::Identify(fields.required("user")?),
            CommandName::SessionResume => Command::Resume(Resume::parse(fields)?),
            CommandName::Echo => Command::Echo(echo(fields)?),
            CommandName::Ping => Command::Ping,
            CommandName::ConversationJoin => Command::Join(JoinConversation::parse(fields)?),
            CommandName::ConversationLeave => Command::Leave(fields.required("conversation")?),
            CommandName::ConversationGet => Command::ConversationGet(fields.required("conversation")?),
            CommandName::ConversationList => Command::ConversationList(ListConversations::parse(fields)?),
            CommandName::ConversationCreate => {
                Command::ConversationCreate(Box::new(CreateConversation::parse(fields)?))
            }
            CommandName::ConversationUpdate => {
                Command::ConversationUpdate(Box::new(UpdateConversation::parse(fields)?))
            }
            CommandName::ConversationDelete => Command::ConversationDelete(fields.required("conversation")?),
            CommandName::ParticipantList => Command::ParticipantList(ListParticipants::parse(fields)?),
            CommandName::ParticipantAdd => Command::ParticipantAdd(AddParticipant::parse(fields)?),
            CommandName::ParticipantRemove => {
                Command::ParticipantRemove(fields.required("conversation")?, fields.required("user")?)
            }
            CommandName::MessageSend => Command::Send(Box::new(SendMessage::parse(fields)?)),
            CommandName::MessageEdit => Command::Edit(fields.required("message")?, message::content(fields)?),
            CommandName::MessageDelete => Command::Delete(fields.required("message")?),
            CommandName::MessageGet => Command::MessageGet(fields.required("message")?),
            CommandName::MessageHistory => Command::History(History::parse(fields)?),
            CommandName::ReactionToggle => Command::React(React::parse(ReactionChange::Toggle, fields)?),
            CommandName::ReactionAdd => Command::React(React::parse(ReactionChange::Add, fields)?),
            CommandName::ReactionRemove => Command::React(React::parse(ReactionChange::Remove, fields)?),
            CommandName::ReceiptDelivered => {
                Command::Receipt(Receipt::parse(ReceiptKind::Delivered, fields)?)
            }
            CommandName::ReceiptRead => Command::Receipt(Receipt::parse(ReceiptKind::Read, fields)?),
            CommandName::TypingStart => {
                Command::Typing(fields.required("conversation")?, TypingState::Started)
            }
            CommandName::TypingStop => {
                Command::Typing(fields.required("conversation")?, TypingState::Stopped)
            }
            CommandName::PresenceSet => Command::PresenceSet(presence::status(fields)?),
            CommandName::PresenceGet => Command::PresenceGet(GetPresence::parse(fields)?),
            CommandName::PresenceList => Command::PresenceList(ListPresence::parse(fields)?),
            CommandName::MemberList => Command::MemberList(ListMembers::parse(fields)?),
            CommandName::SessionList => Command::SessionList(fields.required("user")?),
            CommandName::StatsGet => Command::Stats,
            CommandName::CallStart => Command::CallStart(StartCall::parse(fields)?),
            CommandName::CallAnswer => Command::CallAnswer(fields.required("call")?),
            CommandName::CallEnd => Command::CallEnd(fields.required("call")?),
            CommandName::CallSignal => Command::CallSignal(SignalCall::parse(fields)?),
            CommandName::CallGet => Command::CallGet(fields.required("call")?),
            CommandName::NotificationList => Command::NotificationList(ListNotifications::parse(fields)?),
            CommandName::NotificationRead => Command::NotificationRead(ReadNotifications::parse(fields)?),
            CommandName::NotificationSend => Command::Notify(Box::new(Notify::parse(fields)?)),
            CommandName::CustomEmit => Command::Emit(Box::new(EmitEvent::parse(fields)?)),
            CommandName::UserPut => Command::UserPut(Box::new(user::user("user", "", fields)?)),
            CommandName::UserImport => Command::UserImport(user::users(fields)?),
            CommandName::UserGet => Command::UserGet(fields.required("user")?),
            CommandName::UserList => Command::UserList(ListUsers::parse(fields)?),
            CommandName::UserDelete => Command::UserDelete(fields.required("user")?),
            CommandName::UserDisconnect => Command::Disconnect(fields.required("user")?),
            CommandName::UserRevoke => Command::Revoke(RevokeTokens::parse(fields)?),
        })
    }

    /// The command's canonical name.
    pub fn name(&self) -> CommandName {
        match self {
            Command::Authenticate(_) => CommandName::SessionAuthenticate,
            Command::Identify(_) => CommandName::SessionIdentify,
            Command::Resume(_) => CommandName::SessionResume,
            Command::Echo(_) => CommandName::Echo,
            Command::Ping => CommandName::Ping,
            Command::Join(_) => CommandName::ConversationJoin,
            Command::Leave(_) => CommandName::ConversationLeave,
            Command::ConversationGet(_) => CommandName::ConversationGet,
            Command::ConversationList(_) => CommandName::ConversationList,
            Command::ConversationCreate(_) => CommandName::ConversationCreate,
            Command::ConversationUpdate(_) => CommandName::ConversationUpdate,
            Command::ConversationDelete(_) => CommandName::ConversationDelete,
            Command::ParticipantList(_) => CommandName::ParticipantList,
            Command::ParticipantAdd(_) => CommandName::ParticipantAdd,
            Command::ParticipantRemove(..) => CommandName::ParticipantRemove,
            Command::Send(_) => CommandName::MessageSend,
            Command::Edit(..) => CommandName::MessageEdit,
            Command::Delete(_) => CommandName::MessageDelete,
            Command::MessageGet(_) => CommandName::MessageGet,
            Command::History(_) => CommandName::MessageHistory,
            Command::React(React { change, .. }) => match change {
                ReactionChange::Toggle => CommandName::ReactionToggle,
                ReactionChange::Add => CommandName::ReactionAdd,
                ReactionChange::Remove => CommandName::ReactionRemove,
            },
            Command::Receipt(Receipt { kind, .. }) => match kind {
                ReceiptKind::Delivered => CommandName::ReceiptDelivered,
                ReceiptKind::Read => CommandName::ReceiptRead,
            },
            Command::Typing(_, TypingState::Started) => CommandName::TypingStart,
            Command::Typing(_, TypingState::Stopped) => CommandName::TypingStop,
            Command::PresenceSet(_) => CommandName::PresenceSet,
            Command::PresenceGet(_) => CommandName::PresenceGet,
            Command::PresenceList(_) => CommandName::PresenceList,
            Command::MemberList(_) => CommandName::MemberList,
            Command::SessionList(_) => CommandName::SessionList,
            Command::Stats => CommandName::StatsGet,
            Command::CallStart(_) => CommandName::CallStart,
            Command::CallAnswer(_) => CommandName::CallAnswer,
            Command::CallEnd(_) => CommandName::CallEnd,
            Command::CallSignal(_) => CommandName::CallSignal,
            Command::CallGet(_) => CommandName::CallGet,
            Command::NotificationList(_) => CommandName::NotificationList,
            Command::NotificationRead(_) => CommandName::NotificationRead,
            Command::Notify(_) => CommandName::NotificationSend,
            Command::Emit(_) => CommandName::CustomEmit,
            Command::UserPut(_) => CommandName::UserPut,
            Command::UserImport(_) => CommandName::UserImport,
            Command::UserGet(_) => CommandName::UserGet,
            Command::UserList(_) => CommandName::UserList,
            Command::UserDelete(_) => CommandName::UserDelete,
            Command::Disconnect(_) => CommandName::UserDisconnect,
            Command::Revoke(_) => CommandName::UserRevoke,
        }
    }
}

fn echo(fields: &mut Fields) -> Result<Value, Rejection> {
    let payload = fields.take("payload").unwrap_or(Value::Null);
    if payload.to_string().len() > MAX_ECHO_BYTES {
        return Err(Rejection::invalid("payload", "takes more than 64 KiB"));
    }
    Ok(payload)
}

fn token(fields: &mut Fields) -> Result<String, Rejection> {
    let token = fields.text("token")?.ok_or_else(|| Rejection::invalid("token", "is missing"))?;
    if token.len() > MAX_TOKEN_BYTES {
        return Err(Rejection::invalid("token", "is longer than 16 KiB"));
    }
    Ok(token)
}

/// The field `limit`, at most `most`.
fn limit(fields: &mut Fields, default: u64, most: u64) -> Result<u64, Rejection> {
    let limit = fields.number("limit")?.unwrap_or(default);
    if !(1..=most).contains(&limit) {
        return Err(Rejection::invalid("limit", format!("is not between 1 and {most}")));
    }
    Ok(limit)
}

#[cfg(test)]
mod tests;
