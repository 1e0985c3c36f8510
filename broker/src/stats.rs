//! What each gateway has to do, as the gateways say themselves every few seconds, and what they have in all.

use std::collections::BTreeMap;

use futures_util::{StreamExt, TryStreamExt, stream};
use parlance_domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    broker::Broker,
    error::BrokerError,
    lease::LeaseId,
    partition::Partition,
    script::{Script, words},
};

/// How many partitions are asked at the same time.
const IN_FLIGHT: usize = 64;

/// What a gateway says of itself. One of another version may say less, or more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GatewayStats {
    /// Sockets.
    pub connected: u64,
    /// Users with a socket.
    pub users: u64,
    /// Conversations with a socket.
    pub rooms: u64,
    /// Sockets, by dialect.
    pub dialects: BTreeMap<String, u64>,
}

/// What all gateways have together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterStats {
    /// Each gateway that lives: its lease, when it said so, and what.
    pub gateways: Vec<(LeaseId, Timestamp, GatewayStats)>,
    /// Users with a socket, each counted once; those of a gateway that died too, until a worker has removed them.
    pub users: u64,
    /// Conversations with a socket, each counted once, in the same way.
    pub rooms: u64,
}

/// Writes and reads what gateways have.
#[derive(Debug, Clone)]
pub struct Stats {
    broker: Broker,
    report: Script,
    read: Script,
    count: Script,
}

impl Stats {
    /// On this Redis.
    pub fn new(broker: Broker) -> Self {
        Self {
            broker,
            report: Script::new(
                "stats_report",
                concat!(include_str!("../lua/lease.lua"), include_str!("../lua/stats_report.lua")),
            ),
            read: Script::new(
                "stats_read",
                concat!(include_str!("../lua/lease.lua"), include_str!("../lua/stats_read.lua")),
            ),
            count: Script::new("stats_count", include_str!("../lua/stats_count.lua")),
        }
    }

    /// Says what the gateway with this lease has, unless the lease does not hold. Whoever has no lease is not listed.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn report(&self, lease: &LeaseId, stats: &GatewayStats) -> Result<(), BrokerError> {
        let text = serde_json::to_string(stats);
        let text = text.map_err(|error| BrokerError::Unexpected(error.to_string()))?;
        let arguments = vec![lease.as_str().to_owned(), text];
        words(self.report.run(self.broker.client(), self.keys(), arguments).await?)?;
        Ok(())
    }

    /// What all gateways have. One whose word cannot be read is not listed, and logged.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn read(&self) -> Result<ClusterStats, BrokerError> {
        let answer = words(self.read.run(self.broker.client(), self.keys(), Vec::new()).await?)?;
        let mut gateways: Vec<_> = answer.chunks(3).filter_map(known).collect();
        gateways.sort_by(|(a, ..), (b, ..)| a.as_str().cmp(b.as_str()));
        let counts =
            stream::iter(self.broker.keys().partitions().all()).map(|partition| self.count(partition));
        let counts: Vec<(u64, u64)> = counts.buffer_unordered(IN_FLIGHT).try_collect().await?;
        let users = counts.iter().map(|(users, _)| users).sum();
        let rooms = counts.iter().map(|(_, rooms)| rooms).sum();
        Ok(ClusterStats { gateways, users, rooms })
    }

    /// The users and conversations of a partition.
    async fn count(&self, partition: Partition) -> Result<(u64, u64), BrokerError> {
        let names = self.broker.keys();
        let keys = vec![names.online(partition), names.hidden(partition), names.rooms(partition)];
        let counts = self.count.run(self.broker.client(), keys, Vec::new()).await?;
        counts.convert().map_err(|error| BrokerError::Unexpected(error.to_string()))
    }

    fn keys(&self) -> Vec<String> {
        let names = self.broker.keys();
        vec![names.gateways(), names.leases(names.gateways_partition())]
    }
}

/// `lease time JSON`. What a gateway of another version says in another way keeps nobody from the rest.
fn known(words: &[String]) -> Option<(LeaseId, Timestamp, GatewayStats)> {
    let parse = || {
        let [lease, at, stats] = words else { return None };
        let at = Timestamp(at.parse().ok()?);
        Some((LeaseId::parse(lease)?, at, serde_json::from_str(stats).ok()?))
    };
    let parsed = parse();
    if parsed.is_none() {
        tracing::warn!(?words, "what a gateway says of itself cannot be read");
    }
    parsed
}
