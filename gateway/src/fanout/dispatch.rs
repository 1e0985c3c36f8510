//! A dispatch worker: owns the rooms of its share of the conversations and does everything to them, one task
//! after the other. What waits for Redis or Postgres runs beside it and posts its result back as a task.

mod mending;
mod recheck;
mod subscription;

use std::{collections::HashMap, convert::Infallible, sync::Arc, time::Duration};

use parlance_broker::{append::Acl, heads::State, partition::Partition};
use parlance_chassis::{
    lifecycle::CancellationToken,
    traces::{Span, SpanKind},
};
use parlance_domain::{
    entry::Envelope,
    event::Event,
    id::{ConversationId, UserId},
    rejection::Rejection,
    time::Timestamp,
    trace::TraceParent,
    version::{Heads, Version},
};
use recheck::Recheck;
use tokio::sync::oneshot;

use super::{
    Join, Member, Shared,
    crowd::{self, Chunk},
    encoded::Encoded,
    handed::{self, Handed},
    listing::{self, MemberList},
    order::{Arrival, Repair},
    resume::{self, Missed},
    room::{Phase, Room},
};
use crate::{
    dialect::view::{self, Told},
    workers::Inlet,
};

/// How many tasks are taken at once, so that what they write to a socket leaves together.
const BATCH: usize = 64;

/// What a worker is asked to do.
pub(super) enum Task {
    Published {
        conversation: ConversationId,
        payload: String,
    },
    Join {
        conversation: ConversationId,
        join: Join,
    },
    Leave {
        conversation: ConversationId,
        socket: u64,
        then: Box<dyn FnOnce(Result<(), Rejection>) + Send>,
    },
    Seen {
        conversation: ConversationId,
        reply: oneshot::Sender<Heads>,
    },
    Subscribed {
        conversation: ConversationId,
        outcome: Result<State, Rejection>,
    },
    Empty {
        conversation: ConversationId,
        generation: u64,
    },
    Unsubscribed {
        conversation: ConversationId,
    },
    Repaired {
        conversation: ConversationId,
        ticket: u64,
        found: Repair,
    },
    Resubscribe {
        partition: Option<Partition>,
    },
    Compare,
    /// `newest` is `None` when Redis knows the conversation no longer.
    Compared {
        conversation: ConversationId,
        newest: Option<Version>,
    },
    Rechecked {
        conversation: ConversationId,
        found: Recheck,
    },
    Missed {
        conversation: ConversationId,
        ticket: u64,
        missed: Option<Missed>,
    },
    /// Some of those who are there, and how many there are; `None` when that could not be read.
    Listed {
        conversation: ConversationId,
        found: Option<(Vec<UserId>, u64)>,
    },
}

/// One worker. Ends when `hard` is cancelled.
pub(super) struct Worker {
    shared: Arc<Shared>,
    rooms: HashMap<ConversationId, Room>,
    inlet: Inlet<Task>,
    /// What the task in hand has for the lanes.
    chunks: Vec<Chunk>,
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, inlet: Inlet<Task>) -> Self {
        Self { shared, rooms: HashMap::new(), inlet, chunks: Vec::new() }
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
            Task::Published { conversation, payload } => self.published(&conversation, &payload),
            Task::Join { conversation, join } => self.join(conversation, join),
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
            Task::Repaired { conversation, ticket, found } => self.repaired(&conversation, ticket, found),
            Task::Resubscribe { partition } => self.resubscribe(partition),
            Task::Compare => self.compare(),
            Task::Compared { conversation, newest } => self.compared(&conversation, newest),
            Task::Rechecked { conversation, found } => self.rechecked(&conversation, &found),
            Task::Missed { conversation, ticket, missed } => self.missed(&conversation, ticket, missed),
            Task::Listed { conversation, found } => self.listed(&conversation, found),
        }
    }

    fn published(&mut self, conversation: &ConversationId, payload: &str) {
        self.inlet.took(payload.len());
        let Some(room) = self.rooms.get_mut(conversation) else {
            return;
        };
        let mut envelope = match Envelope::decode_published(conversation.clone(), payload) {
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
            match &mut envelope.event {
                Event::Receipts(receipts) => receipts.cursors = room.forward(&receipts.cursors),
                Event::PresenceChanged(presence) if !room.presences.note(presence) => return,
                event => room.hear(event),
            }
            self.hand_on(&envelope);
            return;
        }
        match order.arrive(envelope, payload.len()) {
            Arrival::Next(envelope) => self.hand_on(&envelope),
            Arrival::Parked { first: true } => self.repair(conversation),
            Arrival::Parked { first: false } | Arrival::Repetition => {}
        }
    }

    fn join(&mut self, conversation: ConversationId, join: Join) {
        if let Some(room) = self.rooms.get_mut(&conversation) {
            room.generation += 1;
            room.waiting.push(join);
            if matches!(&room.phase, Phase::Live(order) if !order.is_parked()) {
                self.admit(&conversation);
                self.linger_if_empty(&conversation);
            }
            return;
        }
        let mut room = Room::subscribing(self.shared.attendance.of(&conversation));
        room.waiting.push(join);
        self.rooms.insert(conversation.clone(), room);
        self.subscribe(conversation);
    }

    /// Lets everybody in who waits, those who have a place after what they have missed.
    fn admit(&mut self, conversation: &ConversationId) {
        self.admit_with(conversation, None);
    }

    /// The same when it is known who is there.
    fn admit_with(&mut self, conversation: &ConversationId, list: Option<&MemberList>) {
        let Some(room) = self.rooms.get_mut(conversation) else {
            return;
        };
        let to_read = room.admit(list);
        if to_read.members {
            let conversation = conversation.clone();
            self.beside("members", move |shared| async move {
                let found = listing::read(&shared, &conversation).await;
                Task::Listed { conversation, found }
            });
        }
        for reading in to_read.missed {
            let conversation = conversation.clone();
            self.beside("resume", move |shared| async move {
                let missed = resume::read(&shared, &conversation, &reading).await;
                Task::Missed { conversation, ticket: reading.ticket, missed }
            });
        }
    }

    fn missed(&mut self, conversation: &ConversationId, ticket: u64, missed: Option<Missed>) {
        let Some(room) = self.rooms.get_mut(conversation) else {
            return;
        };
        match room.missed(ticket, missed) {
            None => self.resume(conversation, ticket),
            // The room is behind what was read: it looks itself, and then lets him in.
            Some(reached) => self.compared(conversation, Some(reached)),
        }
    }

    /// Lets those in who waited to be told who is there.
    fn listed(&mut self, conversation: &ConversationId, found: Option<(Vec<UserId>, u64)>) {
        let Some(room) = self.rooms.get_mut(conversation) else {
            return;
        };
        let list = room.listed(found);
        // While a gap is open they wait for its end, and then for another list.
        if matches!(&room.phase, Phase::Live(order) if !order.is_parked()) {
            self.admit_with(conversation, list.as_ref());
        }
        self.linger_if_empty(conversation);
    }

    /// Lets those in whose reading was ahead of the room, which has looked itself since.
    fn resume_readers(&mut self, conversation: &ConversationId) {
        let readers = self.rooms.get(conversation).map(Room::readers).unwrap_or_default();
        for ticket in readers {
            self.resume(conversation, ticket);
        }
    }

    /// Hands somebody what he has missed, and lets him in.
    fn resume(&mut self, conversation: &ConversationId, ticket: u64) {
        let Some(room) = self.rooms.get_mut(conversation) else {
            return;
        };
        if let Some((resuming, events)) = room.resume(ticket) {
            let recovered = events.is_some();
            for envelope in events.into_iter().flatten() {
                let handed = Handed::of(&self.shared, &envelope);
                for encoded in Encoded::of(&self.shared.dialects, &envelope) {
                    let frames = handed::deliver(&encoded, &resuming.join.member, handed.as_ref());
                    self.shared.delivered.increment(frames);
                }
            }
            room.let_in(resuming, recovered);
        }
        self.linger_if_empty(conversation);
    }

    fn leave(&mut self, conversation: &ConversationId, socket: u64) {
        let Some(room) = self.rooms.get_mut(conversation) else {
            return;
        };
        room.remove(socket);
        self.linger_if_empty(conversation);
    }

    fn seen(&self, conversation: &ConversationId) -> Heads {
        match self.rooms.get(conversation).map(|room| &room.phase) {
            Some(Phase::Live(order)) => order.seen(),
            _ => Heads::default(),
        }
    }

    /// Hands an event to every socket of its room.
    fn hand_on(&mut self, envelope: &Envelope) {
        let conversation = &envelope.conversation;
        if envelope.header.kind.changes_membership() {
            self.shared.membership.forget(conversation);
        }
        let Some(room) = self.rooms.get_mut(conversation) else {
            return;
        };
        if envelope.header.kind.changes_membership() {
            room.acl = room.acl.max(Acl(envelope.header.version));
        }
        if envelope.header.kind.is_durable() {
            room.keep(envelope);
        }
        let (members, mut crowd) = room.audience();
        if members.is_empty() {
            return;
        }
        let mut span = span(&self.shared, envelope);
        span.set("parlance.sockets", i64::try_from(members.len()).unwrap_or(i64::MAX));
        let handed = Handed::of(&self.shared, envelope);
        for encoded in Encoded::of(&self.shared.dialects, envelope) {
            match &mut crowd {
                Some(crowd) => {
                    let encoded = Arc::new(encoded);
                    self.chunks.extend(crowd.cut(&self.shared.lanes, &encoded, members));
                }
                None => {
                    let deliver = |member| handed::deliver(&encoded, member, handed.as_ref());
                    let delivered = members.values().map(deliver).sum();
                    self.shared.delivered.increment(delivered);
                }
            }
        }
        if envelope.header.kind.is_durable() {
            self.note_delay(envelope.header.at);
        }
        match &envelope.event {
            Event::ParticipantRemoved(change) => {
                self.put_out(envelope, "removed", |member| member.user == change.participant.id);
            }
            Event::ConversationDeleted(_) => self.put_out(envelope, "deleted", |_| true),
            _ => {}
        }
    }

    /// Notes how long ago Redis stamped an event. A clock that is behind shows none.
    fn note_delay(&self, at: Timestamp) {
        let ms = u64::try_from(self.shared.clock.now_ms().saturating_sub(at.0)).unwrap_or(0);
        self.shared.fanned_out.record(Duration::from_millis(ms));
    }

    /// Takes sockets out of the room, because of an event that they were told of.
    fn put_out(&mut self, envelope: &Envelope, reason: &str, goes: impl Fn(&Member) -> bool) {
        self.put_out_by(&envelope.conversation, envelope.header.version, reason, goes);
    }

    /// The same because of the event with this version.
    fn put_out_by(
        &mut self,
        conversation: &ConversationId,
        event: Version,
        reason: &str,
        goes: impl Fn(&Member) -> bool,
    ) {
        let Some(room) = self.rooms.get_mut(conversation) else {
            return;
        };
        let out = room.put_out(goes);
        // Noted at once, so that nobody is told of the event by his own channel as well.
        for member in &out {
            member.socket.put_out(conversation, event);
            self.shared.typing.put_out(&member.user, conversation);
        }
        let event = Told::Event(view::conversation_left(conversation, reason));
        let event = Encoded::new(&self.shared.dialects, event);
        if room.is_crowd() {
            // Behind what the lanes still hold for them.
            self.chunks.extend(crowd::cut(&self.shared.lanes, &Arc::new(event), &out));
        } else {
            self.shared.delivered.increment(out.iter().map(|member| event.deliver(member)).sum());
        }
        self.linger_if_empty(conversation);
    }

    /// Runs something that waits beside the worker; its result comes back as a task.
    fn beside<F>(&self, name: &'static str, work: impl FnOnce(Arc<Shared>) -> F + Send + 'static)
    where
        F: Future<Output = Task> + Send + 'static,
    {
        self.inlet.beside(&self.shared.lifecycle, name, work(self.shared.clone()));
    }
}

/// Covers the handing on of an event whose command is traced.
fn span(shared: &Shared, envelope: &Envelope) -> Span {
    let parent = envelope.header.trace.as_ref().map(TraceParent::as_str);
    shared.traces.resume("deliver", SpanKind::Consumer, parent)
}
