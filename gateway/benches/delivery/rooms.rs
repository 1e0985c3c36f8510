//! Sockets in conversations that somebody always writes to.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::task::LocalSet;

use super::Plan;
use super::client::{self, Client, Latencies, Reader};
use super::gateway::Gateway;

/// Before anything is counted.
const WARM_UP: Duration = Duration::from_secs(3);

/// What a run has brought.
pub struct Run {
    cpu: Duration,
    time: Duration,
    /// Microseconds, one for each delivery.
    latencies: Vec<u32>,
}

impl Run {
    /// Microseconds of the gateway's CPU a delivery.
    pub fn cost(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.latencies.len() as f64
    }

    pub fn deliveries_per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.time.as_secs_f64()
    }

    pub fn latencies(&mut self) -> Latencies {
        self.latencies.sort_unstable();
        let at = |part: f64| {
            let index = (self.latencies.len() as f64 * part) as usize;
            f64::from(self.latencies[index.min(self.latencies.len() - 1)]) / 1e3
        };
        Latencies { p50: at(0.5), p99: at(0.99) }
    }
}

/// Fills the rooms and measures.
pub async fn run(gateway: &Gateway, plan: Plan) -> Run {
    let begin = Instant::now();
    let latencies: Rc<RefCell<Vec<u32>>> = Rc::default();
    let tasks = LocalSet::new();
    let mut writers = Vec::with_capacity(plan.sockets);
    for number in 0..plan.sockets {
        let mut client = Client::connect(gateway.address, &format!("user-{number}")).await;
        let join = json!(["conversation:join", {"conversationId": conversation(number, plan)}]);
        client.send(&format!("420{join}")).await.unwrap();
        client.wait_for("430[").await.unwrap();
        let (reader, writer) = client.split();
        tasks.spawn_local(receive(reader, Rc::clone(&latencies), begin));
        writers.push(writer);
    }
    tasks
        .run_until(async {
            write(&mut writers, plan, WARM_UP, begin).await;
            latencies.borrow_mut().clear();
            let (cpu, start) = (gateway.cpu(), Instant::now());
            write(&mut writers, plan, Duration::from_secs(plan.seconds), begin).await;
            Run { cpu: gateway.cpu() - cpu, time: start.elapsed(), latencies: latencies.take() }
        })
        .await
}

fn conversation(number: usize, plan: Plan) -> String {
    format!("room-{}", number / plan.room)
}

/// Pings need no answer: a run is over before the first is missed.
async fn receive(mut reader: Reader, latencies: Rc<RefCell<Vec<u32>>>, begin: Instant) {
    loop {
        let each = |packet: &[u8]| {
            if let Some(age) = client::age(packet, begin) {
                latencies.borrow_mut().push(u32::try_from(age.as_micros()).unwrap_or(u32::MAX));
            }
        };
        reader.packets(each).await.unwrap();
    }
}

/// Writes at the plan's rate, a different socket each time, whatever becomes of it.
async fn write(writers: &mut [OwnedWriteHalf], plan: Plan, time: Duration, begin: Instant) {
    let start = Instant::now();
    let total = u32::try_from(time.as_secs()).unwrap() * plan.rate;
    for count in 0..total {
        let due = time * count / total;
        tokio::time::sleep(due.saturating_sub(start.elapsed())).await;
        // A prime, so that the rooms take turns.
        let number = (count as usize * 7_919) % writers.len();
        let content = client::content(begin);
        let message =
            json!(["message:send", {"conversationId": conversation(number, plan), "content": content}]);
        client::send(&mut writers[number], &format!("421{message}")).await.unwrap();
    }
    tokio::time::sleep(time.saturating_sub(start.elapsed())).await;
}
