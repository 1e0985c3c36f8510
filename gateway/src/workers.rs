//! Workers that own things by key: everything about one key is done by one worker, one task after the other, so that
//! nothing about it can overtake anything else. What has to wait runs beside the worker and posts its result back as a
//! task. `fanout` has such workers for conversations, `users` for users.

use std::{
    convert::Infallible,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use parlance_chassis::lifecycle::Handle;
use tokio::sync::mpsc;

/// How many tasks may wait for one worker.
const QUEUE: usize = 16 * 1024;

/// The queues of the workers; cheap to clone.
pub(crate) struct Workers<T>(Arc<[Queue<T>]>);

impl<T> Clone for Workers<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// The queue of one worker.
pub(crate) struct Queue<T> {
    tasks: mpsc::Sender<T>,
    /// Of publications in it.
    bytes: Arc<AtomicUsize>,
    most_bytes: usize,
}

/// A worker's side of its queue.
pub(crate) struct Inlet<T> {
    /// What it is asked to do.
    pub(crate) tasks: mpsc::Receiver<T>,
    bytes: Arc<AtomicUsize>,
    results: mpsc::WeakSender<T>,
}

impl<T: Send + 'static> Workers<T> {
    /// Queues for `count` workers, at least one, each of which `start` is given its side. Publications of `most_bytes`
    /// may wait in one queue.
    pub(crate) fn start(count: usize, most_bytes: usize, mut start: impl FnMut(Inlet<T>)) -> Self {
        let queue = |_| {
            let (sender, tasks) = mpsc::channel(QUEUE);
            let bytes = Arc::new(AtomicUsize::new(0));
            start(Inlet { tasks, bytes: bytes.clone(), results: sender.downgrade() });
            Queue { tasks: sender, bytes, most_bytes }
        };
        Self((0..count.max(1)).map(queue).collect())
    }

    /// The queue of the worker that owns this key.
    #[expect(clippy::indexing_slicing, reason = "the index is a remainder of the length, which is not 0")]
    pub(crate) fn of(&self, key: &impl Hash) -> &Queue<T> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let index = hasher.finish() % self.0.len() as u64;
        &self.0[usize::try_from(index).unwrap_or(0)]
    }

    /// The queue of each worker.
    pub(crate) fn queues(&self) -> impl Iterator<Item = &Queue<T>> {
        self.0.iter()
    }

    /// Asks every worker.
    pub(crate) async fn ask_all(&self, task: impl Fn() -> T) {
        for queue in self.0.iter() {
            // A closed queue is one of a gateway that has ended.
            let _ = queue.tasks.send(task()).await;
        }
    }
}

impl<T> Queue<T> {
    /// Asks the worker, and waits while too much waits for it; false when it has ended.
    pub(crate) async fn ask(&self, task: T) -> bool {
        self.tasks.send(task).await.is_ok()
    }

    /// Asks the worker now; gives the task back when too much waits for it.
    pub(crate) fn try_ask(&self, task: T) -> Result<(), T> {
        self.tasks.try_send(task).map_err(mpsc::error::TrySendError::into_inner)
    }

    /// Hands on a publication of so many bytes, of which the worker must say [`Inlet::took`]; false when it does not
    /// fit and was dropped.
    pub(crate) fn publish(&self, task: T, bytes: usize) -> bool {
        if self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= self.most_bytes
            && self.tasks.try_send(task).is_ok()
        {
            return true;
        }
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        false
    }
}

impl<T: Send + 'static> Inlet<T> {
    /// A publication of so many bytes waits no longer.
    pub(crate) fn took(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Where results are posted, as long as somebody can still ask the worker for anything.
    pub(crate) fn results(&self) -> Option<mpsc::Sender<T>> {
        self.results.upgrade()
    }

    /// Runs something that waits beside the worker; its result comes back as a task. Support: what waits for Redis must
    /// not hold up the drain.
    pub(crate) fn beside(
        &self,
        lifecycle: &Handle,
        name: &'static str,
        work: impl Future<Output = T> + Send + 'static,
    ) {
        let Some(results) = self.results.upgrade() else {
            return;
        };
        let hard = lifecycle.hard();
        lifecycle.spawn_support(name, async move {
            tokio::select! {
                () = hard.cancelled() => {}
                task = work => {
                    // The worker has ended, and with it all that it knew.
                    let _ = results.send(task).await;
                }
            }
            Ok::<(), Infallible>(())
        });
    }
}
