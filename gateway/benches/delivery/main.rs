//! What a delivery costs a gateway: CPU a delivered message, latency, and memory an idle socket, with the lane past the
//! Socket.IO engine and without it. `make bench` runs it and prints the figures of both ways, and their ratios.
//!
//! The gateway is the release binary in a process of its own; clients are bare sockets, so that they cost little. The
//! two ways are measured by turns, so that what else happens on the machine meets both. Nothing here passes or fails.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a benchmark that cannot go on ends"
)]

mod arguments;
mod client;
mod crowd;
#[path = "../../../store/tests/it/database.rs"]
mod database;
mod gateway;
mod idle;
mod rooms;
mod unlimited;

use crowd::Latencies;
use database::TestDatabase;
use gateway::Gateway;

/// What is measured, each to be changed by `name=value` on the command line.
#[derive(Debug, Clone, Copy)]
struct Plan {
    /// Connected sockets.
    sockets: usize,
    /// Sockets in a conversation.
    room: usize,
    /// Messages a second, over all conversations.
    rate: u32,
    /// How long is measured.
    seconds: u64,
    /// How often each way is measured.
    rounds: usize,
    /// Sockets of a wave that do nothing.
    idle: usize,
    /// Waves of them.
    waves: usize,
}

fn main() {
    let plan = Plan::from_arguments();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(measure(plan));
}

async fn measure(plan: Plan) {
    let (database, store) = TestDatabase::migrated().await;
    let redis = database::required("PARLANCE_TEST_REDIS_URL");
    println!("{plan:?}");
    println!("lane  µs/delivery  deliveries/s  p50 ms  p99 ms");
    let mut costs = [Vec::new(), Vec::new()];
    for _ in 0..plan.rounds {
        for (way, fast_lane) in [true, false].into_iter().enumerate() {
            let gateway = start(&database, &redis, fast_lane).await;
            let run = rooms::run(&gateway, plan).await;
            let (cost, rate) = (run.cost(), run.deliveries_per_second());
            let Latencies { p50, p99 } = run.latencies();
            println!("{:<4}  {cost:>11.2}  {rate:>12.0}  {p50:>6.2}  {p99:>6.2}", name(fast_lane));
            costs[way].push(cost);
        }
    }
    let [on, off] = costs.map(|mut costs| median(&mut costs));
    println!("median on {on:.2} µs, off {off:.2} µs: {:.1} % less with the lane", 100.0 * (1.0 - on / off));
    for fast_lane in [true, false] {
        let gateway = start(&database, &redis, fast_lane).await;
        let waves = idle::waves(&gateway, plan).await;
        let waves: Vec<String> = waves.iter().map(|bytes| format!("{:.1}", bytes / 1024.0)).collect();
        println!("idle sockets, lane {}: {} KB each, wave by wave", name(fast_lane), waves.join(", "));
    }
    store.close().await;
}

async fn start(database: &TestDatabase, redis: &str, fast_lane: bool) -> Gateway {
    let lane = ("SOCKET__FAST_LANE", if fast_lane { "true" } else { "false" });
    let settings: Vec<_> = unlimited::UNLIMITED.into_iter().chain([lane]).collect();
    Gateway::start(&database.url(), redis, &settings).await
}

impl Plan {
    fn from_arguments() -> Self {
        let mut plan =
            Self { sockets: 1_000, room: 20, rate: 1_500, seconds: 10, rounds: 3, idle: 4_000, waves: 4 };
        for (name, value) in arguments::named() {
            let number: usize = value.parse().unwrap();
            match name.as_str() {
                "sockets" => plan.sockets = number,
                "room" => plan.room = number,
                "rate" => plan.rate = u32::try_from(number).unwrap(),
                "seconds" => plan.seconds = number as u64,
                "rounds" => plan.rounds = number,
                "idle" => plan.idle = number,
                "waves" => plan.waves = number,
                _ => eprintln!("{name} is nothing that can be set"),
            }
        }
        plan
    }
}

fn name(fast_lane: bool) -> &'static str {
    if fast_lane { "on" } else { "off" }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
