//! Tells participants of conversations in which something happened, wherever they are: how it is now, with its newest
//! message.
//!
//! What happens while a conversation waits is told at once. Participants are told at least once of the last that
//! happened: a worker that dies leaves its conversations to others.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use parlance_broker::{Broker, BrokerError};
use parlance_domain::{
    conversation::{Activity, Conversation},
    message::{Content, Message},
    notification::NotificationText,
    user_event::UserEvent,
};
use parlance_store::{Store, StoreError, conversation::activity::ActiveConversation};

use crate::metrics;

/// How many conversations at a time.
const BATCH: u32 = 50;
/// How many batches one run works on.
const BATCHES_A_RUN: u32 = 10;
/// How many conversations are read and told of at the same time, of the pool's connections.
const CONVERSATIONS: usize = 2;
/// A newest message whose view is larger, in bytes, is told with the beginning of its content and without the rest.
const MAX_VIEW_BYTES: usize = 16 * 1024;

/// Tells of conversations.
pub(crate) struct Teller {
    broker: Broker,
    store: Store,
}

/// Why not everything could be done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TellError {
    #[error(transparent)]
    Broker(#[from] BrokerError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Teller {
    pub(crate) fn new(broker: Broker, store: Store) -> Self {
        Self { broker, store }
    }

    /// Tells of the conversations that wait longest, and says of how many.
    pub(crate) async fn tell(self: Arc<Self>) -> Result<u64, TellError> {
        let mut told = 0;
        for _ in 0..BATCHES_A_RUN {
            let active = self.store.take_active(BATCH).await?;
            let is_last = active.len() < BATCH as usize;
            let tell = |active| self.tell_of(active);
            let mut outcomes = stream::iter(active).map(tell).buffer_unordered(CONVERSATIONS);
            let mut failure = Ok(());
            while let Some(outcome) = outcomes.next().await {
                match outcome {
                    Ok(()) => told += 1,
                    Err(error) => failure = failure.and(Err(error)),
                }
            }
            failure?;
            if is_last {
                break;
            }
        }
        Ok(told)
    }

    async fn tell_of(&self, active: ActiveConversation) -> Result<(), TellError> {
        match self.publish(&active).await {
            Ok(()) => Ok(self.store.told_of_activity(&active).await?),
            Err(error) => {
                if let Err(error) = self.store.release_activity(&active).await {
                    tracing::debug!(%error, "cannot release a conversation: others may take it when time is over");
                }
                Err(error)
            }
        }
    }

    async fn publish(&self, active: &ActiveConversation) -> Result<(), TellError> {
        let Some((conversation, last)) = self.store.conversation_now(&active.conversation).await? else {
            return Ok(());
        };
        let participants = conversation.participants.clone();
        let event = UserEvent::ConversationActivity(Box::new(activity(conversation, last)));
        let count = self.broker.publish_to_users(&participants, &event).await?;
        metrics::counter(&metrics::ACTIVITY_TOLD).increment(count);
        Ok(())
    }
}

fn activity(conversation: Conversation, last: Option<Message>) -> Activity {
    let said_at = last.as_ref().map(|message| message.created_at.0);
    let changed_at = conversation.updated_at_ms.unwrap_or(conversation.created_at_ms);
    Activity {
        last_message: last.map(|message| short(message).view()),
        active_at_ms: said_at.unwrap_or_default().max(changed_at),
        conversation,
    }
}

/// The message itself, or the beginning of one that is too large for everybody.
fn short(mut message: Message) -> Message {
    if message.view().to_string().len() > MAX_VIEW_BYTES {
        let excerpt = NotificationText::excerpt(message.body.content.as_str());
        message.body.content = Content::gone();
        if let Ok(content) = Content::new(excerpt.as_str().to_owned()) {
            message.body.content = content;
        }
        message.body.attachments = Default::default();
        message.body.metadata = Default::default();
    }
    message
}
