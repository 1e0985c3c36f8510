//! Who is connected, on whatever gateway, and what others see of it.
//!
//! A user's sessions stand in Redis under the leases of their gateways. Each step is one script, which finds out
//! whether the user's presence is another after it, numbers the transition by the time of Redis, and publishes it for
//! everybody on the partition's presence channel. The conversations that he has been in since he came are told by whoever
//! made the step ([`Presences::announce`]); until that was done the transition stands among the unannounced ones, where
//! a worker finds it. So it is announced at least once.

mod announce;
mod answer;
mod read;
mod scripts;

use std::sync::Arc;

use parlance_domain::{
    id::{ConversationId, SessionId, UserId},
    presence::{Presence, Status},
    time::Timestamp,
};

use self::scripts::Scripts;
use crate::{
    broker::Broker,
    error::BrokerError,
    lease::LeaseId,
    partition::Partition,
    script::{Script, words},
};

/// How many conversations are told of a user's presence at most. The one that he came to last is among them.
pub const MAX_VISITS: usize = 1_000;

/// A connected socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectedSession {
    /// Which session.
    pub id: SessionId,
    /// What it speaks: the name of a dialect, without blanks.
    pub dialect: String,
    /// Since when.
    pub since: Timestamp,
}

/// A presence that the conversations of its user have to be told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// How it is now.
    pub presence: Presence,
    /// Where the user has been since he came online, and has not left explicitly.
    pub conversations: Vec<ConversationId>,
}

/// What the presence channel of a partition carries.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Announcement {
    /// How it is now.
    pub presence: Presence,
    /// The dialects of the user's sockets, those included that have just gone.
    pub dialects: Vec<String>,
}

/// A page of users who are online.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnlinePage {
    /// Who is online, in the order of the partitions, and of the ids in them.
    pub users: Vec<UserId>,
    /// Where the next page begins: after this user of this partition.
    pub next: Option<(Partition, UserId)>,
    /// How many are online in all.
    pub total: u64,
}

/// Writes and reads presence.
#[derive(Debug, Clone)]
pub struct Presences {
    broker: Broker,
    scripts: Arc<Scripts>,
}

impl Presences {
    /// On this Redis.
    pub fn new(broker: Broker) -> Self {
        Self { broker, scripts: Arc::new(Scripts::new()) }
    }

    /// Registers a socket. To repeat it does no harm. Under a lease that does not hold (any more) nothing is registered,
    /// and whoever renews it will find that out.
    ///
    /// # Errors
    /// When Redis is away; then it is unknown whether it took effect, and it may be repeated.
    pub async fn connect(
        &self,
        lease: &LeaseId,
        user: &UserId,
        session: &ConnectedSession,
    ) -> Result<Option<Transition>, BrokerError> {
        let arguments =
            [lease.as_str(), session.id.as_str(), &session.since.0.to_string(), session.dialect.as_str()];
        self.step(&self.scripts.connect, Some(lease), user, &arguments).await
    }

    /// Removes a socket. To repeat it does no harm. Where the same session stands under another lease by now, it stays.
    ///
    /// # Errors
    /// As [`Presences::connect`].
    pub async fn disconnect(
        &self,
        lease: &LeaseId,
        user: &UserId,
        session: &SessionId,
    ) -> Result<Option<Transition>, BrokerError> {
        let arguments = [lease.as_str(), session.as_str()];
        self.step(&self.scripts.disconnect, Some(lease), user, &arguments).await
    }

    /// Lets others see this of a user, until he has no socket any more. The presence after it, and the transition when
    /// it is one; `None` when the user is not connected.
    ///
    /// # Errors
    /// As [`Presences::connect`].
    pub async fn set_status(
        &self,
        user: &UserId,
        status: Status,
    ) -> Result<Option<(Presence, Option<Transition>)>, BrokerError> {
        let answer = self.run_step(&self.scripts.status, None, user, &[status.as_str()]).await?;
        Ok(match answer::step(user, &answer)? {
            None => None,
            Some(Step::Same(presence)) => Some((presence, None)),
            Some(Step::Moved(transition)) => Some((transition.presence.clone(), Some(transition))),
        })
    }

    /// Notes that a user is in a conversation from now on, with this socket, so that it is told of his presence. How that
    /// is now; `None` when the socket is not registered (yet), or counts no more.
    ///
    /// # Errors
    /// As [`Presences::connect`].
    pub async fn visit(
        &self,
        user: &UserId,
        session: &SessionId,
        conversation: &ConversationId,
    ) -> Result<Option<Presence>, BrokerError> {
        let names = self.broker.keys();
        let partition = names.partitions().of(user.as_str());
        let keys = vec![
            names.presence(user),
            names.leases(partition),
            names.visits(user),
            names.last_seen(partition),
        ];
        let arguments = [user.as_str(), session.as_str(), conversation.as_str(), &MAX_VISITS.to_string()];
        let arguments = arguments.map(String::from).to_vec();
        let answer = self.run(&self.scripts.visit, keys, arguments).await?;
        match answer.split_first() {
            Some((first, presence)) if first == "ok" => answer::presence(user, presence).map(Some),
            Some((first, _)) if first == "none" => Ok(None),
            _ => Err(answer::unexpected(&answer)),
        }
    }

    /// Notes that a user has left a conversation, which is not told of his presence any more.
    ///
    /// # Errors
    /// As [`Presences::connect`].
    pub async fn leave(&self, user: &UserId, conversation: &ConversationId) -> Result<(), BrokerError> {
        let keys = vec![self.broker.keys().visits(user)];
        answer::done(&self.run(&self.scripts.leave, keys, vec![conversation.as_str().to_owned()]).await?)
    }

    /// Removes all sockets of a user that stand under an expired lease, and the registration itself. Under a lease that
    /// holds everything stays.
    ///
    /// # Errors
    /// As [`Presences::connect`].
    pub async fn expel(&self, lease: &LeaseId, user: &UserId) -> Result<Option<Transition>, BrokerError> {
        self.step(&self.scripts.expel, Some(lease), user, &[lease.as_str()]).await
    }

    async fn step(
        &self,
        script: &Script,
        lease: Option<&LeaseId>,
        user: &UserId,
        arguments: &[&str],
    ) -> Result<Option<Transition>, BrokerError> {
        let answer = self.run_step(script, lease, user, arguments).await?;
        Ok(match answer::step(user, &answer)? {
            Some(Step::Moved(transition)) => Some(transition),
            Some(Step::Same(_)) | None => None,
        })
    }

    /// Runs a script with the keys and arguments that `presence_step.lua` names.
    async fn run_step(
        &self,
        script: &Script,
        lease: Option<&LeaseId>,
        user: &UserId,
        arguments: &[&str],
    ) -> Result<Vec<String>, BrokerError> {
        let names = self.broker.keys();
        let partition = names.partitions().of(user.as_str());
        let mut keys = vec![
            names.presence(user),
            names.leases(partition),
            names.visits(user),
            names.unannounced(partition),
            names.online(partition),
            names.hidden(partition),
            names.last_seen(partition),
        ];
        keys.extend(lease.map(|lease| names.registrations(partition, lease)));
        let mut all = vec![names.presence_channel(partition), user.as_str().to_owned()];
        all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self.run(script, keys, all).await
    }

    async fn run(
        &self,
        script: &Script,
        keys: Vec<String>,
        arguments: Vec<String>,
    ) -> Result<Vec<String>, BrokerError> {
        words(script.run(self.broker.client(), keys, arguments).await?)
    }
}

/// What a step meant.
enum Step {
    /// Others see what they saw before.
    Same(Presence),
    /// It was a transition.
    Moved(Transition),
}
