//! What this gateway has, said every few seconds; and what all of them have, as they have said it.

use std::{convert::Infallible, sync::Arc, time::Duration};

use parlance_broker::{
    BrokerError,
    stats::{ClusterStats, GatewayStats, Stats as Cluster},
};
use parlance_chassis::lifecycle::CancellationToken;
use tokio::{
    sync::Mutex,
    time::{Instant, MissedTickBehavior, interval},
};

use crate::{
    fanout::Fanout,
    presence::{Counts, Presence, lease::Lease},
};

/// How often a gateway says what it has.
const REPORT_EVERY: Duration = Duration::from_secs(2);
/// For how long what was read is good enough, however often it is asked for.
const FRESH: Duration = Duration::from_secs(1);

/// A handle on what gateways have; cheap to clone.
#[derive(Clone)]
pub struct Stats(Arc<Inner>);

struct Inner {
    cluster: Cluster,
    /// What was read last. Whoever asks while it is being read waits for that.
    read: Mutex<Option<(Instant, Read)>>,
}

/// What reading gave: also that Redis is away, and how, so that those who waited do not all find out by themselves.
type Read = Result<Arc<ClusterStats>, String>;

/// Where the numbers of this gateway are.
pub struct Sources {
    /// Sockets and users.
    pub presence: Presence,
    /// Rooms.
    pub fanout: Fanout,
}

impl Stats {
    /// Nothing has been read yet.
    pub fn new(cluster: Cluster) -> Self {
        Self(Arc::new(Inner { cluster, read: Mutex::const_new(None) }))
    }

    /// What all gateways have, as it was a few seconds ago.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn read(&self) -> Result<Arc<ClusterStats>, BrokerError> {
        let mut read = self.0.read.lock().await;
        if let Some((at, found)) = &*read
            && at.elapsed() < FRESH
        {
            return found.clone().map_err(BrokerError::Unavailable);
        }
        let found = match self.0.cluster.read().await {
            Ok(found) => Ok(Arc::new(found)),
            Err(BrokerError::Unavailable(how)) => Err(how),
            Err(error) => return Err(error),
        };
        *read = Some((Instant::now(), found.clone()));
        found.map_err(BrokerError::Unavailable)
    }

    /// Says what this gateway has, until `hard`.
    pub async fn report(
        self,
        sources: Sources,
        mut lease: Lease,
        hard: CancellationToken,
    ) -> Result<(), Infallible> {
        let mut ticks = interval(REPORT_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let run = async {
            loop {
                tokio::select! {
                    _ = ticks.tick() => {}
                    // Nobody is listed without one.
                    _ = lease.changed() => {}
                }
                let Some(current) = lease.current() else { continue };
                if let Err(error) = self.0.cluster.report(&current, &sources.count()).await {
                    tracing::debug!(%error, "failed to say what this gateway has, trying again");
                }
            }
        };
        tokio::select! {
            () = hard.cancelled() => Ok(()),
            never = run => never,
        }
    }
}

impl Sources {
    fn count(&self) -> GatewayStats {
        let Counts { users, dialects } = self.presence.counts();
        GatewayStats {
            connected: dialects.values().sum(),
            users,
            rooms: self.fanout.rooms() as u64,
            dialects,
        }
    }
}
