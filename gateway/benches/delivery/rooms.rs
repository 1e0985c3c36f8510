//! Sockets in conversations that somebody always writes to.

use std::time::{Duration, Instant};

use super::{
    Plan,
    crowd::{Crowd, Deliveries, Habits, Latencies},
    gateway::Gateway,
};

/// Before anything is counted.
const WARM_UP: Duration = Duration::from_secs(3);

/// What a run has brought.
pub struct Run {
    cpu: Duration,
    time: Duration,
    deliveries: Deliveries,
}

impl Run {
    /// Microseconds of the gateway's CPU a delivery.
    pub fn cost(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.deliveries.times.len() as f64
    }

    pub fn deliveries_per_second(&self) -> f64 {
        self.deliveries.times.len() as f64 / self.time.as_secs_f64()
    }

    pub fn latencies(self) -> Latencies {
        self.deliveries.latencies()
    }
}

/// Fills the rooms and measures.
pub async fn run(gateway: &Gateway, plan: Plan) -> Run {
    let Plan { sockets: clients, room, rate, .. } = plan;
    // A prime.
    let habits = Habits { name: "user", clients, room, rate, stride: 7_919 };
    let mut crowd = Crowd::connect(gateway.address, habits).await;
    crowd.talk(WARM_UP).await;
    let (cpu, start) = (gateway.cpu(), Instant::now());
    let deliveries = crowd.talk(Duration::from_secs(plan.seconds)).await;
    Run { cpu: gateway.cpu() - cpu, time: start.elapsed(), deliveries }
}
