//! What a gateway has at a moment, set for `/metrics` every second: what is counted elsewhere anyway is not counted
//! again at each change.

use std::{convert::Infallible, time::Duration};

use parlance_broker::Broker;
use parlance_chassis::lifecycle::CancellationToken;
use parlance_store::Store;
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    fanout::Fanout,
    metrics::{LIVE_CONVERSATIONS, ONLINE_USERS},
    presence::Presence,
};

/// How often.
const EVERY: Duration = Duration::from_secs(1);

/// What is looked at.
pub struct Gauges {
    /// Whether it is connected.
    pub broker: Broker,
    /// How much of its pool is in use.
    pub store: Store,
    /// How many users are here.
    pub presence: Presence,
    /// How many conversations are live here.
    pub fanout: Fanout,
}

impl Gauges {
    /// Sets the gauges until `hard`.
    pub async fn run(self, hard: CancellationToken) -> Result<(), Infallible> {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while hard.run_until_cancelled(ticks.tick()).await.is_some() {
            self.set();
        }
        Ok(())
    }

    fn set(&self) {
        self.broker.record_connection();
        self.store.record_pool();
        metrics::gauge!(ONLINE_USERS.name).set(self.presence.counts().users as f64);
        metrics::gauge!(LIVE_CONVERSATIONS.name).set(self.fanout.rooms() as f64);
    }
}
