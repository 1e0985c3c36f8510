//! Notes at each user where he is, so that his presence is told there; and tells a conversation of the presence of
//! whoever has just come, unless he hides.

use std::{
    collections::HashMap,
    convert::Infallible,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::{StreamExt, stream};
use parlance_broker::{Broker, BrokerError, presence::Presences};
use parlance_chassis::lifecycle::CancellationToken;
use parlance_domain::{
    entry::Header,
    event::EventKind,
    id::{ConversationId, SessionId, UserId},
    presence::{Presence, Status},
};
use tokio::sync::Notify;

use super::{Attendance, IN_FLIGHT, PAUSE};

/// What is to be noted; cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Visits(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// Of each user in each conversation only the newest.
    pending: Mutex<HashMap<(ConversationId, UserId), Visit>>,
    changed: Notify,
}

/// What somebody does in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Visit {
    /// He has come: the conversation is told of his presence from now on.
    Begins,
    /// He has left: it is not told any more.
    Ends,
}

impl Visits {
    /// Lets something be noted.
    pub(super) fn note(&self, conversation: &ConversationId, user: UserId, visit: Visit) {
        self.lock().insert((conversation.clone(), user), visit);
        self.0.changed.notify_one();
    }

    /// Notes until `closing`.
    pub(super) async fn run(
        self,
        all: Attendance,
        broker: Broker,
        presences: Presences,
        closing: CancellationToken,
    ) -> Result<(), Infallible> {
        let run = async {
            let mut failed = false;
            loop {
                let pause = tokio::time::sleep(PAUSE);
                tokio::select! {
                    () = self.0.changed.notified() => {}
                    () = pause, if failed => {}
                }
                let pending = mem::take(&mut *self.lock());
                let step = |(place, visit)| self.step(&all, &broker, &presences, place, visit);
                let steps = stream::iter(pending).map(step).buffer_unordered(IN_FLIGHT);
                failed = steps.fold(false, async |failed, again| failed | again).await;
            }
        };
        tokio::select! {
            () = closing.cancelled() => Ok(()),
            never = run => never,
        }
    }

    /// True when it has to be done again, for which it is noted.
    async fn step(
        &self,
        all: &Attendance,
        broker: &Broker,
        presences: &Presences,
        (conversation, user): (ConversationId, UserId),
        visit: Visit,
    ) -> bool {
        let outcome = match visit {
            Visit::Ends => presences.leave(&user, &conversation).await.map(|()| true),
            Visit::Begins => match all.session(&conversation, &user) {
                Some(session) => begin(broker, presences, &conversation, &user, &session).await,
                // He has gone meanwhile.
                None => return false,
            },
        };
        let done = outcome.unwrap_or_else(|error| {
            tracing::debug!(%error, %conversation, "failed to note a visit, trying again");
            false
        });
        // One who has just connected may not be registered yet.
        if done {
            return false;
        }
        self.lock().entry((conversation, user)).or_insert(visit);
        true
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(ConversationId, UserId), Visit>> {
        self.0.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// False when the user's socket is not registered yet.
async fn begin(
    broker: &Broker,
    presences: &Presences,
    conversation: &ConversationId,
    user: &UserId,
    session: &SessionId,
) -> Result<bool, BrokerError> {
    let Some(presence) = presences.visit(user, session, conversation).await? else {
        return Ok(false);
    };
    // Of one who hides nobody is told that he came.
    if presence.status != Status::Offline {
        publish(broker, conversation, &presence).await?;
    }
    Ok(true)
}

async fn publish(
    broker: &Broker,
    conversation: &ConversationId,
    presence: &Presence,
) -> Result<(), BrokerError> {
    let header = Header::transient(EventKind::PresenceChanged, presence.at, None);
    let body = serde_json::to_string(presence).map_err(|error| BrokerError::Unexpected(error.to_string()))?;
    broker.publish(conversation, &header, &body).await
}
