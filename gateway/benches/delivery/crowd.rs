//! Clients in conversations, who read all the time and write by turns, and how long deliveries among them take.

use std::{
    cell::RefCell,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::{net::tcp::OwnedWriteHalf, task::LocalSet};

use super::client::{self, Client, Reader};

/// Who is in a crowd, and how much they say.
#[derive(Debug, Clone, Copy)]
pub struct Habits {
    /// What the names of users and conversations begin with.
    pub name: &'static str,
    /// Clients, of a user each.
    pub clients: usize,
    /// Clients in a conversation.
    pub room: usize,
    /// Messages a second, over all conversations.
    pub rate: u32,
    /// How far the next who writes is behind the one before. Has no divisor in common with `clients`, so that all take
    /// turns, and so do the conversations.
    pub stride: usize,
}

/// Connected clients.
pub struct Crowd {
    habits: Habits,
    writers: Vec<OwnedWriteHalf>,
    deliveries: Rc<RefCell<Deliveries>>,
    begin: Instant,
    tasks: LocalSet,
}

/// How long deliveries took.
#[derive(Default)]
pub struct Deliveries {
    /// Microseconds, one for each.
    pub times: Vec<u32>,
}

/// Milliseconds.
pub struct Latencies {
    /// Half of all are shorter.
    pub p50: f64,
    /// All but one in a hundred are.
    pub p99: f64,
}

impl Crowd {
    /// Connects all and lets them join.
    pub async fn connect(address: SocketAddr, habits: Habits) -> Self {
        let (begin, tasks) = (Instant::now(), LocalSet::new());
        let deliveries: Rc<RefCell<Deliveries>> = Rc::default();
        let mut writers = Vec::with_capacity(habits.clients);
        for number in 0..habits.clients {
            let mut client = Client::connect(address, &format!("{}-{number}", habits.name)).await;
            let join = json!(["conversation:join", {"conversationId": habits.conversation(number)}]);
            client.send(&format!("420{join}")).await.unwrap();
            client.wait_for("430[").await.unwrap();
            let (reader, writer) = client.split();
            tasks.spawn_local(receive(reader, Rc::clone(&deliveries), begin));
            writers.push(writer);
        }
        Self { habits, writers, deliveries, begin, tasks }
    }

    /// Lets them talk for some time, and says what was delivered meanwhile.
    pub async fn talk(&mut self, time: Duration) -> Deliveries {
        self.deliveries.take();
        self.tasks.run_until(write(&mut self.writers, self.habits, time, self.begin)).await;
        self.deliveries.take()
    }
}

impl Habits {
    fn conversation(&self, number: usize) -> String {
        format!("{}-room-{}", self.name, number / self.room)
    }
}

impl Deliveries {
    pub fn latencies(mut self) -> Latencies {
        self.times.sort_unstable();
        let at = |part: f64| {
            let index = (self.times.len() as f64 * part) as usize;
            f64::from(self.times[index.min(self.times.len() - 1)]) / 1e3
        };
        Latencies { p50: at(0.5), p99: at(0.99) }
    }
}

/// Pings need no answer: all is over before the first is missed.
async fn receive(mut reader: Reader, deliveries: Rc<RefCell<Deliveries>>, begin: Instant) {
    loop {
        let each = |packet: &[u8]| {
            if let Some(age) = client::age(packet, begin) {
                deliveries.borrow_mut().times.push(u32::try_from(age.as_micros()).unwrap_or(u32::MAX));
            }
        };
        reader.packets(each).await.unwrap();
    }
}

/// Writes at the rate, whatever becomes of it.
async fn write(writers: &mut [OwnedWriteHalf], habits: Habits, time: Duration, begin: Instant) {
    let start = Instant::now();
    let total = habits.rate * u32::try_from(time.as_secs()).unwrap();
    for count in 0..total {
        tokio::time::sleep((time * count / total).saturating_sub(start.elapsed())).await;
        let number = (count as usize * habits.stride) % writers.len();
        let content = client::content(begin);
        let message =
            json!(["message:send", {"conversationId": habits.conversation(number), "content": content}]);
        client::send(&mut writers[number], &format!("421{message}")).await.unwrap();
    }
    tokio::time::sleep(time.saturating_sub(start.elapsed())).await;
}
