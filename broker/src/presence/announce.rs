//! Telling conversations of the presence of those who are in them, at least once.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt, TryStreamExt, stream};
use parlance_domain::{
    entry::Header,
    event::EventKind,
    id::{ConversationId, UserId},
};

use super::{Presences, Step, Transition, answer};
use crate::{error::BrokerError, partition::Partition};

/// How many conversations are told at the same time.
const TOLD_AT_ONCE: usize = 64;
/// How many announcements are taken up at the same time.
const TAKEN_AT_ONCE: usize = 16;

impl Presences {
    /// Tells the conversations of a transition, and notes that this was done. Receivers know a presence that they have
    /// been told of already by its time.
    ///
    /// # Errors
    /// When Redis is away; then a worker will do it.
    pub async fn announce(&self, transition: &Transition) -> Result<(), BrokerError> {
        let Transition { presence, conversations } = transition;
        // It was never among the unannounced ones.
        if conversations.is_empty() {
            return Ok(());
        }
        let body = serde_json::to_string(presence);
        let body = body.map_err(|error| BrokerError::Unexpected(error.to_string()))?;
        let header = Header::transient(EventKind::PresenceChanged, presence.at, None);
        self.tell(conversations, &header, &body).await?;
        let (names, user) = (self.broker.keys(), &presence.user);
        let partition = names.partitions().of(user.as_str());
        let keys = vec![names.presence(user), names.visits(user), names.unannounced(partition)];
        let arguments = vec![user.as_str().to_owned(), presence.at.0.to_string()];
        let answer = self.run(&self.scripts.announced, keys, arguments).await?;
        match answer.first().map(String::as_str) {
            Some("ok" | "newer") => Ok(()),
            _ => Err(answer::unexpected(&answer)),
        }
    }

    /// Publishes in each conversation. Where a partition is away, those of the others are told all the same.
    ///
    /// # Errors
    /// When Redis, or a part of it, is away.
    async fn tell(
        &self,
        conversations: &[ConversationId],
        header: &Header,
        body: &str,
    ) -> Result<(), BrokerError> {
        // One failure of a partition is enough: each takes as long as Redis may take to answer.
        let failed: &Mutex<HashMap<Partition, BrokerError>> = &Mutex::default();
        let lock = || failed.lock().unwrap_or_else(PoisonError::into_inner);
        let publish = |conversation: &ConversationId| {
            let (conversation, partition) =
                (conversation.clone(), self.broker.keys().partitions().of(conversation.as_str()));
            async move {
                let is_away = lock().contains_key(&partition);
                if !is_away && let Err(error) = self.broker.publish(&conversation, header, body).await {
                    lock().insert(partition, error);
                }
            }
        };
        let published: Vec<_> = conversations.iter().map(publish).collect();
        stream::iter(published).buffer_unordered(TOLD_AT_ONCE).collect::<()>().await;
        let first = lock().drain().next();
        first.map_or(Ok(()), |(_, error)| Err(error))
    }

    /// Transitions of a partition that have not been announced for at least `age`, at most `most`. Each is also published
    /// again for everybody, and is not among them again before another `age` is over. One that cannot be read is passed
    /// over.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn unannounced(
        &self,
        partition: Partition,
        age: Duration,
        most: u64,
    ) -> Result<Vec<Transition>, BrokerError> {
        let keys = vec![self.broker.keys().unannounced(partition)];
        let arguments = vec![age.as_millis().to_string(), most.to_string()];
        let users = self.run(&self.scripts.waiting, keys, arguments).await?;
        let transitions = stream::iter(users).map(|name| async move {
            let taken = match answer::user(&name) {
                Ok(user) => self.take_up(partition, user).await,
                Err(error) => Err(error),
            };
            match taken {
                // The others are not held up by one that cannot be read.
                Err(error) if !error.is_retryable() => {
                    tracing::warn!(%error, user = name, "a presence cannot be announced");
                    Ok(None)
                }
                taken => taken,
            }
        });
        let transitions: Vec<Option<Transition>> = transitions.buffered(TAKEN_AT_ONCE).try_collect().await?;
        Ok(transitions.into_iter().flatten().collect())
    }

    async fn take_up(&self, partition: Partition, user: UserId) -> Result<Option<Transition>, BrokerError> {
        let names = self.broker.keys();
        let keys = vec![names.presence(&user), names.visits(&user), names.unannounced(partition)];
        let arguments = vec![names.presence_channel(partition), user.as_str().to_owned()];
        let answer = self.run(&self.scripts.again, keys, arguments).await?;
        Ok(match answer::step(&user, &answer)? {
            Some(Step::Moved(transition)) => Some(transition),
            Some(Step::Same(_)) | None => None,
        })
    }
}
