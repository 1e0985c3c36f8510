//! A Redis cluster of its own, of three masters without replicas, for tests of which one is away.

use std::{
    thread,
    time::{Duration, Instant},
};

use parlance_broker::partition::{Partition, Partitions};

use crate::{
    server::{Server, free_port},
    world::DEADLINE,
};

/// How many slots a cluster has.
const SLOTS: u32 = 16_384;
/// How many masters there are.
const NODES: u32 = 3;

/// The cluster; ended, with its data, when dropped.
pub struct Cluster {
    nodes: Vec<Server>,
}

impl Cluster {
    /// A cluster in which each master has a third of the slots, in their order. The others go on where one is away.
    pub fn start() -> Self {
        let cluster = Self { nodes: (0..NODES).map(|_| Server::with(options)).collect() };
        for (number, node) in (0..NODES).zip(&cluster.nodes) {
            let (first, last) = (number * SLOTS / NODES, (number + 1) * SLOTS / NODES - 1);
            does(node, &format!("CLUSTER ADDSLOTSRANGE {first} {last}"));
            does(node, &format!("CLUSTER SET-CONFIG-EPOCH {}", number + 1));
        }
        let first = &cluster.nodes[0];
        for node in &cluster.nodes[1..] {
            let bus = node.option("--cluster-port");
            does(first, &format!("CLUSTER MEET 127.0.0.1 {} {bus}", node.port()));
        }
        cluster.is_whole();
        cluster
    }

    pub fn url(&self) -> String {
        let [first, others @ ..] = &self.nodes[..] else { unreachable!("there are nodes") };
        let others: Vec<String> =
            others.iter().map(|node| format!("node=127.0.0.1:{}", node.port())).collect();
        format!("redis-cluster://127.0.0.1:{}?{}", first.port(), others.join("&"))
    }

    /// Which master has a partition.
    pub fn node_of(&self, partitions: &Partitions, partition: Partition) -> usize {
        let slot = u32::from(fred::util::redis_keyslot(partitions.tag(partition).as_bytes()));
        usize::try_from((0..NODES).find(|number| slot < (number + 1) * SLOTS / NODES).unwrap()).unwrap()
    }

    /// Ends a master without a warning.
    pub fn kill(&mut self, node: usize) {
        self.nodes[node].kill();
    }

    /// Lets a master accept connections and commands, and answer none.
    pub fn freeze(&self, node: usize) {
        self.nodes[node].freeze();
    }

    /// Lets it answer again, and waits until the others hear it.
    pub fn thaw(&self, node: usize) {
        self.nodes[node].thaw();
        self.is_whole();
    }

    /// Starts a master again with the data that it had, and waits until the others hear it.
    pub fn start_again(&mut self, node: usize) {
        self.nodes[node].start_again();
        self.is_whole();
    }

    /// Waits until every master says that every slot is served.
    fn is_whole(&self) {
        let is_whole = |node: &Server| {
            let info = node.ask("CLUSTER INFO");
            ["cluster_state:ok", "cluster_slots_ok:16384", "cluster_size:3"]
                .iter()
                .all(|line| info.contains(line))
        };
        let deadline = Instant::now() + DEADLINE;
        while !self.nodes.iter().all(is_whole) {
            assert!(Instant::now() < deadline, "the cluster is not whole in time");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn options() -> Vec<String> {
    let bus = free_port();
    format!("--cluster-enabled yes --cluster-require-full-coverage no --cluster-node-timeout 1000 --cluster-port {bus}")
        .split(' ')
        .map(str::to_owned)
        .collect()
}

fn does(node: &Server, command: &str) {
    assert_eq!(node.ask(command), "+OK", "{command}");
}
