//! The canonical views: what events and replies look like before a dialect gives them its words. Their
//! fields, in camelCase, are those that templates can name.

use std::time::Duration;

use parlance_domain::{
    call::CallSignal,
    conversation::{Activity, Conversation, ParticipantChange},
    custom::CustomEvent,
    entry::Envelope,
    event::{Event, Typing},
    id::{ConversationId, MessageId, SessionId, UserId},
    notification::Notification,
    presence::{Member, Presence},
    receipt::{Covered, Cursor, ReceiptKind, Receipts},
    time::Timestamp,
    upload::{Upload, UploadProgress},
    user::Profile,
    user_event::DeliveredMessages,
    version::{Seq, Version},
};
use serde_json::{Value, json};

use super::EventName;
use crate::presence::heard::News;

pub mod reply;

/// An event for clients, in canonical words.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientEvent {
    /// What happened.
    pub name: EventName,
    /// The view, an object.
    pub fields: Value,
    /// Whom it comes from, who is none of the others.
    pub origin: Origin,
    /// What a socket is told once, and not at all when it was told of something newer.
    pub news: Option<News>,
}

/// Whom an event comes from: what the audiences of a dialect's rules go by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// No connection: a request, a backend, the server itself.
    Nobody,
    /// One connection. The same user's others are told like anybody.
    Socket(SessionId),
    /// A user, on all of his connections: what he does himself is no news to him on any of them.
    User(UserId),
}

impl Origin {
    /// Whether it comes from this connection of this user.
    pub fn is(&self, session: &SessionId, user: &UserId) -> bool {
        match self {
            Origin::Nobody => false,
            Origin::Socket(origin) => origin == session,
            Origin::User(origin) => origin == user,
        }
    }
}

impl ClientEvent {
    fn new(name: EventName, fields: Value) -> Self {
        Self { name, fields, origin: Origin::Nobody, news: None }
    }

    fn from(self, origin: Option<&SessionId>) -> Self {
        Self { origin: origin.cloned().map_or(Origin::Nobody, Origin::Socket), ..self }
    }

    fn by(self, user: &UserId) -> Self {
        Self { origin: Origin::User(user.clone()), ..self }
    }
}

/// What the sockets of a conversation are told.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// In the dialect's words.
    Event(ClientEvent),
    /// A backend's own event, in its own words.
    Custom(CustomEvent),
}

/// What one envelope tells: one event, except for receipts, of which there is one for each cursor that moved. A cursor
/// that read is not told as delivered again, except beyond what was read. Then, when messages were looked up, what they
/// have got to for the first time.
pub fn client_events(envelope: &Envelope) -> Vec<Told> {
    let event = |name, fields| {
        vec![Told::Event(ClientEvent::new(name, fields).from(envelope.header.origin.as_ref()))]
    };
    let Envelope { conversation, header, event: happened } = envelope;
    match happened {
        Event::MessageCreated(message) => event(EventName::MessageCreated, message.view()),
        Event::MessageEdited(message) => event(EventName::MessageEdited, message.view()),
        Event::MessageDeleted(message) => event(EventName::MessageDeleted, message.view()),
        Event::ConversationCreated(now) => {
            event(EventName::ConversationCreated, conversation_event(envelope, now))
        }
        Event::ConversationUpdated(now) => {
            event(EventName::ConversationUpdated, conversation_event(envelope, now))
        }
        Event::ConversationDeleted(_) => event(EventName::ConversationDeleted, deleted(envelope)),
        Event::ParticipantAdded(change) => event(EventName::ParticipantAdded, participant(envelope, change)),
        Event::ParticipantRemoved(change) => {
            event(EventName::ParticipantRemoved, participant(envelope, change))
        }
        Event::ReactionUpdated(update) => {
            event(EventName::ReactionUpdated, update.view(conversation, header.version, header.at))
        }
        Event::CallStarted(call) => event(EventName::CallStarted, call.view()),
        Event::CallAnswered(call) => event(EventName::CallAnswered, call.view()),
        Event::CallEnded(call) => event(EventName::CallEnded, call.view()),
        Event::Custom(custom) => vec![Told::Custom(custom.clone())],
        Event::Receipts(receipts) => receipts_told(envelope, receipts).into_iter().map(Told::Event).collect(),
        Event::TypingStarted(by) => vec![Told::Event(typing_started(envelope, by))],
        Event::TypingStopped(by) => vec![Told::Event(typing_stopped(envelope, by))],
        Event::PresenceChanged(presence) => vec![Told::Event(presence_changed(presence))],
        Event::MemberJoined(who) => vec![Told::Event(member(EventName::MemberJoined, envelope, who))],
        Event::MemberLeft(who) => vec![Told::Event(member(EventName::MemberLeft, envelope, who))],
    }
}

fn conversation_event(envelope: &Envelope, conversation: &Conversation) -> Value {
    let Version { epoch, rev } = envelope.header.version;
    let mut view = conversation.view();
    if let Value::Object(fields) = &mut view {
        fields.insert("epoch".to_owned(), json!(epoch));
        fields.insert("offset".to_owned(), json!(rev));
    }
    view
}

fn deleted(envelope: &Envelope) -> Value {
    json!({
        "conversationId": envelope.conversation,
        "epoch": envelope.header.version.epoch,
        "offset": envelope.header.version.rev,
        "at": envelope.header.at,
    })
}

fn participant(envelope: &Envelope, change: &ParticipantChange) -> Value {
    json!({
        "conversationId": envelope.conversation,
        "participant": change.participant,
        "role": change.role,
        "epoch": envelope.header.version.epoch,
        "offset": envelope.header.version.rev,
        "at": envelope.header.at,
    })
}

fn receipts_told(envelope: &Envelope, receipts: &Receipts) -> Vec<ClientEvent> {
    let mut told: Vec<ClientEvent> =
        receipts.cursors.iter().flat_map(|cursor| receipt(envelope, receipts, cursor)).collect();
    for kind in [ReceiptKind::Delivered, ReceiptKind::Read] {
        let first = receipts.first(kind).into_iter();
        told.extend(first.map(|(cursor, messages)| message_status(envelope, kind, cursor, &messages)));
    }
    told
}

fn receipt<'a>(
    envelope: &'a Envelope,
    receipts: &'a Receipts,
    cursor: &'a Cursor,
) -> impl Iterator<Item = ClientEvent> {
    let told = |name, kind, message: Option<MessageId>, above| {
        let mut fields = json!({
            "conversationId": envelope.conversation,
            "userId": cursor.user,
            "seq": cursor.at(kind),
            "messageId": message,
            "at": envelope.header.at,
        });
        if let (Value::Object(fields), Some(_)) = (&mut fields, &receipts.before) {
            let messages: Vec<Value> = receipts.newly(cursor, kind, above).map(covered).collect();
            fields.insert("messages".to_owned(), Value::from(messages));
        }
        ClientEvent::new(name, fields).from(cursor.origin.as_ref())
    };
    let (delivered, read) = (ReceiptKind::Delivered, ReceiptKind::Read);
    let (delivered_at, read_at) = (cursor.delivered_message, cursor.read_message);
    let delivered = (cursor.delivered > cursor.read)
        .then(|| told(EventName::ReceiptDelivered, delivered, delivered_at, cursor.read));
    let read = (cursor.read > Seq(0)).then(|| told(EventName::ReceiptRead, read, read_at, Seq(0)));
    delivered.into_iter().chain(read)
}

fn covered(message: &Covered) -> Value {
    json!({"id": message.id, "seq": message.seq, "senderId": message.sender})
}

fn message_status(
    envelope: &Envelope,
    kind: ReceiptKind,
    cursor: &Cursor,
    messages: &[&Covered],
) -> ClientEvent {
    let status = match kind {
        ReceiptKind::Delivered => "delivered",
        ReceiptKind::Read => "read",
    };
    let fields = json!({
        "conversationId": envelope.conversation,
        "status": status,
        "userId": cursor.user,
        "at": envelope.header.at,
        "messages": messages.iter().map(|message| covered(message)).collect::<Vec<_>>(),
    });
    ClientEvent::new(EventName::MessageStatus, fields).from(cursor.origin.as_ref())
}

fn typing_started(envelope: &Envelope, by: &Typing) -> ClientEvent {
    let fields = json!({
        "conversationId": envelope.conversation,
        "userId": by.user.id,
        "user": by.user,
        "expiresInMs": by.expires_in_ms,
        "at": envelope.header.at,
    });
    ClientEvent::new(EventName::TypingStarted, fields).by(&by.user.id)
}

fn typing_stopped(envelope: &Envelope, by: &Typing) -> ClientEvent {
    let fields = json!({
        "conversationId": envelope.conversation,
        "userId": by.user.id,
        "user": by.user,
        "at": envelope.header.at,
    });
    ClientEvent::new(EventName::TypingStopped, fields).by(&by.user.id)
}

fn member(name: EventName, envelope: &Envelope, member: &Member) -> ClientEvent {
    let fields = json!({
        "conversationId": envelope.conversation,
        "userId": member.user.id,
        "user": member.user,
        "at": envelope.header.at,
    });
    ClientEvent::new(name, fields).by(&member.user.id)
}

/// Somebody's presence is another: his first socket `came`, his last one `went`, or he chose another `status`, which can be
/// to look offline.
pub fn presence_changed(presence: &Presence) -> ClientEvent {
    let reason = match (presence.connected, &presence.session) {
        (false, _) => "went",
        (true, Some(_)) => "came",
        (true, None) => "status",
    };
    let mut fields = presence.view();
    if let Value::Object(fields) = &mut fields {
        fields.insert("reason".to_owned(), json!(reason));
    }
    let event = ClientEvent::new(EventName::PresenceChanged, fields).by(&presence.user);
    ClientEvent { news: Some(News::of(presence)), ..event }
}

/// What a socket is told when it is connected.
#[derive(Debug)]
pub struct Ready<'a> {
    /// Whose it is.
    pub user: &'a Profile,
    /// What it is called in events.
    pub session: &'a SessionId,
    /// What its own client calls it. Nobody else may know it: who does could speak for the client on polling.
    pub socket: &'a str,
    /// The conversation that it means when it names none; it is in it.
    pub conversation: Option<&'a ConversationId>,
    /// What the user is: there, when the application said so, else in general.
    pub role: Option<&'a str>,
    /// What it speaks.
    pub dialect: &'a str,
    /// How often it is pinged.
    pub ping_interval: Option<Duration>,
}

/// The socket is connected.
pub fn session_ready(ready: &Ready<'_>) -> ClientEvent {
    let interval = |interval: Duration| u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
    let fields = json!({
        "userId": ready.user.id,
        "sessionId": ready.session.as_str(),
        "socketId": ready.socket,
        "user": ready.user,
        "role": ready.role,
        "conversationId": ready.conversation,
        "dialect": ready.dialect,
        "pingIntervalMs": ready.ping_interval.map(interval),
    });
    ClientEvent::new(EventName::SessionReady, fields)
}

/// The socket's token ends at `expires_at`, in `remaining`.
pub fn session_expiring(expires_at: Timestamp, remaining: Duration) -> ClientEvent {
    let fields = json!({
        "expiresAt": expires_at,
        "expiresInMs": u64::try_from(remaining.as_millis()).unwrap_or(u64::MAX),
    });
    ClientEvent::new(EventName::SessionExpiring, fields)
}

/// A user is notified.
pub fn notified(notification: &Notification) -> ClientEvent {
    ClientEvent::new(EventName::NotificationCreated, notification.view())
}

/// Something happened in a conversation of the user's.
pub fn active(activity: &Activity) -> ClientEvent {
    ClientEvent::new(EventName::ConversationActivity, activity.view())
}

/// Messages of the user's have arrived with somebody: one event each.
pub fn messages_delivered(delivered: &DeliveredMessages) -> impl Iterator<Item = ClientEvent> {
    delivered.messages.iter().map(|message| {
        let fields = json!({
            "messageId": message,
            "conversationId": delivered.conversation,
            "userId": delivered.to,
            "at": Timestamp(delivered.at_ms),
        });
        ClientEvent::new(EventName::MessageDelivered, fields)
    })
}

/// Another client of a call says something.
pub fn signalled(signal: &CallSignal) -> ClientEvent {
    ClientEvent::new(EventName::CallSignal, signal.view())
}

/// How far an upload has come.
pub fn uploading(progress: &UploadProgress) -> ClientEvent {
    ClientEvent::new(EventName::UploadProgress, progress.view())
}

/// An upload is stored.
pub fn uploaded(upload: &Upload) -> ClientEvent {
    ClientEvent::new(EventName::UploadCompleted, upload.view())
}

/// Events of the conversation were missed for good; `version` is where it stands now.
pub fn resync(conversation: &ConversationId, version: Version) -> ClientEvent {
    let fields = json!({
        "conversationId": conversation,
        "epoch": version.epoch,
        "offset": version.rev,
    });
    ClientEvent::new(EventName::Resync, fields)
}

/// The socket gets the conversation's events no longer, for a reason of a stable word (`removed`).
pub fn conversation_left(conversation: &ConversationId, reason: &str) -> ClientEvent {
    let fields = json!({"conversationId": conversation, "reason": reason});
    ClientEvent::new(EventName::ConversationLeft, fields)
}

#[cfg(test)]
mod tests;
