//! Notifies the participants of messages: makes notifications of the jobs that stand beside messages, and tells users of
//! new ones.
//!
//! The two are apart: whatever happens between them, a notification that is stored is announced by whichever worker
//! comes next. So each is announced at least once.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use futures_util::{StreamExt, TryStreamExt, stream};
use parlance_broker::{Broker, BrokerError, members::Members};
use parlance_domain::{
    id::{ConversationId, MessageId, NotificationId, UserId},
    notification::Notification,
    user_event::UserEvent,
};
use parlance_store::{
    Store, StoreError,
    notification::{announcement, job::NotificationJob},
};
use serde_json::Value;

use crate::metrics;

/// How many jobs, or announcements, at a time.
const BATCH: u32 = 200;
/// How many notifications one transaction makes, plus at the most those of one message.
const NOTIFICATIONS: u64 = 5_000;
/// How many batches one run works on.
const BATCHES_A_RUN: u32 = 10;
/// How many questions are asked at the same time.
const IN_FLIGHT: usize = 16;
/// How many messages are read at the same time, of the pool's connections.
const READS: usize = 2;
/// A message whose view is larger, in bytes, is not part of its announcements: each user gets one.
const MAX_VIEW_BYTES: usize = 64 * 1024;

/// Notifies participants.
pub(crate) struct Notifier {
    broker: Broker,
    store: Store,
    members: Members,
}

/// Why not everything could be done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotifyError {
    #[error(transparent)]
    Broker(#[from] BrokerError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

type WhoIsHere = HashMap<ConversationId, HashSet<UserId>>;

impl Notifier {
    pub(crate) fn new(broker: Broker, store: Store) -> Self {
        Self { members: Members::new(broker.clone()), broker, store }
    }

    /// Makes notifications of jobs, oldest first, and says how many jobs that were.
    pub(crate) async fn make(self: Arc<Self>) -> Result<u64, NotifyError> {
        let mut done = 0;
        for _ in 0..BATCHES_A_RUN {
            let jobs = self.store.notification_jobs(BATCH).await?;
            let is_last = jobs.len() < BATCH as usize;
            let jobs = bounded(jobs);
            if jobs.is_empty() {
                break;
            }
            let (here, unknown) = self.who_is_here(&jobs).await;
            // Of whom it is not known whether they are here is decided later, and not guessed. That goes for those too
            // who are notified either way: which of their clients are told depends on it.
            let known = |job: &NotificationJob| {
                job.conversation.as_ref().is_none_or(|conversation| here.contains_key(conversation))
            };
            let ready: Vec<NotificationJob> = jobs.into_iter().filter(known).collect();
            if !ready.is_empty() {
                let made = self.store.make_notifications(&ready, &here).await?;
                metrics::counter(&metrics::NOTIFICATIONS).increment(made);
                done += ready.len() as u64;
            }
            unknown?;
            if is_last {
                break;
            }
        }
        Ok(done)
    }

    /// Who is in the conversations of jobs, and the first failure to find out.
    async fn who_is_here(&self, jobs: &[NotificationJob]) -> (WhoIsHere, Result<(), BrokerError>) {
        let conversations: HashSet<ConversationId> =
            jobs.iter().filter_map(|job| job.conversation.clone()).collect();
        let ask = |conversation: ConversationId| async move {
            let users = self.members.users(&conversation).await;
            (conversation, users)
        };
        let answers: Vec<_> =
            stream::iter(conversations).map(ask).buffer_unordered(IN_FLIGHT).collect().await;
        let (mut here, mut unknown) = (HashMap::new(), Ok(()));
        for (conversation, users) in answers {
            match users {
                Ok(users) => {
                    here.insert(conversation, users);
                }
                Err(error) => unknown = unknown.and(Err(error)),
            }
        }
        (here, unknown)
    }

    /// Tells users of new notifications, oldest first, and says of how many.
    pub(crate) async fn announce(self: Arc<Self>) -> Result<u64, NotifyError> {
        let mut announced = 0;
        for _ in 0..BATCHES_A_RUN {
            let mut notifications = self.store.unannounced_notifications(BATCH).await?;
            if notifications.is_empty() {
                break;
            }
            self.attach_messages(&mut notifications).await?;
            // Not found out while the rows are locked.
            self.broker.ping().await?;
            let is_last = notifications.len() < BATCH as usize;
            let (count, failure) = self.announce_these(notifications).await?;
            metrics::counter(&metrics::NOTIFICATIONS_ANNOUNCED).increment(count);
            announced += count;
            failure?;
            if is_last {
                break;
            }
        }
        Ok(announced)
    }

    /// How many were announced, and what kept the rest from it.
    async fn announce_these(
        &self,
        notifications: Vec<Notification>,
    ) -> Result<(u64, Result<(), BrokerError>), StoreError> {
        let ids: Vec<NotificationId> = notifications.iter().map(|notification| notification.id).collect();
        self.store
            .transaction("announce_notifications", async |connection| {
                let claimed: HashSet<NotificationId> =
                    announcement::claim(connection, &ids).await?.into_iter().collect();
                let ours =
                    notifications.into_iter().filter(|notification| claimed.contains(&notification.id));
                let publish = |notification| self.publish(notification);
                let mut outcomes = stream::iter(ours).map(publish).buffered(IN_FLIGHT);
                let (mut announced, mut failure) = (Vec::new(), Ok(()));
                while let Some(outcome) = outcomes.next().await {
                    match outcome {
                        Ok(id) => announced.push(id),
                        Err(error) => {
                            failure = Err(error);
                            break;
                        }
                    }
                }
                announcement::mark(connection, &announced).await?;
                Ok((announced.len() as u64, failure))
            })
            .await
    }

    async fn publish(&self, notification: Notification) -> Result<NotificationId, BrokerError> {
        let (id, user) = (notification.id, notification.user.clone());
        self.broker.publish_to_user(&user, &UserEvent::Notification(Box::new(notification))).await?;
        Ok(id)
    }

    /// Fills in the messages that notifications are about, as they are now.
    async fn attach_messages(&self, notifications: &mut [Notification]) -> Result<(), StoreError> {
        let ids: HashSet<MessageId> =
            notifications.iter().filter_map(|notification| notification.message_id).collect();
        let read = |id: MessageId| async move {
            let message = self.store.message(id).await?;
            Ok::<_, StoreError>((id, message.map(|message| message.view())))
        };
        let views: HashMap<MessageId, Option<Value>> =
            stream::iter(ids).map(read).buffer_unordered(READS).try_collect().await?;
        let views: HashMap<MessageId, Value> =
            views.into_iter().filter_map(|(id, view)| Some((id, view.filter(is_small)?))).collect();
        for notification in notifications {
            notification.message = notification.message_id.and_then(|id| views.get(&id).cloned());
        }
        Ok(())
    }
}

/// As many of the jobs as one transaction may work on, at least one.
fn bounded(jobs: Vec<NotificationJob>) -> Vec<NotificationJob> {
    let mut before = 0;
    let fits = |job: &NotificationJob| {
        let fits = before < NOTIFICATIONS;
        before += job.participants;
        fits
    };
    jobs.into_iter().take_while(fits).collect()
}

fn is_small(view: &Value) -> bool {
    view.to_string().len() <= MAX_VIEW_BYTES
}

#[cfg(test)]
mod tests {
    use parlance_domain::notification::{NotificationText, NotifyPolicy};

    use super::*;

    #[test]
    fn a_transaction_is_bounded_and_always_gets_on() {
        let job = |participants| NotificationJob {
            message: MessageId::new(1, [0; 8], 0),
            policy: NotifyPolicy::Always,
            conversation: None,
            text: NotificationText::excerpt("x"),
            participants,
        };
        let taken = |of: &[u64]| bounded(of.iter().copied().map(job).collect()).len();
        assert_eq!(taken(&[]), 0);
        assert_eq!(taken(&[100_000, 1]), 1);
        assert_eq!(taken(&[4_999, 100_000, 1]), 2);
        assert_eq!(taken(&[1; 200]), 200);
    }
}
