//! The sockets of each user: what is published for a user reaches all of them, whatever they have joined.
//!
//! [`Users`] is a handle on a few workers. A user belongs to one of them, by his id; that worker alone notes and forgets
//! his sockets, subscribes and unsubscribes, and hands events on, so none of these can overtake another. There is one
//! subscription a user, however many sockets he has here.

mod deliver;
mod devices;
mod subscription;
mod worker;

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use parlance_broker::{
    partition::{Partition, Partitions},
    subscriber::Subscriber,
};
use parlance_chassis::lifecycle;
use parlance_domain::id::UserId;
use tokio::sync::mpsc;

use crate::{dialect::Dialects, fanout::Member, socket::session::Session};
use worker::{Task, Worker};

/// How many tasks may wait for one worker.
const QUEUE: usize = 16 * 1024;
/// How many bytes of publications may wait for one worker.
const QUEUE_BYTES: usize = 32 * 1024 * 1024;

/// A handle on the workers; cheap to clone.
#[derive(Clone)]
pub struct Users {
    workers: Arc<[Queue]>,
}

/// The queue of one worker.
#[derive(Clone)]
struct Queue {
    tasks: mpsc::Sender<Task>,
    /// Bytes of publications in it.
    bytes: Arc<AtomicUsize>,
}

/// Tells a socket that it is ready. Called exactly once, by the user's worker before it hands on the next event, so it
/// must not block.
pub type Greet = Box<dyn FnOnce() + Send>;

/// What the workers are made of.
pub struct Parts {
    /// Where users are subscribed.
    pub subscriber: Subscriber,
    /// Which partition a user is of.
    pub partitions: Partitions,
    /// What events are encoded for.
    pub dialects: Dialects,
    /// How long a subscription may take.
    pub deadline: Duration,
    /// How many workers there are.
    pub workers: usize,
}

/// What the workers have in common.
struct Shared {
    subscriber: Subscriber,
    partitions: Partitions,
    dialects: Dialects,
    deadline: Duration,
    lifecycle: lifecycle::Handle,
}

impl Users {
    /// Starts the workers.
    pub fn start(parts: Parts, lifecycle: &lifecycle::Handle) -> Self {
        let count = parts.workers.max(1);
        let shared = Arc::new(Shared {
            subscriber: parts.subscriber,
            partitions: parts.partitions,
            dialects: parts.dialects,
            deadline: parts.deadline,
            lifecycle: lifecycle.clone(),
        });
        let start = |_| {
            let (tasks, queue) = mpsc::channel(QUEUE);
            let bytes = Arc::new(AtomicUsize::new(0));
            let worker = Worker::new(shared.clone(), tasks.downgrade(), queue, bytes.clone());
            lifecycle.spawn_support("user worker", worker.run(lifecycle.hard()));
            Queue { tasks, bytes }
        };
        Self { workers: (0..count).map(start).collect() }
    }

    /// Notes a socket; `greet` is called when the user's channel is subscribed, or cannot be subscribed now. From
    /// then on the socket gets the user's events.
    pub async fn connected(&self, socket: &Arc<Session>, greet: Greet) {
        let task = Task::Connected { member: Member::of(socket), greet };
        // A closed queue is one of a gateway that has ended.
        let _ = self.queue(&socket.user).tasks.send(task).await;
    }

    /// Forgets a socket, which has ended before.
    pub async fn gone(&self, socket: &Session) {
        let task = Task::Gone { user: socket.user.clone(), socket: socket.key };
        let _ = self.queue(&socket.user).tasks.send(task).await;
    }

    /// Subscribes again to every user of `partition`, or to all.
    pub(crate) async fn resubscribe(&self, partition: Option<Partition>) {
        for queue in self.workers.iter() {
            let _ = queue.tasks.send(Task::Resubscribe { partition }).await;
        }
    }

    /// Puts a publication in its worker's queue; false when it does not fit and was dropped.
    pub(crate) fn publish(&self, user: UserId, payload: String) -> bool {
        let queue = self.queue(&user);
        let bytes = payload.len();
        if queue.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= QUEUE_BYTES
            && queue.tasks.try_send(Task::Published { user, payload }).is_ok()
        {
            return true;
        }
        queue.bytes.fetch_sub(bytes, Ordering::Relaxed);
        false
    }

    #[expect(clippy::indexing_slicing, reason = "the index is a remainder of the length, which is not 0")]
    fn queue(&self, user: &UserId) -> &Queue {
        let mut hasher = DefaultHasher::new();
        user.hash(&mut hasher);
        let index = hasher.finish() % self.workers.len() as u64;
        &self.workers[usize::try_from(index).unwrap_or(0)]
    }
}
