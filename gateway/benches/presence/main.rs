//! What presence costs: in steady state, against the plain way of refreshing each user; when users come, go and choose a
//! status; and when a gateway with very many of them dies. `make bench-presence` runs it and prints the figures.
//!
//! The sessions are registered through the broker, as gateways do it: so many real sockets do not fit on one machine beside
//! everything else. A real gateway with as many real sockets as is reasonable shows what its lease costs it. Redis has the
//! configuration of a deployment. Nothing here passes or fails.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a benchmark that cannot go on ends, and nobody drains its tasks"
)]

#[path = "../delivery/arguments.rs"]
mod arguments;
#[expect(dead_code, reason = "another benchmark reads what the clients are sent")]
#[path = "../delivery/client.rs"]
mod client;
mod crowd;
#[path = "../../../store/tests/it/database.rs"]
mod database;
#[expect(dead_code, reason = "another benchmark measures memory")]
#[path = "../delivery/gateway.rs"]
mod gateway;
mod plain;
mod sockets;
mod sweep;
#[path = "../delivery/unlimited.rs"]
mod unlimited;
mod usage;

use std::time::{Duration, Instant};

use crowd::{Cost, Crowd};
use database::TestDatabase;
use parlance_broker::{Broker, BrokerConfig};
use parlance_domain::presence::Status;
use plain::Plain;
use sockets::Idle;
use usage::Usage;

/// How often a lease of thirty seconds is renewed.
const RENEWAL: Duration = Duration::from_secs(10);
/// How often an entry of thirty seconds is refreshed in the plain way.
const REFRESH: Duration = Duration::from_secs(20);

/// What is measured, each to be changed by `name=value` on the command line.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Sessions, of a user each.
    sessions: usize,
    /// Gateways, with equal shares of them.
    gateways: usize,
    /// Users in a conversation.
    room: usize,
    /// How many users choose a status, and how many go.
    sample: usize,
    /// How long a steady state is measured.
    seconds: u64,
    /// Real sockets of a real gateway.
    sockets: usize,
}

fn main() {
    let plan = Plan::from_arguments();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(measure(plan));
}

async fn measure(plan: Plan) {
    let (database, store) = TestDatabase::migrated().await;
    let redis = database::required("PARLANCE_TEST_REDIS_URL");
    let broker = connect(&redis).await;
    println!("{plan:?}");
    let crowd = Crowd::new(&broker, plan).await;
    println!("each                  redis µs  this process µs  a second");
    print_cost("connects", &crowd.connect().await);
    print_cost("joins", &crowd.join().await);
    print_cost("chooses a status", &crowd.choose(Status::Busy).await);
    steady(&broker, &crowd, plan).await;
    println!("each                  redis µs  this process µs  a second");
    print_cost("disconnects", &crowd.disconnect().await);
    sweep::measure(&broker, &crowd, &database.url(), &redis).await;
    idle(&database.url(), &redis, plan).await;
    store.close().await;
}

async fn connect(redis: &str) -> Broker {
    Broker::connect(BrokerConfig {
        url: redis.to_owned(),
        prefix: format!("bench-{:016x}:", rand::random::<u64>()),
        partitions: 16,
        deadline: Duration::from_secs(30),
    })
    .await
    .unwrap()
}

/// While nobody comes or goes.
async fn steady(broker: &Broker, crowd: &Crowd, plan: Plan) {
    println!("steady state of {} sessions   redis % of a core   this process %", crowd.online().await);
    let time = Duration::from_secs(plan.seconds);
    let nothing = repeat(broker, time, time, async || {}).await;
    print_steady("nothing", nothing, time, nothing);
    let leases = repeat(broker, time, RENEWAL, async || crowd.renew().await).await;
    print_steady("leases", leases, time, nothing);
    let mut plain = Plain::new(broker, plan);
    plain.refresh().await;
    let plain = repeat(broker, time, REFRESH, async || plain.refresh().await).await;
    print_steady("each user refreshed", plain, time, nothing);
    let above =
        |usage: Usage| (usage.redis.saturating_sub(nothing.redis), usage.own.saturating_sub(nothing.own));
    let ((redis, own), (plain_redis, plain_own)) = (above(leases), above(plain));
    println!(
        "above nothing, the plain way costs {:.0} times the CPU of redis, {:.0} times that of gateways",
        plain_redis.as_secs_f64() / redis.as_secs_f64().max(1e-6),
        plain_own.as_secs_f64() / own.as_secs_f64().max(1e-6)
    );
}

/// Does something now and then for a time, and says what was used.
async fn repeat(broker: &Broker, time: Duration, period: Duration, mut act: impl AsyncFnMut()) -> Usage {
    let (begin, before) = (Instant::now(), Usage::read(broker).await);
    let mut due = Duration::ZERO;
    while due < time {
        act().await;
        due += period;
        tokio::time::sleep(due.min(time).saturating_sub(begin.elapsed())).await;
    }
    before.since(broker).await
}

/// What a real gateway uses while its sockets do nothing.
async fn idle(database: &str, redis: &str, plan: Plan) {
    println!("a gateway's real sockets, idle   % of a core   with 3 renewals a second   µs a renewal");
    let mut measured = Vec::new();
    for sockets in [0, plan.sockets] {
        let idle = Idle::measure(database, redis, sockets, plan).await;
        let (rare, frequent) = (100.0 * idle.rare, 100.0 * idle.frequent);
        println!("{sockets:>30}{rare:>14.2}{frequent:>27.2}{:>15.0}", 1e6 * idle.renewal());
        measured.push(idle);
    }
    let a_socket = (measured[1].rare - measured[0].rare) / measured[1].sockets as f64;
    println!(
        "extrapolated to 100,000 sockets: {:.2} % of a core for everything but heartbeats, of that {:.4} % for renewing the \
         lease",
        100.0 * (measured[0].rare + 1e5 * a_socket.max(0.0)),
        100.0 * measured[1].renewal() / RENEWAL.as_secs_f64()
    );
}

fn print_cost(what: &str, cost: &Cost) {
    println!("{what:<20}{:>10.1}{:>17.1}{:>10.0}", cost.redis, cost.own, cost.rate);
}

fn print_steady(way: &str, usage: Usage, time: Duration, nothing: Usage) {
    let part = |used: Duration| 100.0 * used.as_secs_f64() / time.as_secs_f64();
    println!(
        "{way:<30}{:>8.3} ({:+.3}){:>13.3} ({:+.3})",
        part(usage.redis),
        part(usage.redis) - part(nothing.redis),
        part(usage.own),
        part(usage.own) - part(nothing.own)
    );
}

impl Plan {
    fn from_arguments() -> Self {
        let mut plan =
            Self { sessions: 100_000, gateways: 2, room: 20, sample: 10_000, seconds: 40, sockets: 2_000 };
        for (name, value) in arguments::named() {
            let number: usize = value.parse().unwrap();
            match name.as_str() {
                "sessions" => plan.sessions = number,
                "gateways" => plan.gateways = number,
                "room" => plan.room = number,
                "sample" => plan.sample = number,
                "seconds" => plan.seconds = number as u64,
                "sockets" => plan.sockets = number,
                _ => eprintln!("{name} is nothing that can be set"),
            }
        }
        plan
    }

    /// Sessions of a gateway.
    fn share(&self) -> usize {
        self.sessions.div_ceil(self.gateways)
    }
}
