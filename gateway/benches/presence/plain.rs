//! The plain way, to compare with: each user's entry has a time of its own, and every gateway refreshes those of its users
//! before they are over, with one command a partition.

use fred::interfaces::SortedSetsInterface;
use parlance_broker::{Broker, partition::Partition};

use super::{Plan, crowd::user};

/// The users of each gateway, by partition.
pub struct Plain {
    broker: Broker,
    gateways: Vec<Vec<(String, Vec<String>)>>,
    time: f64,
}

impl Plain {
    pub fn new(broker: &Broker, plan: Plan) -> Self {
        let partitions = broker.keys().partitions();
        let gateway = |index: usize| {
            let mut shares: Vec<(String, Vec<String>)> =
                partitions.all().map(|partition| (key(broker, partition), Vec::new())).collect();
            for number in index * plan.share()..(index + 1) * plan.share() {
                let user = user(number);
                shares[usize::from(partitions.of(user.as_str()).0)].1.push(user.to_string());
            }
            shares
        };
        Self { broker: broker.clone(), gateways: (0..plan.gateways).map(gateway).collect(), time: 1.7e12 }
    }

    /// All gateways refresh all their users.
    pub async fn refresh(&mut self) {
        self.time += 20_000.0;
        for (key, users) in self.gateways.iter().flatten().filter(|(_, users)| !users.is_empty()) {
            let entries: Vec<(f64, &str)> = users.iter().map(|user| (self.time, user.as_str())).collect();
            let _: u64 = self.broker.client().zadd(key, None, None, false, false, entries).await.unwrap();
        }
    }
}

/// In the partition, and none of Parlance's own.
fn key(broker: &Broker, partition: Partition) -> String {
    format!("{}-plain", broker.keys().online(partition))
}
