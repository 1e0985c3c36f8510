//! A dispatch worker: owns the rooms of its share of the conversations and does everything to them, one task
//! after the other. What waits for Redis or Postgres runs beside it and posts its result back as a task.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use parlance_broker::{heads::State, partition::Partition};
use parlance_chassis::lifecycle::CancellationToken;
use parlance_domain::{
    entry::Envelope,
    event::{Event, EventKind},
    id::ConversationId,
    rejection::Rejection,
    version::{Heads, Version},
};
use tokio::sync::{mpsc, oneshot};

use super::{
    Confirm, Member, Shared,
    crowd::Chunk,
    encoded::Encoded,
    order::{Arrival, Order, Repair},
    repair,
    room::{Phase, Room},
};
use crate::dialect::view;

/// How long a conversation stays subscribed after its last socket has left.
const LINGER: Duration = Duration::from_secs(1);
/// How many tasks are taken at once, so that what they write to a socket leaves together.
const BATCH: usize = 64;

/// What a worker is asked to do.
pub(super) enum Task {
    Published { conversation: ConversationId, payload: String },
    Join { conversation: ConversationId, member: Member, confirm: Confirm },
    Leave { conversation: ConversationId, socket: u64, then: Box<dyn FnOnce(Result<(), Rejection>) + Send> },
    Seen { conversation: ConversationId, reply: oneshot::Sender<Heads> },
    Subscribed { conversation: ConversationId, outcome: Result<State, Rejection> },
    Empty { conversation: ConversationId, generation: u64 },
    Unsubscribed { conversation: ConversationId },
    Repaired { conversation: ConversationId, found: Repair },
    Resubscribe { partition: Option<Partition> },
    Compare,
    Compared { conversation: ConversationId, newest: Version },
}

/// One worker. Ends when `hard` is cancelled.
pub(super) struct Worker {
    shared: Arc<Shared>,
    rooms: HashMap<ConversationId, Room>,
    queue: mpsc::Receiver<Task>,
    bytes: Arc<AtomicUsize>,
    results: mpsc::WeakSender<Task>,
    /// What the task in hand has for the lanes.
    chunks: Vec<Chunk>,
}

impl Worker {
    pub(super) fn new(
        shared: Arc<Shared>,
        results: mpsc::WeakSender<Task>,
        queue: mpsc::Receiver<Task>,
        bytes: Arc<AtomicUsize>,
    ) -> Self {
        Self { shared, rooms: HashMap::new(), queue, bytes, results, chunks: Vec::new() }
    }

    pub(super) async fn run(mut self, hard: CancellationToken) -> Result<(), Infallible> {
        let mut tasks = Vec::with_capacity(BATCH);
        loop {
            let received = tokio::select! {
                () = hard.cancelled() => return Ok(()),
                received = self.queue.recv_many(&mut tasks, BATCH) => received,
            };
            if received == 0 {
                return Ok(());
            }
            for task in tasks.drain(..) {
                self.perform(task);
                for chunk in self.chunks.drain(..) {
                    self.shared.lanes.send(chunk).await;
                }
            }
            // A long queue must not keep the sockets' own tasks from writing.
            tokio::task::yield_now().await;
        }
    }

    fn perform(&mut self, task: Task) {
        match task {
            Task::Published { conversation, payload } => self.published(conversation, &payload),
            Task::Join { conversation, member, confirm } => self.join(conversation, member, confirm),
            Task::Leave { conversation, socket, then } => {
                self.leave(&conversation, socket);
                then(Ok(()));
            }
            Task::Seen { conversation, reply } => {
                // Who asked may have given up.
                let _ = reply.send(self.seen(&conversation));
            }
            Task::Subscribed { conversation, outcome } => self.subscribed(&conversation, outcome),
            Task::Empty { conversation, generation } => self.unsubscribe(&conversation, generation),
            Task::Unsubscribed { conversation } => self.unsubscribed(conversation),
            Task::Repaired { conversation, found } => self.repaired(&conversation, found),
            Task::Resubscribe { partition } => self.resubscribe(partition),
            Task::Compare => self.compare(),
            Task::Compared { conversation, newest } => self.compared(&conversation, newest),
        }
    }

    fn published(&mut self, conversation: ConversationId, payload: &str) {
        self.bytes.fetch_sub(payload.len(), Ordering::Relaxed);
        let Some(room) = self.rooms.get_mut(&conversation) else { return };
        let envelope = match Envelope::decode_published(conversation.clone(), payload) {
            Ok(envelope) => envelope,
            Err(error) => {
                // A newer gateway may publish kinds that this one does not know; a durable one shows as a gap.
                tracing::warn!(%error, %conversation, "a publication cannot be read");
                return;
            }
        };
        let order = match &mut room.phase {
            Phase::Subscribing { arrived, .. } => {
                *arrived = envelope.header.version.max(*arrived);
                return;
            }
            Phase::Unsubscribing => return,
            Phase::Live(order) => order,
        };
        if !envelope.header.kind.is_durable() {
            self.hand_on(&envelope);
            return;
        }
        match order.arrive(envelope, payload.len()) {
            Arrival::Next(envelope) => self.hand_on(&envelope),
            Arrival::Parked { first: true } => self.repair(&conversation),
            Arrival::Parked { first: false } | Arrival::Repetition => {}
        }
    }

    fn join(&mut self, conversation: ConversationId, member: Member, confirm: Confirm) {
        if let Some(room) = self.rooms.get_mut(&conversation) {
            room.generation += 1;
            room.waiting.push((member, confirm));
            if matches!(&room.phase, Phase::Live(order) if !order.is_parked()) {
                room.admit();
            }
            return;
        }
        let mut room = Room::subscribing();
        room.waiting.push((member, confirm));
        self.rooms.insert(conversation.clone(), room);
        self.subscribe(conversation);
    }

    fn leave(&mut self, conversation: &ConversationId, socket: u64) {
        let Some(room) = self.rooms.get_mut(conversation) else { return };
        room.remove(socket);
        self.linger_if_empty(conversation);
    }

    fn seen(&self, conversation: &ConversationId) -> Heads {
        match self.rooms.get(conversation).map(|room| &room.phase) {
            Some(Phase::Live(order)) => order.heads(),
            _ => Heads::default(),
        }
    }

    fn subscribe(&self, conversation: ConversationId) {
        self.beside("subscribe", move |shared| async move {
            let outcome = repair::subscribe(&shared, &conversation).await;
            Task::Subscribed { conversation, outcome }
        });
    }

    fn subscribed(&mut self, conversation: &ConversationId, outcome: Result<State, Rejection>) {
        let Some(room) = self.rooms.get_mut(conversation) else { return };
        let Phase::Subscribing { arrived, broken } = room.phase else { return };
        match outcome {
            Ok(_) if broken => {
                room.phase = Phase::subscribing();
                self.subscribe(conversation.clone());
            }
            Ok(state) => {
                let mut order = Order::at(state.heads);
                let missed = arrived > state.heads.version && order.park();
                room.phase = Phase::Live(order);
                self.shared.membership.watch(conversation);
                if missed {
                    self.repair(conversation);
                } else {
                    room.admit();
                    self.linger_if_empty(conversation);
                }
            }
            Err(rejection) => {
                room.refuse(&rejection);
                self.start_unsubscribing(conversation);
            }
        }
    }

    /// Ends the subscription a while after the last socket has left, unless somebody joins before.
    fn linger_if_empty(&mut self, conversation: &ConversationId) {
        let Some(room) = self.rooms.get_mut(conversation) else { return };
        if !room.is_empty() || !matches!(room.phase, Phase::Live(_)) {
            return;
        }
        room.generation += 1;
        let (conversation, generation) = (conversation.clone(), room.generation);
        self.beside("linger", move |_| async move {
            tokio::time::sleep(LINGER).await;
            Task::Empty { conversation, generation }
        });
    }

    fn unsubscribe(&mut self, conversation: &ConversationId, generation: u64) {
        let Some(room) = self.rooms.get(conversation) else { return };
        if room.generation == generation && room.is_empty() && matches!(room.phase, Phase::Live(_)) {
            self.start_unsubscribing(conversation);
        }
    }

    fn start_unsubscribing(&mut self, conversation: &ConversationId) {
        let Some(room) = self.rooms.get_mut(conversation) else { return };
        room.phase = Phase::Unsubscribing;
        self.shared.membership.unwatch(conversation);
        let conversation = conversation.clone();
        self.beside("unsubscribe", move |shared| async move {
            if let Err(error) = shared.subscriber.unsubscribe(&conversation).await {
                // What still arrives finds no room; a break of the connection ends it anyway.
                tracing::debug!(%error, %conversation, "failed to unsubscribe");
            }
            Task::Unsubscribed { conversation }
        });
    }

    fn unsubscribed(&mut self, conversation: ConversationId) {
        let Some(room) = self.rooms.get_mut(&conversation) else { return };
        if !matches!(room.phase, Phase::Unsubscribing) {
            return;
        }
        if room.waiting.is_empty() {
            self.rooms.remove(&conversation);
        } else {
            room.phase = Phase::subscribing();
            self.subscribe(conversation);
        }
    }

    /// Looks for what follows the room's position, beside the worker.
    fn repair(&self, conversation: &ConversationId) {
        let Some(Phase::Live(order)) = self.rooms.get(conversation).map(|room| &room.phase) else { return };
        let (conversation, heads) = (conversation.clone(), order.heads());
        self.beside("repair", move |shared| async move {
            let found = repair::find(&shared, &conversation, heads).await;
            Task::Repaired { conversation, found }
        });
    }

    fn repaired(&mut self, conversation: &ConversationId, found: Repair) {
        let Some(room) = self.rooms.get_mut(conversation) else { return };
        let Phase::Live(order) = &mut room.phase else { return };
        if !order.is_parked() {
            return;
        }
        let repaired = order.repair(found);
        let heads = order.heads();
        for envelope in &repaired.deliver {
            self.hand_on(envelope);
        }
        if repaired.resync {
            self.resync(conversation, heads);
        }
        if repaired.again {
            self.repair(conversation);
        } else if let Some(room) = self.rooms.get_mut(conversation) {
            room.admit();
            self.linger_if_empty(conversation);
        }
    }

    fn resync(&mut self, conversation: &ConversationId, heads: Heads) {
        let Some(room) = self.rooms.get_mut(conversation) else { return };
        let event = view::resync(conversation, heads.version);
        for member in room.audience().0.values() {
            member.socket.tell(&event);
        }
    }

    /// Hands an event to every socket of its room.
    fn hand_on(&mut self, envelope: &Envelope) {
        let conversation = &envelope.conversation;
        if envelope.header.kind.changes_membership() {
            self.shared.membership.forget(conversation);
        }
        let Some(room) = self.rooms.get_mut(conversation) else { return };
        let (members, mut crowd) = room.audience();
        if members.is_empty() {
            return;
        }
        for encoded in Encoded::of(&self.shared.dialects, envelope) {
            match &mut crowd {
                Some(crowd) => {
                    let encoded = Arc::new(encoded);
                    self.chunks.extend(crowd.cut(&self.shared.lanes, conversation, &encoded, members));
                }
                None => {
                    let delivered = members.values().map(|member| encoded.deliver(member)).sum();
                    self.shared.delivered.increment(delivered);
                }
            }
        }
        if envelope.header.kind == EventKind::ParticipantRemoved {
            self.put_out(envelope);
        }
    }

    /// Takes the sockets of a removed participant out of the room.
    fn put_out(&mut self, envelope: &Envelope) {
        let Event::ParticipantRemoved(change) = &envelope.event else { return };
        let Some(room) = self.rooms.get_mut(&envelope.conversation) else { return };
        let event = view::conversation_left(&envelope.conversation, "removed");
        for member in room.put_out(|member| member.user == change.participant.id) {
            member.socket.left(&envelope.conversation);
            member.socket.tell(&event);
        }
        self.linger_if_empty(&envelope.conversation);
    }

    fn resubscribe(&mut self, partition: Option<Partition>) {
        let partitions = self.shared.broker.keys().partitions();
        let wanted = |id: &ConversationId| partition.is_none_or(|wanted| partitions.of(id.as_str()) == wanted);
        let mut live = Vec::new();
        for (conversation, room) in self.rooms.iter_mut().filter(|(id, _)| wanted(id)) {
            match &mut room.phase {
                Phase::Live(_) => live.push(conversation.clone()),
                Phase::Subscribing { broken, .. } => *broken = true,
                Phase::Unsubscribing => {}
            }
        }
        for conversation in live {
            self.shared.membership.forget(&conversation);
            self.beside("resubscribe", move |shared| async move {
                let newest = repair::resubscribe(&shared, &conversation).await;
                Task::Compared { conversation, newest }
            });
        }
    }

    fn compare(&self) {
        let live = |room: &Room| matches!(&room.phase, Phase::Live(order) if !order.is_parked());
        let ids: Vec<_> = self.rooms.iter().filter(|(_, room)| live(room)).map(|(id, _)| id.clone()).collect();
        let Some(results) = self.results.upgrade() else { return };
        let shared = self.shared.clone();
        self.shared.lifecycle.spawn_request("compare", async move {
            let states = match shared.broker.states(&ids).await {
                Ok(states) => states,
                Err(error) => {
                    tracing::debug!(%error, "failed to compare heads");
                    return;
                }
            };
            for (conversation, state) in ids.into_iter().zip(states) {
                let Some(state) = state else { continue };
                let _ = results.send(Task::Compared { conversation, newest: state.heads.version }).await;
            }
        });
    }

    fn compared(&mut self, conversation: &ConversationId, newest: Version) {
        let Some(Phase::Live(order)) = self.rooms.get_mut(conversation).map(|room| &mut room.phase) else {
            return;
        };
        if newest > order.heads().version && order.park() {
            self.repair(conversation);
        }
    }

    /// Runs something that waits beside the worker; its result comes back as a task.
    fn beside<F>(&self, name: &'static str, work: impl FnOnce(Arc<Shared>) -> F + Send + 'static)
    where
        F: Future<Output = Task> + Send + 'static,
    {
        let Some(results) = self.results.upgrade() else { return };
        let (shared, hard) = (self.shared.clone(), self.shared.lifecycle.hard());
        self.shared.lifecycle.spawn_request(name, async move {
            tokio::select! {
                () = hard.cancelled() => {}
                task = work(shared) => {
                    // The worker has ended: so has the room.
                    let _ = results.send(task).await;
                }
            }
        });
    }
}
