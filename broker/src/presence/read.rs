//! Reading presence, and handing over when users were last seen.

use std::collections::BTreeMap;

use fred::interfaces::SortedSetsInterface;
use futures_util::{StreamExt, TryStreamExt, stream};
use parlance_domain::{id::UserId, presence::Presence, time::Timestamp};

use super::{ConnectedSession, OnlinePage, Presences, answer};
use crate::{error::BrokerError, lease::LeaseId, metrics::begin, partition::Partition};

/// How many users one run of a script reads or writes.
const USERS_A_RUN: usize = 100;
/// How many runs of a script are under way at the same time.
const IN_FLIGHT: usize = 16;
/// How many partitions are asked at the same time, each for a whole page.
const PAGES_IN_FLIGHT: usize = 4;
/// The largest page.
const MAX_PAGE: u64 = 10_000;

impl Presences {
    /// The presence of users, in their order. Of who is not connected, `at` is known only until it was stored
    /// ([`Presences::last_seen`]).
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn get(&self, users: &[UserId]) -> Result<Vec<Presence>, BrokerError> {
        let mut by_partition: BTreeMap<Partition, Vec<(usize, UserId)>> = BTreeMap::new();
        for (place, user) in users.iter().enumerate() {
            let partition = self.broker.keys().partitions().of(user.as_str());
            by_partition.entry(partition).or_default().push((place, user.clone()));
        }
        let mut runs = Vec::new();
        for (partition, users) in by_partition {
            runs.extend(users.chunks(USERS_A_RUN).map(|users| (partition, users.to_vec())));
        }
        let read = stream::iter(runs).map(|(partition, users)| self.get_some(partition, users));
        let read: Vec<Vec<(usize, Presence)>> = read.buffer_unordered(IN_FLIGHT).try_collect().await?;
        let mut found: Vec<(usize, Presence)> = read.into_iter().flatten().collect();
        found.sort_by_key(|(place, _)| *place);
        Ok(found.into_iter().map(|(_, presence)| presence).collect())
    }

    async fn get_some(
        &self,
        partition: Partition,
        users: Vec<(usize, UserId)>,
    ) -> Result<Vec<(usize, Presence)>, BrokerError> {
        let names = self.broker.keys();
        let mut keys = vec![names.leases(partition), names.last_seen(partition)];
        keys.extend(users.iter().map(|(_, user)| names.presence(user)));
        let arguments = users.iter().map(|(_, user)| user.as_str().to_owned()).collect();
        let words = self.run(&self.scripts.get, keys, arguments).await?;
        if words.len() != users.len() * answer::PRESENCE_WORDS {
            return Err(answer::unexpected(&words));
        }
        let presences = users.into_iter().zip(words.chunks(answer::PRESENCE_WORDS));
        presences.map(|((place, user), words)| Ok((place, answer::presence(&user, words)?))).collect()
    }

    /// Who is online, after somebody, at most `limit` (which counts as 1 to 10,000). Who became so or ceased to be so
    /// meanwhile may be missing or there, and so may the users of a gateway that died.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn online(
        &self,
        after: Option<&(Partition, UserId)>,
        limit: u64,
    ) -> Result<OnlinePage, BrokerError> {
        let counts = self.count_online().await?;
        let limit = usize::try_from(limit.clamp(1, MAX_PAGE)).unwrap_or(1);
        let first = after.map_or(Partition(0), |(partition, _)| *partition);
        let mut partitions: Vec<Partition> = Vec::new();
        partitions.extend(counts.iter().filter(|(of, count)| *of >= first && *count > 0).map(|(of, _)| *of));
        let page = |partition| {
            let after = after.filter(|(of, _)| *of == partition).map(|(_, user)| user);
            self.online_in(partition, after, limit + 1)
        };
        let mut pages = stream::iter(partitions).map(page).buffered(PAGES_IN_FLIGHT);
        let mut found: Vec<(Partition, UserId)> = Vec::new();
        while let Some(page) = pages.try_next().await? {
            found.extend(page);
            if found.len() > limit {
                break;
            }
        }
        let is_all = found.len() <= limit;
        found.truncate(limit);
        let next = if is_all { None } else { found.last().cloned() };
        let total = counts.iter().map(|(_, count)| count).sum();
        Ok(OnlinePage { users: found.into_iter().map(|(_, user)| user).collect(), next, total })
    }

    async fn online_in(
        &self,
        partition: Partition,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<(Partition, UserId)>, BrokerError> {
        let from = after.map_or_else(|| String::from("-"), |user| format!("({user}"));
        let keys = vec![self.broker.keys().online(partition)];
        let users = self.run(&self.scripts.online, keys, vec![from, limit.to_string()]).await?;
        users.iter().map(|user| Ok((partition, answer::user(user)?))).collect()
    }

    /// How many are online in each partition, in the order of the partitions.
    async fn count_online(&self) -> Result<Vec<(Partition, u64)>, BrokerError> {
        let counts = stream::iter(self.broker.keys().partitions().all()).map(async |partition| {
            let count: u64 = begin("presence_count")
                .end(self.broker.client().zcard(self.broker.keys().online(partition)).await)?;
            Ok::<_, BrokerError>((partition, count))
        });
        counts.buffered(IN_FLIGHT).try_collect().await
    }

    /// The sockets of a user, on all gateways that live, oldest first.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn sessions(&self, user: &UserId) -> Result<Vec<(ConnectedSession, LeaseId)>, BrokerError> {
        let names = self.broker.keys();
        let keys = vec![names.presence(user), names.leases(names.partitions().of(user.as_str()))];
        let words = self.run(&self.scripts.sessions, keys, Vec::new()).await?;
        let mut sessions = words.chunks(4).map(answer::session).collect::<Result<Vec<_>, _>>()?;
        sessions.sort_by(|(a, _), (b, _)| (a.since, &a.id).cmp(&(b.since, &b.id)));
        Ok(sessions)
    }

    /// Who went offline in a partition and when, as far as it is not stored yet, at most `most`.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn last_seen(
        &self,
        partition: Partition,
        most: u64,
    ) -> Result<Vec<(UserId, Timestamp)>, BrokerError> {
        if most == 0 {
            return Ok(Vec::new());
        }
        let keys = vec![self.broker.keys().last_seen(partition)];
        let words = self.run(&self.scripts.last_seen, keys, vec![most.to_string()]).await?;
        words.chunks(2).map(answer::seen).collect()
    }

    /// Notes that these are stored. What is newer meanwhile stays.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn stored(
        &self,
        partition: Partition,
        seen: &[(UserId, Timestamp)],
    ) -> Result<(), BrokerError> {
        for seen in seen.chunks(USERS_A_RUN) {
            let keys = vec![self.broker.keys().last_seen(partition)];
            let arguments =
                seen.iter().flat_map(|(user, at)| [user.as_str().to_owned(), at.0.to_string()]).collect();
            answer::done(&self.run(&self.scripts.stored, keys, arguments).await?)?;
        }
        Ok(())
    }
}
