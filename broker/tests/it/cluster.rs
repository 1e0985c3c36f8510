//! A Redis cluster of its own, of three masters without replicas, for tests of which one is away.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use parlance_broker::partition::{Partition, Partitions};

use crate::world::DEADLINE;

/// How many slots a cluster has.
const SLOTS: u32 = 16_384;
/// How many masters there are.
const NODES: u32 = 3;

/// The cluster; ended, with its data, when dropped.
pub struct Cluster {
    nodes: Vec<Node>,
    directory: PathBuf,
}

struct Node {
    process: Option<Child>,
    directory: PathBuf,
    port: u16,
    bus: u16,
}

impl Cluster {
    /// A cluster in which each master has a third of the slots, in their order. The others go on where one is away.
    pub fn start() -> Self {
        let directory = std::env::temp_dir().join(format!("parlance-cluster-{:016x}", rand::random::<u64>()));
        fs::create_dir(&directory).unwrap();
        let nodes = (0..NODES).map(|number| Node::start(directory.join(number.to_string()))).collect();
        let cluster = Self { nodes, directory };
        for (number, node) in (0..NODES).zip(&cluster.nodes) {
            let (first, last) = (number * SLOTS / NODES, (number + 1) * SLOTS / NODES - 1);
            node.does(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()]);
            node.does(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]);
        }
        let first = &cluster.nodes[0];
        for node in &cluster.nodes[1..] {
            first.does(&["CLUSTER", "MEET", "127.0.0.1", &node.port.to_string(), &node.bus.to_string()]);
        }
        cluster.is_whole();
        cluster
    }

    pub fn url(&self) -> String {
        let [first, others @ ..] = &self.nodes[..] else { unreachable!("there are nodes") };
        let others: Vec<String> = others.iter().map(|node| format!("node=127.0.0.1:{}", node.port)).collect();
        format!("redis-cluster://127.0.0.1:{}?{}", first.port, others.join("&"))
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
        self.nodes[node].signal("STOP");
    }

    /// Lets it answer again, and waits until the others hear it.
    pub fn thaw(&self, node: usize) {
        self.nodes[node].signal("CONT");
        self.is_whole();
    }

    /// Starts a master again with the data that it had, and waits until the others hear it.
    pub fn start_again(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        node.process = Some(launch(&node.directory, node.port, node.bus).expect("redis-server starts again"));
        self.is_whole();
    }

    /// Waits until every master says that every slot is served.
    fn is_whole(&self) {
        let is_whole = |node: &Node| {
            node.ask(&["CLUSTER", "INFO"]).is_some_and(|info| {
                info.contains("cluster_state:ok")
                    && info.contains("cluster_slots_ok:16384")
                    && info.contains("cluster_size:3")
            })
        };
        let deadline = Instant::now() + DEADLINE;
        while !self.nodes.iter().all(is_whole) {
            assert!(Instant::now() < deadline, "the cluster is not whole in time");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.nodes.iter_mut().for_each(Node::kill);
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl Node {
    fn start(directory: PathBuf) -> Self {
        fs::create_dir(&directory).unwrap();
        // Another process may take a port before Redis does; then others are tried.
        for _ in 0..10 {
            let (one, two) = (free_port(), free_port());
            let (port, bus) = (one.local_addr().unwrap().port(), two.local_addr().unwrap().port());
            drop((one, two));
            if let Some(process) = launch(&directory, port, bus) {
                return Self { process: Some(process), directory, port, bus };
            }
        }
        panic!("no port is free for a redis-server");
    }

    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    fn signal(&self, name: &str) {
        let id = self.process.as_ref().unwrap().id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status().unwrap();
        assert!(status.success(), "kill -s {name} {id}");
    }

    fn ask(&self, command: &[&str]) -> Option<String> {
        ask(self.port, command)
    }

    fn does(&self, command: &[&str]) {
        let answer = self.ask(command);
        assert_eq!(answer.as_deref().map(str::trim), Some("OK"), "{command:?}");
    }
}

fn free_port() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

/// A server that answers; `None` when it ends at once.
fn launch(directory: &Path, port: u16, bus: u16) -> Option<Child> {
    let mut process = Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--cluster-port", &bus.to_string()])
        .args(["--cluster-enabled", "yes", "--cluster-require-full-coverage", "no"])
        .args(["--cluster-node-timeout", "1000", "--save", "", "--appendonly", "yes"])
        .args(["--appendfsync", "always", "--dir"])
        .arg(directory)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server is installed");
    // What answers on the port may be somebody else's.
    let own = format!("process_id:{}\r", process.id());
    let deadline = Instant::now() + DEADLINE;
    while process.try_wait().unwrap().is_none() {
        if ask(port, &["INFO", "server"]).is_some_and(|answer| answer.contains(&own)) {
            return Some(process);
        }
        assert!(Instant::now() < deadline, "redis-server does not answer in time");
        thread::sleep(Duration::from_millis(10));
    }
    None
}

fn ask(port: u16, command: &[&str]) -> Option<String> {
    let output =
        Command::new("redis-cli").args(["-h", "127.0.0.1", "-p", &port.to_string()]).args(command).output();
    let output = output.expect("redis-cli is installed");
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}
