//! Removes the clients of gateways that are gone: users who are connected nowhere else go offline, and leave the
//! conversations that they were in.
//!
//! Workers compete, and one that ends half way is followed by the next: each user and each conversation is one script,
//! which finds out what is to be told, and a lease is forgotten only when nothing stands under it any more.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use parlance_broker::{
    Broker, BrokerError,
    lease::{LeaseId, Leases, Registration},
    members::Members,
    partition::Partition,
    presence::Presences,
};
use parlance_chassis::config::sections::PresenceSection;
use parlance_domain::id::{ConversationId, UserId};
use rand::seq::SliceRandom;
use tokio::time::Instant;

use crate::{
    metrics,
    task::presence::{Outcome, each},
};

/// How many registrations are read at a time.
const BATCH: u64 = 200;

/// Removes what dead gateways left.
pub(crate) struct Sweeper {
    broker: Broker,
    leases: Leases,
    presences: Presences,
    members: Members,
    ttl: Duration,
    announced_members: u64,
}

/// What one run has done.
#[derive(Default)]
struct Run {
    removed: HashMap<LeaseId, Removed>,
    /// The first thing that kept something from being removed.
    failure: Option<BrokerError>,
    /// Some conversation could not be told: the rest is left to the announcer, who removes nobody and may wait.
    is_silent: AtomicBool,
}

#[derive(Default)]
struct Removed {
    users: u64,
    conversations: u64,
}

impl Sweeper {
    pub(crate) fn new(broker: Broker, presence: &PresenceSection) -> Self {
        Self {
            leases: Leases::new(broker.clone()),
            presences: Presences::new(broker.clone()),
            members: Members::new(broker.clone()),
            broker,
            ttl: presence.ttl,
            announced_members: presence.announced_members,
        }
    }

    /// Removes some of what stands under expired leases, and says how much that was. What fails does not hold up the
    /// rest.
    pub(crate) async fn sweep(self: Arc<Self>) -> Result<u64, BrokerError> {
        let mut run = Run::default();
        self.sweep_partitions(&mut run).await;
        run.report();
        match run.failure {
            Some(failure) => Err(failure),
            None => Ok(run.removed.values().map(|removed| removed.users + removed.conversations).sum()),
        }
    }

    /// A partition that is away does not hold up the others.
    async fn sweep_partitions(&self, run: &mut Run) {
        // All are asked before anything is removed: where nobody asks for a while, nobody is removed for a longer one.
        let mut expired = self.expired(run).await;
        metrics::gauge(&metrics::PRESENCE_EXPIRED_LEASES).set(expired.len() as f64);
        // So workers seldom meet, and nothing that takes long stands in the way of the rest for good.
        expired.shuffle(&mut rand::rng());
        let end = Instant::now() + self.ttl / 8;
        let mut away = HashSet::new();
        for (partition, lease) in &expired {
            if !away.contains(partition)
                && let Err(failure) = self.sweep_lease(*partition, lease, end, run).await
            {
                away.insert(*partition);
                run.note(failure);
            }
        }
    }

    /// The expired leases of all partitions, which are asked at the same time. One that is away is waited for only so long
    /// that the others are asked again before they count as having been away too.
    async fn expired(&self, run: &mut Run) -> Vec<(Partition, LeaseId)> {
        let ask = async |partition| (partition, self.leases.expired(partition, self.ttl).await);
        let asked: FuturesUnordered<_> = self.broker.keys().partitions().all().map(ask).collect();
        let mut silent = asked.len();
        let mut answers = std::pin::pin!(asked.take_until(tokio::time::sleep(self.ttl / 8)));
        let mut expired = Vec::new();
        while let Some((partition, answer)) = answers.next().await {
            silent -= 1;
            match answer {
                Ok(leases) => expired.extend(leases.into_iter().map(|lease| (partition, lease))),
                Err(failure) => run.note(failure),
            }
        }
        if silent > 0 {
            run.note(BrokerError::Unavailable(format!("{silent} partitions do not answer in time")));
        }
        expired
    }

    /// An error is that the partition is away; others are noted in `run`.
    async fn sweep_lease(
        &self,
        partition: Partition,
        lease: &LeaseId,
        end: Instant,
        run: &mut Run,
    ) -> Result<(), BrokerError> {
        while Instant::now() < end {
            let registrations = self.leases.registrations(partition, lease, BATCH).await?;
            if registrations.is_empty() {
                return self.leases.forget(partition, lease).await;
            }
            if self.expel(lease, registrations, run).await? == 0 {
                break;
            }
        }
        Ok(())
    }

    /// How much was removed.
    async fn expel(
        &self,
        lease: &LeaseId,
        registrations: Vec<Registration>,
        run: &mut Run,
    ) -> Result<u64, BrokerError> {
        let (users, conversations) = split(registrations);
        let went = each(users, |user| self.expel_user(lease, user, &run.is_silent)).await;
        let left = match went.is_outage {
            true => Outcome::default(),
            false => each(conversations, |conversation| self.expel_members(lease, conversation)).await,
        };
        metrics::presence_expelled("users").increment(went.done);
        metrics::presence_expelled("rooms").increment(left.done);
        let removed = run.removed.entry(lease.clone()).or_default();
        removed.users += went.done;
        removed.conversations += left.done;
        let done = went.done + left.done;
        for outcome in [went, left] {
            if let Some(failure) = outcome.failure {
                if outcome.is_outage {
                    return Err(failure);
                }
                run.note(failure);
            }
        }
        Ok(done)
    }

    async fn expel_user(
        &self,
        lease: &LeaseId,
        user: UserId,
        is_silent: &AtomicBool,
    ) -> Result<(), BrokerError> {
        let Some(transition) = self.presences.expel(lease, &user).await? else { return Ok(()) };
        // It stands among the unannounced ones.
        if is_silent.load(Ordering::Relaxed) {
            return Ok(());
        }
        match self.presences.announce(&transition).await {
            Ok(()) => metrics::counter(&metrics::PRESENCE_ANNOUNCED).increment(1),
            // The conversations may be in another partition, which is away.
            Err(error) => {
                is_silent.store(true, Ordering::Relaxed);
                tracing::debug!(%error, %user, "failed to announce who was removed, left for later");
            }
        }
        Ok(())
    }

    async fn expel_members(&self, lease: &LeaseId, conversation: ConversationId) -> Result<(), BrokerError> {
        self.members.expel(lease, &conversation, self.announced_members).await
    }
}

impl Run {
    fn note(&mut self, failure: BrokerError) {
        self.failure.get_or_insert(failure);
    }

    /// Tells operators what was removed, and of which gateways.
    fn report(&self) {
        for (lease, Removed { users, conversations }) in &self.removed {
            let (gateway, lease) = (lease.gateway(), lease.as_str());
            tracing::info!(gateway, lease, users, conversations, "removed clients of a gateway that is gone");
        }
    }
}

fn split(registrations: Vec<Registration>) -> (Vec<UserId>, Vec<ConversationId>) {
    let (mut users, mut conversations) = (Vec::new(), Vec::new());
    for registration in registrations {
        match registration {
            Registration::User(user) => users.push(user),
            Registration::Conversation(conversation) => conversations.push(conversation),
        }
    }
    (users, conversations)
}
