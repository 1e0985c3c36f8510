//! Well-behaved clients: some rooms, in which somebody says something now and then.

use std::{
    cell::RefCell,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::{net::tcp::OwnedWriteHalf, task::LocalSet};

use super::client::{self, Client, Latencies, Reader};

const ROOMS: usize = 4;
const CLIENTS_A_ROOM: usize = 10;
/// Messages a second, over all rooms; each is delivered to nine.
const RATE: u32 = 100;

/// Connected clients, who read all the time.
pub struct Crowd {
    writers: Vec<OwnedWriteHalf>,
    latencies: Rc<RefCell<Vec<u32>>>,
    begin: Instant,
    tasks: LocalSet,
}

impl Crowd {
    /// Connects all and lets them join.
    pub async fn connect(address: SocketAddr) -> Self {
        let (begin, tasks) = (Instant::now(), LocalSet::new());
        let latencies: Rc<RefCell<Vec<u32>>> = Rc::default();
        let mut writers = Vec::new();
        for number in 0..ROOMS * CLIENTS_A_ROOM {
            let mut client = Client::connect(address, &format!("quiet-{number}")).await;
            let join = json!(["conversation:join", {"conversationId": room(number)}]);
            client.send(&format!("420{join}")).await.unwrap();
            client.wait_for("430[").await.unwrap();
            let (reader, writer) = client.split();
            tasks.spawn_local(receive(reader, Rc::clone(&latencies), begin));
            writers.push(writer);
        }
        Self { writers, latencies, begin, tasks }
    }

    /// Lets them talk for some time, and says how long deliveries took.
    pub async fn talk(&mut self, time: Duration) -> Latencies {
        self.latencies.borrow_mut().clear();
        self.tasks.run_until(say(&mut self.writers, time, self.begin)).await;
        let mut latencies = self.latencies.take();
        latencies.sort_unstable();
        let at = |part: f64| {
            let index = (latencies.len() as f64 * part) as usize;
            f64::from(latencies[index.min(latencies.len() - 1)]) / 1e3
        };
        Latencies { p50: at(0.5), p99: at(0.99) }
    }
}

/// Says something at the rate, somebody else each time.
async fn say(writers: &mut [OwnedWriteHalf], time: Duration, begin: Instant) {
    let start = Instant::now();
    let total = RATE * u32::try_from(time.as_secs()).unwrap();
    for count in 0..total {
        tokio::time::sleep((time * count / total).saturating_sub(start.elapsed())).await;
        let number = (count as usize * 7) % writers.len();
        let content = client::content(begin);
        let message = json!(["message:send", {"conversationId": room(number), "content": content}]);
        client::send(&mut writers[number], &format!("421{message}")).await.unwrap();
    }
    tokio::time::sleep(time.saturating_sub(start.elapsed())).await;
}

fn room(number: usize) -> String {
    format!("quiet-room-{}", number / CLIENTS_A_ROOM)
}

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
