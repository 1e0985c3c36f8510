//! What travels on a user's channel, to all of his sockets, whatever they have joined. It is for those who are
//! connected now: what must be found again later (notifications) is stored as well.

use serde::{Deserialize, Serialize};

use crate::{
    call::CallSignal,
    conversation::Activity,
    custom::CustomEvent,
    entry::{EntryError, Envelope, Header},
    id::{ConversationId, MessageId, UserId},
    notification::Notification,
    upload::{Upload, UploadProgress},
};

/// An event of a user's channel, as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum UserEvent {
    /// The user is told something.
    Notification(Box<Notification>),
    /// A backend's own event.
    Custom(CustomEvent),
    /// Another client of a call.
    CallSignal(Box<CallSignal>),
    /// An event of one of the user's conversations, for those of his sockets that have not joined it.
    Conversation(ConversationEvent),
    /// Something was said in one of the user's conversations, or it or who takes part in it was changed.
    ConversationActivity(Box<Activity>),
    /// Messages of the user's have arrived with somebody for the first time.
    MessagesDelivered(DeliveredMessages),
    /// An upload of the user's goes on.
    UploadProgress(UploadProgress),
    /// An upload of the user's is stored.
    UploadCompleted(Box<Upload>),
    /// The user's sockets are to be disconnected for good, by an operator.
    Disconnect,
    /// The user's tokens that were issued before this moment are revoked, in milliseconds since the Unix epoch. It
    /// stands in Redis as well: whoever does not hear this reads it there.
    Revoked {
        /// The moment.
        before: i64,
    },
}

/// Messages that have arrived with somebody other than their author for the first time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveredMessages {
    /// The conversation that they are in.
    pub conversation: ConversationId,
    /// Which.
    pub messages: Vec<MessageId>,
    /// With whom.
    pub to: UserId,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: i64,
}

/// An event of a conversation as its own channel has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationEvent {
    /// Which conversation.
    pub conversation: ConversationId,
    /// The header, one line.
    pub header: String,
    /// The body, as JSON text.
    pub body: String,
}

impl ConversationEvent {
    /// What the event says.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn decode(self) -> Result<Envelope, EntryError> {
        Envelope::decode(self.conversation, Header::parse(&self.header)?, &self.body)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_reads_back() {
        for event in [
            UserEvent::Custom(CustomEvent::new("a".to_owned(), json!([1])).unwrap()),
            UserEvent::Disconnect,
            UserEvent::Revoked { before: 1_800_000_000_007 },
            UserEvent::MessagesDelivered(DeliveredMessages {
                conversation: ConversationId::new("c").unwrap(),
                messages: vec![MessageId::new(1, [0; 8], 0)],
                to: UserId::new("u").unwrap(),
                at_ms: 5,
            }),
            UserEvent::Conversation(ConversationEvent {
                conversation: ConversationId::new("c").unwrap(),
                header: "participant.added 1 2 0 5 -".to_owned(),
                body: "{}".to_owned(),
            }),
        ] {
            let text = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<UserEvent>(&text).unwrap(), event);
        }
    }
}
