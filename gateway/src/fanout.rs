//! Fan-out: one subscription a conversation, however many of this gateway's sockets have joined it, and every
//! event handed to each of them once and in order.
//!
//! [`Fanout`] is a handle on a few dispatch workers. A conversation belongs to one of them, by its id; that worker
//! alone joins and leaves sockets, subscribes and unsubscribes, and hands events on, so none of these can
//! overtake another. The receiving task only looks at the channel and puts the publication in the worker's queue.

mod attendance;
mod crowd;
mod dispatch;
mod encoded;
mod handed;
mod listing;
mod order;
mod probe;
mod receive;
mod repair;
mod resume;
mod room;

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use parlance_broker::{
    Broker,
    append::Acl,
    members::Members,
    partition::Partition,
    subscriber::{Inbox, Subscriber},
};
use parlance_chassis::{
    clock::Clock,
    lifecycle::{self, CancellationToken},
    readiness::Check,
    traces::Traces,
};
use parlance_domain::{
    id::{ConversationId, SessionId, UserId},
    rejection::{Code, Rejection},
    version::Heads,
};
use parlance_store::Store;
use tokio::sync::{Semaphore, oneshot};

use crate::{
    command::receipts::Receipts,
    dialect::{Dialects, view},
    membership::Membership,
    presence::lease::Lease,
    socket::{cluster::ClusterDriver, session::Session},
    typing::Typing,
    users::Users,
    workers::Workers,
};
use attendance::{Attendance, Telling};
use crowd::Lanes;
use dispatch::{Task, Worker};
pub(crate) use encoded::Encoded;
pub use listing::MemberList;
use receive::Receivers;
pub use resume::{Allowance, Place};

/// How many bytes of publications may wait for one dispatch worker.
const QUEUE_BYTES: usize = 64 * 1024 * 1024;
/// How many repairs read Redis and Postgres at the same time.
const REPAIRS: usize = 16;

/// A socket in a conversation.
#[derive(Debug, Clone)]
pub struct Member {
    /// Whose it is.
    pub user: UserId,
    /// What events "to others" are compared with.
    pub session: SessionId,
    /// Where its events go.
    pub socket: Arc<Session>,
    /// Cleared when it leaves: what lanes still hold for it is not handed to it.
    present: Arc<AtomicBool>,
}

impl Member {
    /// The membership of this socket.
    pub fn of(socket: &Arc<Session>) -> Self {
        Self {
            user: socket.user.clone(),
            session: socket.id.clone(),
            socket: socket.clone(),
            present: Arc::new(AtomicBool::new(true)),
        }
    }
}

/// A socket that wants to be in a conversation.
pub struct Join {
    /// The socket.
    pub member: Member,
    /// What it was authorised under; `None` when nothing could change that.
    pub acl: Option<Acl>,
    /// From where on it gets what it missed. `None`: only what comes from now on.
    pub since: Option<Place>,
    /// Whether it is told who else is there. Whoever goes on from a place is not.
    pub lists_members: bool,
    /// What it is told.
    pub confirm: Confirm,
}

/// What a join is answered with. Called exactly once, by the dispatch worker before it hands on the next event, so it
/// must not block.
pub type Confirm = Box<dyn FnOnce(Result<Joined, JoinRefusal>) + Send>;

/// A socket is in a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// From here on it gets every event.
    pub heads: Heads,
    /// Whether it also got everything between its place and here.
    pub recovered: bool,
    /// Who is there, if it wanted to know.
    pub members: Option<MemberList>,
}

/// Why a socket is not in a conversation.
#[derive(Debug)]
pub enum JoinRefusal {
    /// The membership has changed since the join was authorised.
    Outdated,
    /// It cannot be.
    Rejected(Rejection),
}

impl From<Rejection> for JoinRefusal {
    fn from(rejection: Rejection) -> Self {
        JoinRefusal::Rejected(rejection)
    }
}

/// What the workers and their tasks need.
pub(crate) struct Shared {
    broker: Broker,
    subscriber: Subscriber,
    store: Store,
    dialects: Dialects,
    membership: Membership,
    attendance: Attendance,
    members: Members,
    lifecycle: lifecycle::Handle,
    repairs: Semaphore,
    lanes: Lanes,
    delivered: metrics::Counter,
    fanned_out: metrics::Histogram,
    clock: Clock,
    traces: Traces,
    /// Where deliveries count as receipts, when a dialect asks for it.
    deliveries: Receipts,
    typing: Typing,
}

/// A handle on the dispatch workers; cheap to clone.
#[derive(Clone)]
pub struct Fanout {
    workers: Workers<Task>,
    attendance: Attendance,
}

/// What fan-out is made of.
pub struct Parts {
    /// Where states and logs are read.
    pub broker: Broker,
    /// Where conversations are subscribed.
    pub subscriber: Subscriber,
    /// What the subscriber receives.
    pub inbox: Inbox,
    /// Who gets what is published for users.
    pub users: Users,
    /// Who gets what other gateways' adapters say.
    pub cluster: ClusterDriver,
    /// Where repairs read what the hot log has no longer.
    pub store: Store,
    /// What events are encoded for.
    pub dialects: Dialects,
    /// What participant events invalidate.
    pub membership: Membership,
    /// Where deliveries count as receipts.
    pub receipts: Receipts,
    /// Who is writing, which ends with the membership.
    pub typing: Typing,
    /// Says whether every subscription is alive.
    pub check: Check,
    /// How many dispatch workers there are.
    pub workers: usize,
    /// What the stamps of events are compared with.
    pub clock: Clock,
    /// Where spans are made.
    pub traces: Traces,
    /// How often the heads of all live conversations are compared.
    pub compare_every: Duration,
    /// What it stands under who is in a conversation here.
    pub lease: Lease,
    /// In a conversation with more members nobody is told who comes and goes.
    pub announced_members: u64,
    /// From then on nobody is told any more who is in a conversation here.
    pub closing: CancellationToken,
}

impl Fanout {
    /// Starts the workers, the receiving task and the probes.
    pub fn start(parts: Parts, lifecycle: &lifecycle::Handle) -> Self {
        let delivered = metrics::counter!(crate::metrics::DELIVERIES.name);
        let attendance = Attendance::default();
        let telling = Telling {
            broker: parts.broker.clone(),
            lease: parts.lease,
            announced: parts.announced_members,
            closing: parts.closing,
        };
        attendance.tell(telling, lifecycle);
        let members = Members::new(parts.broker.clone());
        let shared = Arc::new(Shared {
            broker: parts.broker,
            subscriber: parts.subscriber,
            store: parts.store,
            dialects: parts.dialects,
            membership: parts.membership,
            attendance: attendance.clone(),
            members,
            lifecycle: lifecycle.clone(),
            repairs: Semaphore::new(REPAIRS),
            lanes: Lanes::start(parts.workers, &delivered, lifecycle),
            delivered,
            fanned_out: metrics::histogram!(crate::metrics::FANOUT_SECONDS.name),
            clock: parts.clock,
            traces: parts.traces,
            deliveries: parts.receipts,
            typing: parts.typing,
        });
        let start = |inlet| {
            let worker = Worker::new(shared.clone(), inlet);
            lifecycle.spawn_support("dispatch worker", worker.run(lifecycle.hard()));
        };
        let fanout = Self { workers: Workers::start(parts.workers, QUEUE_BYTES, start), attendance };
        let pulse = probe::Pulse::new(shared.broker.keys().partitions().count());
        let receivers = Receivers { fanout: fanout.clone(), users: parts.users, cluster: parts.cluster };
        let receive = receive::run(receivers.clone(), parts.inbox, pulse.clone(), lifecycle.hard());
        lifecycle.spawn_support("subscriber", receive);
        let prober = probe::Prober { shared, receivers, pulse, check: parts.check };
        lifecycle.spawn_support("subscription probe", prober.run(parts.compare_every, lifecycle.hard()));
        fanout
    }

    /// Lets a socket join.
    pub fn join(&self, conversation: ConversationId, join: Join) {
        let queue = self.workers.of(&conversation);
        if let Err(Task::Join { join, .. }) = queue.try_ask(Task::Join { conversation, join }) {
            (join.confirm)(Err(Rejection::from(Code::Overloaded).into()));
        }
    }

    /// Lets a socket leave; `then` is called when nothing more of the conversation will be handed to it.
    pub fn leave(
        &self,
        conversation: ConversationId,
        socket: u64,
        then: Box<dyn FnOnce(Result<(), Rejection>) + Send>,
    ) {
        let queue = self.workers.of(&conversation);
        if let Err(Task::Leave { then, .. }) = queue.try_ask(Task::Leave { conversation, socket, then }) {
            then(Err(Code::Overloaded.into()));
        }
    }

    /// Lets a socket leave conversations, however busy the workers are. When it returns, nothing more of them will be
    /// handed to it.
    pub async fn leave_all(
        &self,
        socket: &Arc<Session>,
        conversations: impl IntoIterator<Item = ConversationId>,
    ) {
        let mut leaving = Vec::new();
        for conversation in conversations {
            let (done, left) = oneshot::channel();
            let (leaver, named) = (socket.clone(), conversation.clone());
            let then = Box::new(move |_| {
                leaver.left(&named);
                // Who asked may have given up.
                let _ = done.send(());
            });
            let queue = self.workers.of(&conversation);
            // A worker that has ended has no members any more.
            queue.ask(Task::Leave { conversation, socket: socket.key, then }).await;
            leaving.push(left);
        }
        for left in leaving {
            // An error is a worker that has ended.
            let _ = left.await;
        }
    }

    /// Takes a socket that has ended out of its conversations.
    pub async fn gone(&self, socket: u64, conversations: impl IntoIterator<Item = ConversationId>) {
        for conversation in conversations {
            let then = Box::new(|_| ());
            let queue = self.workers.of(&conversation);
            // A worker that has ended has no members any more.
            queue.ask(Task::Leave { conversation, socket, then }).await;
        }
    }

    /// Takes a socket out of conversations that its user may not use any more, and tells it so.
    pub async fn expel(
        &self,
        socket: &Arc<Session>,
        conversations: impl IntoIterator<Item = ConversationId>,
    ) {
        for conversation in conversations {
            let (expelled, left) = (socket.clone(), conversation.clone());
            let then = Box::new(move |_| {
                expelled.left(&left);
                expelled.tell(&view::conversation_left(&left, "removed"));
            });
            let queue = self.workers.of(&conversation);
            // A worker that has ended has no members any more.
            queue.ask(Task::Leave { conversation, socket: socket.key, then }).await;
        }
    }

    /// The newest numbers of the conversation that this gateway has seen; zeros when it is not subscribed.
    pub async fn seen(&self, conversation: &ConversationId) -> Heads {
        let (reply, seen) = oneshot::channel();
        let task = Task::Seen { conversation: conversation.clone(), reply };
        if !self.workers.of(conversation).ask(task).await {
            return Heads::default();
        }
        seen.await.unwrap_or_default()
    }

    /// Subscribes again to every conversation of `partition`, or of all, and looks for what was missed.
    async fn resubscribe(&self, partition: Option<Partition>) {
        self.workers.ask_all(|| Task::Resubscribe { partition }).await;
    }

    /// Compares all live conversations with what Redis knows, and repairs those that are behind.
    async fn compare(&self) {
        self.workers.ask_all(|| Task::Compare).await;
    }

    /// In how many conversations somebody is, on this gateway.
    pub fn rooms(&self) -> usize {
        self.attendance.rooms()
    }

    /// Puts a publication in its worker's queue; false when it does not fit and was dropped.
    fn publish(&self, conversation: ConversationId, payload: String) -> bool {
        let (queue, bytes) = (self.workers.of(&conversation), payload.len());
        queue.publish(Task::Published { conversation, payload }, bytes)
    }
}
