//! How much CPU Redis and this process have used.

use std::{fs, process, time::Duration};

use fred::{interfaces::ClientLike, types::InfoKind};
use parlance_broker::Broker;

/// CPU time, in user and kernel.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Of Redis.
    pub redis: Duration,
    /// Of this process.
    pub own: Duration,
}

impl Usage {
    /// Until now.
    pub async fn read(broker: &Broker) -> Self {
        let info: String = broker.client().info(Some(InfoKind::Cpu)).await.unwrap();
        let field = |name: &str| -> f64 {
            let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            value.unwrap().trim().parse().unwrap()
        };
        let redis = Duration::from_secs_f64(field("used_cpu_user") + field("used_cpu_sys"));
        Self { redis, own: of_process(process::id()) }
    }

    /// Since then.
    pub async fn since(self, broker: &Broker) -> Self {
        let now = Self::read(broker).await;
        // Threads may have ended.
        Self { redis: now.redis - self.redis, own: now.own.saturating_sub(self.own) }
    }
}

/// What the threads of a process have used that still run; the scheduler counts in nanoseconds.
pub fn of_process(id: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{id}/task")).unwrap().flatten();
    let nanoseconds = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.sum())
}
