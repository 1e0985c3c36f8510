//! Many sessions, registered as gateways do it: connected users, each in a conversation.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use parlance_broker::{
    Broker,
    lease::{LeaseId, Leases, Renewal},
    members::{Changes, Members},
    presence::{ConnectedSession, Presences},
};
use parlance_domain::{
    id::{ConversationId, SessionId, UserId},
    presence::Status,
    time::Timestamp,
    user::Profile,
};

use super::{Plan, usage::Usage};

/// Of how many users Redis is told at the same time, as a gateway does it.
const IN_FLIGHT: usize = 64;
/// Up to how many members are announced; a conversation here has fewer.
const ANNOUNCED: u64 = 200;
/// Longer than all that is measured.
pub const TTL: Duration = Duration::from_secs(3_600);

/// All sessions, in equal shares under some leases.
pub struct Crowd {
    broker: Broker,
    leases: Leases,
    presences: Presences,
    members: Members,
    /// One for each gateway.
    pub held: Vec<LeaseId>,
    plan: Plan,
}

/// What something cost, for each user.
pub struct Cost {
    /// Microseconds of the CPU of Redis.
    pub redis: f64,
    /// Microseconds of the CPU of this process.
    pub own: f64,
    /// How many users a second.
    pub rate: f64,
}

impl Crowd {
    /// With leases, and nobody connected.
    pub async fn new(broker: &Broker, plan: Plan) -> Self {
        let crowd = Self {
            leases: Leases::new(broker.clone()),
            presences: Presences::new(broker.clone()),
            members: Members::new(broker.clone()),
            held: (0..plan.gateways).map(|_| LeaseId::new("bench", rand::random())).collect(),
            broker: broker.clone(),
            plan,
        };
        for lease in &crowd.held {
            crowd.leases.take(lease, TTL).await.unwrap();
        }
        crowd
    }

    /// Does something for these users.
    async fn each<F: Future<Output = ()>>(
        &self,
        numbers: std::ops::Range<usize>,
        act: impl Fn(usize) -> F,
    ) -> Cost {
        let (count, begin, before) = (numbers.len() as f64, Instant::now(), Usage::read(&self.broker).await);
        stream::iter(numbers).map(act).buffer_unordered(IN_FLIGHT).collect::<()>().await;
        let (spent, time) = (before.since(&self.broker).await, begin.elapsed());
        let micros = |time: Duration| time.as_secs_f64() * 1e6 / count;
        Cost { redis: micros(spent.redis), own: micros(spent.own), rate: count / time.as_secs_f64() }
    }

    /// Everybody connects.
    pub async fn connect(&self) -> Cost {
        self.each(0..self.plan.sessions, |number| async move {
            let session = ConnectedSession {
                id: session(number),
                dialect: "native".into(),
                since: Timestamp(1_769_851_800_000),
            };
            let step = self.presences.connect(self.lease(number), &user(number), &session).await.unwrap();
            self.presences.announce(&step.unwrap()).await.unwrap();
        })
        .await
    }

    /// Everybody joins a conversation.
    pub async fn join(&self) -> Cost {
        self.each(0..self.plan.sessions, |number| async move {
            let changes = Changes { came: vec![Profile::unknown(user(number))], ..Changes::default() };
            let conversation = self.conversation(number);
            let changed =
                self.members.change(self.lease(number), &conversation, &changes, ANNOUNCED).await.unwrap();
            assert_eq!(changed.came.len(), 1);
            self.presences.visit(&user(number), &session(number), &conversation).await.unwrap();
        })
        .await
    }

    /// The first of them choose a status.
    pub async fn choose(&self, status: Status) -> Cost {
        self.each(0..self.plan.sample, |number| async move {
            let set = self.presences.set_status(&user(number), status).await.unwrap();
            let (_, step) = set.unwrap();
            self.presences.announce(&step.unwrap()).await.unwrap();
        })
        .await
    }

    /// The first of them disconnect.
    pub async fn disconnect(&self) -> Cost {
        self.each(0..self.plan.sample, |number| async move {
            let lease = self.lease(number);
            let step = self.presences.disconnect(lease, &user(number), &session(number)).await.unwrap();
            self.presences.announce(&step.unwrap()).await.unwrap();
            let changes = Changes { went: vec![user(number)], ..Changes::default() };
            self.members.change(lease, &self.conversation(number), &changes, ANNOUNCED).await.unwrap();
        })
        .await
    }

    /// Each gateway renews its lease.
    pub async fn renew(&self) {
        for lease in &self.held {
            assert_eq!(self.leases.renew(lease, TTL).await.unwrap(), Renewal::Held);
        }
    }

    /// A gateway dies, and what stood under its lease counts no longer.
    pub async fn die(&self, lease: &LeaseId) {
        self.leases.end(lease, Duration::ZERO).await.unwrap();
    }

    /// Who is online.
    pub async fn online(&self) -> u64 {
        self.presences.online(None, 1).await.unwrap().total
    }

    /// Whether nothing stands under a lease any more.
    pub async fn is_swept(&self, lease: &LeaseId) -> bool {
        for partition in self.broker.keys().partitions().all() {
            if !self.leases.registrations(partition, lease, 1).await.unwrap().is_empty() {
                return false;
            }
        }
        true
    }

    /// Users of one conversation are at one gateway, and those of each gateway stand together.
    fn lease(&self, number: usize) -> &LeaseId {
        &self.held[number / self.plan.share()]
    }

    fn conversation(&self, number: usize) -> ConversationId {
        ConversationId::new(format!("room-{}", number / self.plan.room)).unwrap()
    }
}

/// Ids as long as UUIDs are.
pub fn user(number: usize) -> UserId {
    UserId::new(format!("{number:08x}-1111-4222-8333-444444444444")).unwrap()
}

fn session(number: usize) -> SessionId {
    SessionId::new(format!("{number:022}")).unwrap()
}
