//! What others notice of a flood: the latency of messages among well-behaved clients while somebody floods the gateway,
//! against the quiet time right before it. `make bench-floods` runs it and prints the figures and their ratios.
//!
//! The gateway is the release binary with its default limits, in a process of its own; so is who floods. Each flood goes as
//! fast as one client process that does little else can make it. Nothing here passes or fails.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a benchmark that cannot go on ends"
)]

#[path = "../delivery/arguments.rs"]
mod arguments;
mod attack;
#[path = "../delivery/client.rs"]
mod client;
#[path = "../delivery/crowd.rs"]
mod crowd;
#[path = "../../../store/tests/it/database.rs"]
mod database;
#[path = "../delivery/gateway.rs"]
mod gateway;

use std::{
    env,
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::Duration,
};

use attack::Attack;
use crowd::{Crowd, Habits};
use database::TestDatabase;
use gateway::{Gateway, cpu_of};

/// How long is measured, before and during each flood.
const MEASURED: Duration = Duration::from_secs(6);
/// What a flood has to get going, and what it leaves to calm down.
const BETWEEN: Duration = Duration::from_secs(2);
/// Well-behaved clients: some rooms, in which somebody says something now and then.
const QUIET: Habits = Habits { name: "quiet", clients: 40, room: 10, rate: 100, stride: 7 };

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let argument =
        |wanted: &str| arguments::named().find_map(|(name, value)| (name == wanted).then_some(value));
    match (argument("attack"), argument("address")) {
        (Some(attack), Some(address)) => {
            let address: SocketAddr = address.parse().unwrap();
            runtime.block_on(Attack::parse(&attack).unwrap().run(address));
        }
        (only, _) => runtime.block_on(measure(only.as_deref())),
    }
}

async fn measure(only: Option<&str>) {
    let (database, store) = TestDatabase::migrated().await;
    let redis = database::required("PARLANCE_TEST_REDIS_URL");
    println!(
        "flood                 quiet p50  p99 ms   flood p50  p99 ms   ratio p50  p99   CPU of gateway, flooder   MB"
    );
    for attack in Attack::ALL.iter().filter(|attack| only.is_none_or(|only| only == attack.name())) {
        // A new one each time: what one flood left cannot be taken for the next one's.
        let gateway = Gateway::start(&database.url(), &redis, &[]).await;
        let mut crowd = Crowd::connect(gateway.address, QUIET).await;
        crowd.talk(BETWEEN).await;
        let quiet = crowd.talk(MEASURED).await.latencies();
        let flood = Flood::start(*attack, gateway.address);
        crowd.talk(BETWEEN).await;
        let (cpu, flooder) = (gateway.cpu(), cpu_of(flood.0.id()));
        let flooded = crowd.talk(MEASURED).await.latencies();
        let percent = |used: Duration| 100.0 * used.as_secs_f64() / MEASURED.as_secs_f64();
        let (cpu, flooder) = (percent(gateway.cpu() - cpu), percent(cpu_of(flood.0.id()) - flooder));
        drop(flood);
        println!(
            "{:<22}{:>9.2}{:>8.2}{:>12.2}{:>8.2}{:>12.1}{:>5.1}{:>12.0} %{:>8.0} %{:>5.0}",
            attack.name(),
            quiet.p50,
            quiet.p99,
            flooded.p50,
            flooded.p99,
            flooded.p50 / quiet.p50,
            flooded.p99 / quiet.p99,
            cpu,
            flooder,
            gateway.memory() / 1e6,
        );
    }
    store.close().await;
}

/// Somebody who floods; ends with this.
struct Flood(Child);

impl Flood {
    fn start(attack: Attack, address: SocketAddr) -> Self {
        let program = env::current_exe().unwrap();
        let arguments = [format!("attack={}", attack.name()), format!("address={address}")];
        Self(Command::new(program).args(arguments).stdout(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
