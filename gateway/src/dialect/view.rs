//! The canonical views: what events and replies look like before a dialect gives them its words. Their
//! fields, in camelCase, are those that templates can name.

use std::time::Duration;

use parlance_domain::{
    conversation::ParticipantChange,
    entry::Envelope,
    event::{Event, Typing},
    id::{ConversationId, SessionId},
    receipt::Cursor,
    user::Profile,
    version::{Seq, Version},
};
use serde_json::{Value, json};

use super::EventName;

pub mod reply;

/// An event for clients, in canonical words.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientEvent {
    /// What happened.
    pub name: EventName,
    /// The view, an object.
    pub fields: Value,
    /// The connection that it comes from, which is none of the others.
    pub origin: Option<SessionId>,
}

impl ClientEvent {
    fn new(name: EventName, fields: Value) -> Self {
        Self { name, fields, origin: None }
    }

    fn from(self, origin: Option<&SessionId>) -> Self {
        Self { origin: origin.cloned(), ..self }
    }
}

/// The client events of one envelope: one, except for receipts, of which there is one for each cursor that
/// moved. A cursor that read is not told as delivered again, except beyond what was read.
pub fn client_events(envelope: &Envelope) -> Vec<ClientEvent> {
    let origin = envelope.header.origin.as_ref();
    let one = |name, fields| vec![ClientEvent::new(name, fields).from(origin)];
    match &envelope.event {
        Event::MessageCreated(message) => one(EventName::MessageCreated, message.view()),
        Event::MessageEdited(message) => one(EventName::MessageEdited, message.view()),
        Event::MessageDeleted(message) => one(EventName::MessageDeleted, message.view()),
        Event::ConversationCreated(conversation) => {
            let Version { epoch, rev } = envelope.header.version;
            let mut view = conversation.view();
            if let Value::Object(fields) = &mut view {
                fields.insert("epoch".to_owned(), json!(epoch));
                fields.insert("offset".to_owned(), json!(rev));
            }
            one(EventName::ConversationCreated, view)
        }
        Event::ParticipantAdded(change) => one(EventName::ParticipantAdded, participant(envelope, change)),
        Event::ParticipantRemoved(change) => {
            one(EventName::ParticipantRemoved, participant(envelope, change))
        }
        Event::Receipts(cursors) => cursors.iter().flat_map(|cursor| receipts(envelope, cursor)).collect(),
        Event::TypingStarted(by) => one(EventName::TypingStarted, typing(envelope, by)),
        Event::TypingStopped(by) => one(EventName::TypingStopped, typing(envelope, by)),
    }
}

fn participant(envelope: &Envelope, change: &ParticipantChange) -> Value {
    json!({
        "conversationId": envelope.conversation,
        "participant": change.participant,
        "epoch": envelope.header.version.epoch,
        "offset": envelope.header.version.rev,
        "at": envelope.header.at,
    })
}

fn receipts(envelope: &Envelope, cursor: &Cursor) -> impl Iterator<Item = ClientEvent> {
    let told = |name, seq: Seq| {
        let fields = json!({
            "conversationId": envelope.conversation,
            "userId": cursor.user,
            "seq": seq,
            "at": envelope.header.at,
        });
        ClientEvent::new(name, fields).from(cursor.origin.as_ref())
    };
    let delivered =
        (cursor.delivered > cursor.read).then(|| told(EventName::ReceiptDelivered, cursor.delivered));
    let read = (cursor.read > Seq(0)).then(|| told(EventName::ReceiptRead, cursor.read));
    delivered.into_iter().chain(read)
}

fn typing(envelope: &Envelope, by: &Typing) -> Value {
    json!({
        "conversationId": envelope.conversation,
        "userId": by.user.id,
        "user": by.user,
        "at": envelope.header.at,
    })
}

/// The socket is connected: as whom, as which session, in which dialect, and how often it is pinged.
pub fn session_ready(
    user: &Profile,
    session: &SessionId,
    dialect: &str,
    ping_interval: Option<Duration>,
) -> ClientEvent {
    let interval = ping_interval.map(|interval| u64::try_from(interval.as_millis()).unwrap_or(u64::MAX));
    let fields = json!({
        "userId": user.id,
        "sessionId": session.as_str(),
        "user": user,
        "dialect": dialect,
        "pingIntervalMs": interval,
    });
    ClientEvent::new(EventName::SessionReady, fields)
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
