//! Appends what a crash left in the outbox: the event of a change that is committed in Postgres. Those concerned are told
//! then, as the gateway would have told them.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use parlance_broker::{
    Broker, BrokerError,
    append::{Append, Appended, Appender, Floors},
};
use parlance_domain::{id::ConversationId, user_event::ConversationEvent};
use parlance_store::{
    Store, StoreError,
    outbox::{FlushError, OutboxRow},
};

/// How often it is looked at.
pub(crate) const EVERY: Duration = Duration::from_secs(2);

/// How long an event waits before nobody else can be about to append it.
const STALE: Duration = Duration::from_secs(5);

/// How many conversations at a time.
const CONVERSATIONS: u32 = 100;

/// Finishes what a crash left.
pub(crate) struct Finisher {
    broker: Broker,
    store: Store,
    appender: Appender,
}

/// Why the outbox could not be finished.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutboxError {
    #[error(transparent)]
    Broker(#[from] BrokerError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the append script answered {0:?} to an event of the outbox")]
    Refused(Appended),
}

impl Finisher {
    pub(crate) fn new(broker: Broker, store: Store, appender: Appender) -> Self {
        Self { broker, store, appender }
    }

    /// Appends the events that wait too long, and says how many they were. A conversation that fails does not hold
    /// up the others.
    pub(crate) async fn finish(self: Arc<Self>) -> Result<u64, OutboxError> {
        let mut finished = 0;
        let mut failure = Ok(());
        for conversation in self.store.stale_outbox(STALE, CONVERSATIONS).await? {
            let placed = Mutex::default();
            // Whether anybody is told of it wherever he is was for the one who died to say. Noted before the event leaves
            // the outbox: until then it is found again.
            if let Err(error) = self.store.note_activity(&conversation).await {
                failure = Err(error.into());
                continue;
            }
            let outcome = self.store.flush_outbox(&conversation, |row| self.append(row, &placed)).await;
            let placed: Vec<_> = mem::take(&mut *placed.lock().unwrap_or_else(PoisonError::into_inner));
            for event in placed {
                self.broker.tell_concerned(event).await;
            }
            match outcome {
                Ok(appended) => {
                    tracing::info!(%conversation, appended, "appended what a crash left in the outbox");
                    finished += appended as u64;
                }
                Err(FlushError::Append(error)) => failure = Err(error),
                Err(FlushError::Store(error)) => failure = Err(error.into()),
            }
        }
        failure.map(|()| finished)
    }

    /// Appends an event, and notes it among those that have their place.
    async fn append(
        &self,
        row: OutboxRow,
        placed: &Mutex<Vec<ConversationEvent>>,
    ) -> Result<(), OutboxError> {
        let OutboxRow { id, conversation, kind, body, origin, .. } = row;
        let append = Append::from_outbox(self.broker.keys(), id, conversation, kind, body, origin);
        match self.appender.append(&append, || self.floors(&append.conversation)).await? {
            Appended::Now(header) | Appended::Before { header, .. } => {
                let Append { conversation, body, .. } = append;
                let event = ConversationEvent { conversation, header: header.to_string(), body };
                placed.lock().unwrap_or_else(PoisonError::into_inner).push(event);
                Ok(())
            }
            refused @ (Appended::Reauthorize(_) | Appended::Stale | Appended::Overloaded) => {
                Err(OutboxError::Refused(refused))
            }
        }
    }

    async fn floors(&self, conversation: &ConversationId) -> Result<Floors, OutboxError> {
        let stored = self.store.heads(conversation).await?.unwrap_or_default();
        Ok(Floors { stored, ..Floors::default() })
    }
}
