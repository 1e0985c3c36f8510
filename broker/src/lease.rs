//! Leases: that a gateway lives is said once for all its sockets, and not for each of them.
//!
//! What a gateway registers in Redis (users who are connected, who is in which conversation) names its lease and
//! counts as long as that has not expired. A lease that has expired is over for good: the gateway takes another one and
//! registers everything anew, while a worker removes what stood under the old one. When that is done, and what is
//! registered, is the callers' business.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use parlance_domain::id::{ConversationId, UserId};

use crate::{
    broker::Broker,
    error::BrokerError,
    partition::Partition,
    script::{Script, words},
};

/// In how many partitions a lease is taken or renewed at the same time.
const IN_FLIGHT: usize = 64;
/// How many expired leases are listed at once.
const EXPIRED_AT_ONCE: usize = 100;

/// A script of leases, after the text that reads which hold.
macro_rules! script {
    ($name:literal) => {
        Script::new(
            $name,
            concat!(include_str!("../lua/lease.lua"), include_str!(concat!("../lua/", $name, ".lua"))),
        )
    };
}

/// A time of a gateway's life.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LeaseId(Box<str>);

impl LeaseId {
    /// A new one of the gateway with this name. Characters that no host's name has are left out.
    pub fn new(gateway: &str, random: u64) -> Self {
        let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        let gateway: String = gateway.chars().filter(allowed).take(64).collect();
        Self(format!("{gateway}~{random:016x}").into())
    }

    /// As Redis has it.
    pub fn parse(text: &str) -> Option<Self> {
        (text.contains('~') && !text.contains(char::is_whitespace)).then(|| Self(text.into()))
    }

    /// The text, without a blank.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the gateway.
    pub fn gateway(&self) -> &str {
        self.0.split_once('~').map_or(&*self.0, |(gateway, _)| gateway)
    }
}

/// Whether a lease could be renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// It holds.
    Held,
    /// It has expired somewhere, or Redis may have gone back to an earlier state: a new one is needed.
    Lost,
}

/// What a gateway has registered under its lease.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Registration {
    /// A user is connected there.
    User(UserId),
    /// Somebody is in this conversation there.
    Conversation(ConversationId),
}

impl Registration {
    fn parse(text: &str) -> Option<Self> {
        if let Some(user) = text.strip_prefix('u') {
            return UserId::new(user).ok().map(Registration::User);
        }
        text.strip_prefix('c').and_then(|id| ConversationId::new(id).ok()).map(Registration::Conversation)
    }
}

/// Takes, renews and ends leases, in all partitions.
#[derive(Debug, Clone)]
pub struct Leases {
    broker: Broker,
    scripts: Arc<Scripts>,
    /// The replication id of each partition's Redis when a lease was taken there.
    held: Arc<Mutex<HashMap<LeaseId, Histories>>>,
}

type Histories = Arc<HashMap<Partition, String>>;

#[derive(Debug)]
struct Scripts {
    take: Script,
    renew: Script,
    end: Script,
    expired: Script,
    registrations: Script,
    forget: Script,
}

impl Leases {
    /// On this Redis.
    pub fn new(broker: Broker) -> Self {
        let scripts = Scripts {
            take: script!("lease_take"),
            renew: script!("lease_renew"),
            end: script!("lease_end"),
            expired: script!("lease_expired"),
            registrations: Script::new("lease_registrations", include_str!("../lua/lease_registrations.lua")),
            forget: script!("lease_forget"),
        };
        Self { broker, scripts: Arc::new(scripts), held: Arc::default() }
    }

    /// Takes a new lease, for `ttl`.
    ///
    /// # Errors
    /// When Redis is away; then it is unknown where it was taken. When the lease has expired before.
    pub async fn take(&self, lease: &LeaseId, ttl: Duration) -> Result<(), BrokerError> {
        let answers = self.everywhere(&self.scripts.take, |_| arguments(lease, ttl)).await?;
        let mut histories = HashMap::new();
        for (partition, answer) in answers {
            match answer.as_slice() {
                [first, history] if first == "ok" => histories.insert(partition, history.clone()),
                [first] if first == "over" => {
                    return Err(BrokerError::Refused(format!("the lease {} has expired", lease.as_str())));
                }
                _ => return Err(unexpected(&answer)),
            };
        }
        self.lock().insert(lease.clone(), Arc::new(histories));
        Ok(())
    }

    /// Lets a lease last for `ttl` from now on. It must have been taken with this handle or a clone of it.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn renew(&self, lease: &LeaseId, ttl: Duration) -> Result<Renewal, BrokerError> {
        let Some(histories) = self.lock().get(lease).cloned() else { return Ok(Renewal::Lost) };
        let answers = self.everywhere(&self.scripts.renew, |partition| {
            let mut arguments = arguments(lease, ttl);
            arguments.push(histories.get(&partition).cloned().unwrap_or_default());
            arguments
        });
        let mut renewal = Renewal::Held;
        for (_, answer) in answers.await? {
            match answer.first().map(String::as_str) {
                Some("ok") => {}
                Some("lost") => renewal = Renewal::Lost,
                _ => return Err(unexpected(&answer)),
            }
        }
        if renewal == Renewal::Lost {
            self.lock().remove(lease);
        }
        Ok(renewal)
    }

    /// Lets a lease end after `linger`: its gateway has ended, and its clients may be back on another one before that.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn end(&self, lease: &LeaseId, linger: Duration) -> Result<(), BrokerError> {
        self.lock().remove(lease);
        self.everywhere(&self.scripts.end, |_| arguments(lease, linger)).await?;
        Ok(())
    }

    /// The leases that have expired in a partition, at most a hundred. None for one `ttl` after nobody asked for half a
    /// `ttl`: Redis, or the way to it, was away, and gateways may not have been able to renew theirs.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn expired(&self, partition: Partition, ttl: Duration) -> Result<Vec<LeaseId>, BrokerError> {
        let keys = vec![self.broker.keys().leases(partition), self.broker.keys().sweep(partition)];
        let arguments = vec![ttl.as_millis().to_string(), EXPIRED_AT_ONCE.to_string()];
        let leases = words(self.scripts.expired.run(self.broker.client(), keys, arguments).await?)?;
        Ok(leases.iter().filter_map(|lease| known(lease, LeaseId::parse)).collect())
    }

    /// Something of what is registered under a lease in a partition, at most `most`. Registrations that only a newer
    /// version understands are left out; until one has removed them the lease is not forgotten.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn registrations(
        &self,
        partition: Partition,
        lease: &LeaseId,
        most: u64,
    ) -> Result<Vec<Registration>, BrokerError> {
        let keys = vec![self.broker.keys().registrations(partition, lease)];
        let arguments = vec![most.to_string()];
        let registered = words(self.scripts.registrations.run(self.broker.client(), keys, arguments).await?)?;
        Ok(registered.iter().filter_map(|registration| known(registration, Registration::parse)).collect())
    }

    /// Forgets an expired lease under which nothing is registered any more in a partition, and what its gateway said of
    /// itself. Another one stays.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn forget(&self, partition: Partition, lease: &LeaseId) -> Result<(), BrokerError> {
        let names = self.broker.keys();
        let mut keys = vec![names.leases(partition), names.registrations(partition, lease)];
        if partition == names.gateways_partition() {
            keys.push(names.gateways());
        }
        let arguments = vec![lease.as_str().to_owned()];
        let answer = words(self.scripts.forget.run(self.broker.client(), keys, arguments).await?)?;
        match answer.first().map(String::as_str) {
            Some("ok" | "kept") => Ok(()),
            _ => Err(unexpected(&answer)),
        }
    }

    /// Runs a script in all partitions and gives their answers. Where it fails it holds up no other partition.
    async fn everywhere(
        &self,
        script: &Script,
        arguments: impl Fn(Partition) -> Vec<String>,
    ) -> Result<Vec<(Partition, Vec<String>)>, BrokerError> {
        let run = |partition| {
            let (keys, arguments) = (vec![self.broker.keys().leases(partition)], arguments(partition));
            async move {
                let answer = script.run(self.broker.client(), keys, arguments).await?;
                Ok((partition, words(answer)?))
            }
        };
        let partitions = self.broker.keys().partitions().all();
        let answers: Vec<Result<_, _>> =
            stream::iter(partitions.map(run)).buffer_unordered(IN_FLIGHT).collect().await;
        answers.into_iter().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<LeaseId, Histories>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn arguments(lease: &LeaseId, time: Duration) -> Vec<String> {
    vec![lease.as_str().to_owned(), time.as_millis().to_string()]
}

/// What a text in Redis means; what it means to another version only is logged.
fn known<T>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
    let parsed = parse(text);
    if parsed.is_none() {
        tracing::warn!(text, "something under a lease in redis is not of this version");
    }
    parsed
}

fn unexpected(answer: &[String]) -> BrokerError {
    BrokerError::Unexpected(answer.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_names_its_gateway_and_has_no_blank() {
        let lease = LeaseId::new("chat gate~way-7.local", 255);
        assert_eq!(
            (lease.as_str(), lease.gateway()),
            ("chatgateway-7.local~00000000000000ff", "chatgateway-7.local")
        );
        assert_eq!(LeaseId::parse(lease.as_str()), Some(lease));
        assert_eq!(LeaseId::parse("no-lease"), None);
        assert_eq!(LeaseId::parse("a gateway~1"), None);
        assert_eq!(LeaseId::new("", 1).gateway(), "");
    }

    #[test]
    fn a_registration_is_of_a_user_or_a_conversation() {
        let (user, conversation) = (UserId::new("c u").unwrap(), ConversationId::new("u}:c").unwrap());
        assert_eq!(Registration::parse("uc u"), Some(Registration::User(user)));
        assert_eq!(Registration::parse("cu}:c"), Some(Registration::Conversation(conversation)));
        assert_eq!(
            (Registration::parse("x1"), Registration::parse("u"), Registration::parse("")),
            (None, None, None)
        );
    }
}
