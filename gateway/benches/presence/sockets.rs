//! A real gateway with real sockets that do nothing, and how much of its CPU goes into its lease: the same time with rare
//! and with frequent renewals.

use std::time::Duration;

use super::{Plan, client::Client, gateway::Gateway, unlimited::UNLIMITED, usage::of_process};

/// What is left to do after the last client came.
const CALM_DOWN: Duration = Duration::from_secs(3);

/// What a gateway with some sockets used, as parts of a core.
pub struct Idle {
    /// Sockets.
    pub sockets: usize,
    /// With renewals as by default, every ten seconds.
    pub rare: f64,
    /// With three renewals a second.
    pub frequent: f64,
}

impl Idle {
    pub async fn measure(database: &str, redis: &str, sockets: usize, plan: Plan) -> Self {
        let mut parts = Vec::new();
        for ttl in ["30s", "1s"] {
            let mut settings = UNLIMITED.to_vec();
            // Heartbeats are the sockets' own business: there are none while it is measured.
            settings.extend([("SOCKET__PING_INTERVAL", "1h"), ("PRESENCE__TTL", ttl)]);
            let gateway = Gateway::start(database, redis, &settings).await;
            let mut clients = Vec::with_capacity(sockets);
            for number in 0..sockets {
                clients.push(Client::connect(gateway.address, &format!("user-{number}")).await);
            }
            tokio::time::sleep(CALM_DOWN).await;
            let process = gateway.process.id();
            let before = of_process(process);
            tokio::time::sleep(Duration::from_secs(plan.seconds)).await;
            let used = of_process(process).saturating_sub(before);
            parts.push(used.as_secs_f64() / plan.seconds as f64);
        }
        Self { sockets, rare: parts[0], frequent: parts[1] }
    }

    /// CPU seconds of one renewal.
    pub fn renewal(&self) -> f64 {
        (self.frequent - self.rare) / (3.0 - 0.1)
    }
}
