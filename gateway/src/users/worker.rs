//! A worker: owns its share of the users and does everything to them, one task after the other. What waits for Redis
//! runs beside it and posts its result back as a task.

use std::{collections::HashMap, convert::Infallible, sync::Arc};

use parlance_broker::partition::Partition;
use parlance_chassis::lifecycle::CancellationToken;
use parlance_domain::id::UserId;

use super::{Greet, Shared, devices::Devices, everyone::Announced, line::Place, subscription::Subscribed};
use crate::{fanout::Member, workers::Inlet};

/// How many tasks are taken at once, so that what they write to a socket leaves together.
const BATCH: usize = 64;

/// What a worker is asked to do.
pub(super) enum Task {
    Connected { member: Member, greet: Greet },
    Gone { user: UserId, socket: u64 },
    Renewed { user: UserId },
    Published { user: UserId, payload: String },
    Announced { announced: Arc<Announced>, place: Place },
    Subscribed { user: UserId, outcome: Subscribed },
    Idle { user: UserId, generation: u64 },
    Unsubscribed { user: UserId },
    Resubscribe { partition: Option<Partition> },
}

/// One worker. Ends when `hard` is cancelled.
pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) users: HashMap<UserId, Devices>,
    pub(super) delivered: metrics::Counter,
    inlet: Inlet<Task>,
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, inlet: Inlet<Task>) -> Self {
        let delivered = metrics::counter!(crate::metrics::USER_DELIVERIES.name);
        Self { shared, users: HashMap::new(), delivered, inlet }
    }

    pub(super) async fn run(mut self, hard: CancellationToken) -> Result<(), Infallible> {
        let mut tasks = Vec::with_capacity(BATCH);
        loop {
            let received = tokio::select! {
                () = hard.cancelled() => return Ok(()),
                received = self.inlet.tasks.recv_many(&mut tasks, BATCH) => received,
            };
            if received == 0 {
                return Ok(());
            }
            for task in tasks.drain(..) {
                self.perform(task).await;
            }
            tokio::task::yield_now().await;
        }
    }

    async fn perform(&mut self, task: Task) {
        match task {
            Task::Connected { member, greet } => self.connected(member, greet),
            Task::Gone { user, socket } => self.gone(&user, socket),
            Task::Published { user, payload } => {
                self.inlet.took(payload.len());
                self.published(&user, &payload);
            }
            Task::Renewed { user } => self.dismiss_revoked(&user),
            Task::Announced { announced, place } => {
                drop(place);
                self.announced(&announced).await;
                // Each may be for every socket; other tasks of the runtime do not wait for a whole batch of them.
                tokio::task::yield_now().await;
            }
            Task::Subscribed { user, outcome } => self.subscribed(&user, outcome),
            Task::Idle { user, generation } => self.idle(&user, generation),
            Task::Unsubscribed { user } => self.unsubscribed(user),
            Task::Resubscribe { partition } => self.resubscribe(partition),
        }
    }

    /// Runs something that waits beside the worker; its result comes back as a task.
    pub(super) fn beside<F>(&self, name: &'static str, work: impl FnOnce(Arc<Shared>) -> F + Send + 'static)
    where
        F: Future<Output = Task> + Send + 'static,
    {
        self.inlet.beside(&self.shared.lifecycle, name, work(self.shared.clone()));
    }
}
