//! The sockets of each user: what is published for a user reaches all of them, whatever they have joined.
//!
//! [`Users`] is a handle on a few workers. A user belongs to one of them, by his id; that worker alone notes and forgets
//! his sockets, subscribes and unsubscribes, and hands events on, so none of these can overtake another. There is one
//! subscription a user, however many sockets he has here.

mod deliver;
mod devices;
mod everyone;
mod line;
mod subscription;
mod worker;

use std::{sync::Arc, time::Duration};

use parlance_broker::{
    Broker,
    partition::{Partition, Partitions},
    subscriber::Subscriber,
};
use parlance_chassis::lifecycle;
use parlance_domain::id::UserId;

use crate::{
    dialect::Dialects, fanout::Member, limits::Limit, membership::Membership, socket::session::Session,
    workers::Workers,
};
use everyone::Everyone;
use worker::{Task, Worker};

/// How many bytes of publications may wait for one worker.
const QUEUE_BYTES: usize = 32 * 1024 * 1024;

/// A handle on the workers; cheap to clone.
#[derive(Clone)]
pub struct Users {
    workers: Workers<Task>,
    /// What is published for everybody.
    everyone: Arc<Everyone>,
}

/// Tells a socket that it is ready. Called exactly once, by the user's worker before it hands on the next event, so it
/// must not block.
pub type Greet = Box<dyn FnOnce() + Send>;

/// What the workers are made of.
pub struct Parts {
    /// Where users are subscribed.
    pub subscriber: Subscriber,
    /// Where it stands whose tokens were revoked.
    pub broker: Broker,
    /// What tokens let users use.
    pub membership: Membership,
    /// What events are encoded for.
    pub dialects: Dialects,
    /// How long a subscription may take.
    pub deadline: Duration,
    /// How many workers there are.
    pub workers: usize,
}

/// What the workers have in common.
struct Shared {
    broker: Broker,
    subscriber: Subscriber,
    partitions: Partitions,
    membership: Membership,
    dialects: Dialects,
    deadline: Duration,
    lifecycle: lifecycle::Handle,
}

impl Users {
    /// Starts the workers.
    pub fn start(parts: Parts, lifecycle: &lifecycle::Handle) -> Self {
        let everyone = Arc::new(Everyone::new(&parts, lifecycle));
        let shared = Arc::new(Shared {
            partitions: parts.broker.keys().partitions().clone(),
            broker: parts.broker,
            subscriber: parts.subscriber,
            membership: parts.membership,
            dialects: parts.dialects,
            deadline: parts.deadline,
            lifecycle: lifecycle.clone(),
        });
        let start = |inlet| {
            let worker = Worker::new(shared.clone(), inlet);
            lifecycle.spawn_support("user worker", worker.run(lifecycle.hard()));
        };
        Self { workers: Workers::start(parts.workers, QUEUE_BYTES, start), everyone }
    }

    /// Notes a socket; `greet` is called when the user's channel is subscribed, or cannot be subscribed now. From
    /// then on the socket gets the user's events.
    pub async fn connected(&self, socket: &Arc<Session>, greet: Greet) {
        let task = Task::Connected { member: Member::of(socket), greet };
        self.workers.of(&socket.user).ask(task).await;
    }

    /// Looks again whether the token by which a socket lives was revoked: it has another one.
    pub async fn renewed(&self, socket: &Session) {
        let task = Task::Renewed { user: socket.user.clone() };
        self.workers.of(&socket.user).ask(task).await;
    }

    /// Forgets a socket, which has ended before.
    pub async fn gone(&self, socket: &Session) {
        let task = Task::Gone { user: socket.user.clone(), socket: socket.key };
        self.workers.of(&socket.user).ask(task).await;
    }

    /// Subscribes again to every user of `partition`, or to all, and to what is for everybody.
    pub(crate) async fn resubscribe(&self, partition: Option<Partition>) {
        self.everyone.resubscribe(partition);
        self.workers.ask_all(|| Task::Resubscribe { partition }).await;
    }

    /// Hears what is for everybody from now on, if a dialect wants it that was loaded meanwhile.
    pub fn hear_everyone(&self) {
        self.everyone.resubscribe(None);
    }

    /// Puts a publication in its worker's queue; false when it does not fit and was dropped.
    pub(crate) fn publish(&self, user: UserId, payload: String) -> bool {
        let (queue, bytes) = (self.workers.of(&user), payload.len());
        queue.publish(Task::Published { user, payload }, bytes)
    }

    /// Puts the presence of a user in the queues of all workers, for those of their sockets that are told of everybody's.
    /// Where too many wait already it is dropped, and counted.
    pub(crate) fn announce(&self, payload: &str) {
        let places = self.everyone.places();
        if places.iter().all(Option::is_none) {
            return;
        }
        let Some(announced) = self.everyone.read(payload).map(Arc::new) else { return };
        for (queue, place) in self.workers.queues().zip(places) {
            let Some(place) = place else { continue };
            if queue.try_ask(Task::Announced { announced: announced.clone(), place }).is_err() {
                Limit::Presences.count();
            }
        }
    }
}
