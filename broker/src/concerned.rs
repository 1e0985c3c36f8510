//! Telling those concerned: what happens to a conversation is also published on the channels of the users whom it is
//! about, for those of their sockets that have not joined it. The event itself has its place by then; this is for who is
//! there now, and may come twice.

use std::time::Duration;

use fred::{interfaces::PubsubInterface, types::Value};
use futures_util::{StreamExt, stream};
use parlance_domain::{
    event::Event,
    id::UserId,
    user_event::{ConversationEvent, UserEvent},
};
use tokio::time::timeout;

use crate::{broker::Broker, error::BrokerError, metrics::begin};

/// How many publications are under way at once.
const IN_FLIGHT: usize = 64;
/// How many bytes one event may take on all channels together.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// How long one event may take.
const DEADLINE: Duration = Duration::from_secs(2);

impl Broker {
    /// Tells those whom an event concerns: of a conversation those who take part, of a participant himself. Of other
    /// events nobody. What could not be told is logged: whoever is concerned finds it in his list of conversations.
    pub async fn tell_concerned(&self, event: ConversationEvent) {
        let conversation = event.conversation.clone();
        match timeout(DEADLINE, self.try_tell(event)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, %conversation, "not everybody concerned was told of an event");
            }
            Err(_elapsed) => {
                tracing::warn!(%conversation, "not everybody concerned was told of an event in time");
            }
        }
    }

    async fn try_tell(&self, event: ConversationEvent) -> Result<(), BrokerError> {
        let unexpected = |error: &dyn std::fmt::Display| BrokerError::Unexpected(error.to_string());
        let envelope = event.clone().decode().map_err(|error| unexpected(&error))?;
        self.publish_to_users(concerned(&envelope.event), &UserEvent::Conversation(event)).await?;
        Ok(())
    }

    /// Publishes an event for the sockets of several users, and says for how many: one that is too large for all of them
    /// is only for the first ones, and that is logged.
    ///
    /// # Errors
    /// When Redis is away; then some may have been told.
    pub async fn publish_to_users(&self, users: &[UserId], event: &UserEvent) -> Result<u64, BrokerError> {
        let text = serde_json::to_string(event);
        let text = text.map_err(|error| BrokerError::Unexpected(error.to_string()))?;
        let affordable = MAX_BYTES / text.len().max(1);
        if users.len() > affordable {
            let told = affordable;
            tracing::warn!(
                told,
                concerned = users.len(),
                "an event is too large for everybody whom it concerns"
            );
        }
        // The text is shared by all publications.
        let text = Value::from(text);
        let publish = |user: &UserId| {
            let (channel, text) = (self.keys().user_channel(user), text.clone());
            async move { begin("publish_to_user").end(self.client().spublish::<i64, _, _>(channel, text).await) }
        };
        let mut published =
            stream::iter(users.iter().take(affordable)).map(publish).buffer_unordered(IN_FLIGHT);
        let mut count = 0;
        while let Some(outcome) = published.next().await {
            outcome?;
            count += 1;
        }
        Ok(count)
    }
}

fn concerned(event: &Event) -> &[UserId] {
    match event {
        Event::ConversationCreated(conversation) | Event::ConversationUpdated(conversation) => {
            &conversation.participants
        }
        Event::ConversationDeleted(deleted) => &deleted.participants,
        Event::ParticipantAdded(change) | Event::ParticipantRemoved(change) => {
            std::slice::from_ref(&change.participant.id)
        }
        Event::MessageCreated(_)
        | Event::MessageEdited(_)
        | Event::MessageDeleted(_)
        | Event::ReactionUpdated(_)
        | Event::CallStarted(_)
        | Event::CallAnswered(_)
        | Event::CallEnded(_)
        | Event::Custom(_)
        | Event::Receipts(_)
        | Event::TypingStarted(_)
        | Event::TypingStopped(_)
        | Event::PresenceChanged(_)
        | Event::MemberJoined(_)
        | Event::MemberLeft(_) => &[],
    }
}
