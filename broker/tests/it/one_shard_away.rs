//! One master of a Redis cluster is away.

use std::time::Duration;

use parlance_broker::{Broker, BrokerConfig, ingest::StreamKind, partition::Partition};
use tokio::time::Instant;

use crate::{cluster::Cluster, world::eventually};

/// After how long a command is given up.
const DEADLINE: Duration = Duration::from_secs(1);
/// The master that is away, and a partition that it has.
const AWAY: (usize, Partition) = (1, Partition(2));

async fn broker(cluster: &Cluster) -> Broker {
    let config =
        BrokerConfig { url: cluster.url(), prefix: String::from("test:"), partitions: 6, deadline: DEADLINE };
    Broker::connect(config).await.unwrap()
}

/// Whether the partition's Redis answers; a refusal is retryable, and comes in time.
async fn answers(broker: &Broker, partition: Partition) -> bool {
    let begun = Instant::now();
    let answer = broker.stream_status(partition, StreamKind::Ingest).await;
    assert!(begun.elapsed() < DEADLINE * 2, "{partition:?} took {:?}", begun.elapsed());
    answer.map_err(|error| assert!(error.is_retryable(), "{error}")).is_ok()
}

async fn is_back(broker: &Broker) {
    eventually("it answers again", async || answers(broker, AWAY.1).await.then_some(()).ok_or(())).await;
}

#[tokio::test]
async fn while_a_master_does_not_answer_the_others_do() {
    let cluster = Cluster::start();
    let broker = broker(&cluster).await;
    cluster.freeze(AWAY.0);
    for partition in broker.keys().partitions().all() {
        let is_away = cluster.node_of(broker.keys().partitions(), partition) == AWAY.0;
        assert_eq!(answers(&broker, partition).await, !is_away, "{partition:?}");
    }
    cluster.thaw(AWAY.0);
    is_back(&broker).await;
}

#[tokio::test]
async fn what_a_killed_master_has_is_refused_in_time_and_there_when_it_is_back() {
    let mut cluster = Cluster::start();
    let broker = broker(&cluster).await;
    assert_eq!(cluster.node_of(broker.keys().partitions(), AWAY.1), AWAY.0);
    cluster.kill(AWAY.0);
    assert!(!answers(&broker, AWAY.1).await);
    cluster.start_again(AWAY.0);
    is_back(&broker).await;
}
