//! Receipts on their way out: gathered by conversation and user over an interval, then put in the receipts stream
//! and announced as one event a conversation.
//!
//! They come from commands, which are answered when they are written, and from deliveries to sockets whose clients do not
//! say themselves what they got. Nobody waits for the latter, so what of them cannot be gathered or written is left to
//! the next delivery: a cursor says "everything up to here", and every later message of the conversation that reaches the
//! user moves it past what was left out.

use std::{
    collections::HashMap,
    convert::Infallible,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use parlance_broker::receipts::{ReceiptLog, Receipted};
use parlance_chassis::{clock::Clock, lifecycle::CancellationToken};
use parlance_domain::{
    entry::Header,
    event::EventKind,
    id::{ConversationId, MessageId, SessionId, UserId},
    receipt::{Cursor, ReceiptKind},
    rejection::{Code, Rejection},
    time::Timestamp,
    version::Seq,
};

use super::{Answer, failed};
use crate::dialect::view::reply;

/// How many commands may wait for the end of the interval; beyond it receipts are refused.
const MAX_WAITING: usize = 50_000;
/// How many may wait for deliveries still to be gathered: they never fill the room that commands have.
const MAX_WAITING_FOR_DELIVERIES: usize = MAX_WAITING / 2;
/// How many conversations are written at the same time.
const IN_FLIGHT: usize = 64;

/// A handle on the gathered receipts; cheap to clone.
#[derive(Clone, Default)]
pub struct Receipts(Arc<Mutex<Gathered>>);

#[derive(Default)]
struct Gathered {
    conversations: HashMap<ConversationId, Moved>,
    /// Commands that wait, and cursors that only deliveries have moved.
    waiting: usize,
}

#[derive(Default)]
struct Moved {
    cursors: HashMap<UserId, Moving>,
    answers: Vec<Answer>,
}

struct Moving {
    cursor: Cursor,
    /// Whether a delivery moved it, which nobody repeats when it is not written.
    delivered: bool,
}

impl Moving {
    fn of(user: UserId) -> Self {
        Self { cursor: Cursor::start(user), delivered: false }
    }
}

/// How far a user's cursor moves.
pub(super) struct Step {
    pub(super) conversation: ConversationId,
    pub(super) user: UserId,
    pub(super) kind: ReceiptKind,
    pub(super) seq: Seq,
    /// The message at that place, when it is known.
    pub(super) message: Option<MessageId>,
    /// The connection that moves it.
    pub(super) origin: Option<SessionId>,
}

/// A message that was handed to a socket of a user.
pub(crate) struct Delivery {
    pub(crate) conversation: ConversationId,
    pub(crate) user: UserId,
    /// The place of the message.
    pub(crate) seq: Seq,
    pub(crate) message: Option<MessageId>,
    /// The socket.
    pub(crate) origin: Option<SessionId>,
}

impl Receipts {
    /// Moves a cursor; the command is answered when that is in the stream.
    pub(super) fn advance(&self, step: Step, answer: Answer) {
        let mut gathered = self.lock();
        if gathered.waiting >= MAX_WAITING {
            drop(gathered);
            return answer(Err(Code::Overloaded.into()));
        }
        gathered.waiting += 1;
        let Step { conversation, user, kind, seq, message, origin } = step;
        let moved = gathered.conversations.entry(conversation).or_default();
        let Moving { cursor, .. } = moved.cursors.entry(user.clone()).or_insert_with(|| Moving::of(user));
        cursor.advance(kind, seq, message);
        cursor.origin = origin;
        moved.answers.push(answer);
    }

    /// Moves the delivered cursor of a user to whom a message was handed. Nobody is answered.
    pub(crate) fn delivered(&self, delivery: Delivery) {
        let mut gathered = self.lock();
        let Delivery { conversation, user, seq, message, origin } = delivery;
        let known = gathered.conversations.get(&conversation).and_then(|moved| moved.cursors.get(&user));
        if known.is_none() {
            if gathered.waiting >= MAX_WAITING_FOR_DELIVERIES {
                return;
            }
            gathered.waiting += 1;
        }
        let moved = gathered.conversations.entry(conversation).or_default();
        let moving = moved.cursors.entry(user.clone()).or_insert_with(|| Moving::of(user));
        moving.cursor.advance(ReceiptKind::Delivered, seq, message);
        moving.cursor.origin = origin;
        moving.delivered = true;
    }

    /// Writes what was gathered every `interval`, until `hard` and then once more: sockets still send their last
    /// receipts during the drain.
    pub async fn run(
        self,
        log: ReceiptLog,
        clock: Clock,
        interval: Duration,
        hard: CancellationToken,
    ) -> Result<(), Infallible> {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let ended = tokio::select! {
                () = hard.cancelled() => true,
                _ = ticks.tick() => false,
            };
            self.write(&log, &clock).await;
            if ended {
                return Ok(());
            }
        }
    }

    async fn write(&self, log: &ReceiptLog, clock: &Clock) {
        let gathered = mem::take(&mut *self.lock());
        let write = |(conversation, moved): (ConversationId, Moved)| async move {
            let Moved { cursors, answers } = moved;
            let outcome =
                push(log, clock, &conversation, cursors.values().map(|moving| &moving.cursor)).await;
            if let Err(Rejection { code: Code::Overloaded | Code::Unavailable, .. }) = &outcome {
                self.again(&conversation, cursors);
            }
            for answer in answers {
                answer(outcome.clone().map(|()| reply::nothing()));
            }
        };
        stream::iter(gathered.conversations).for_each_concurrent(IN_FLIGHT, write).await;
    }

    /// Gathers anew what nobody will ask for again.
    fn again(&self, conversation: &ConversationId, cursors: HashMap<UserId, Moving>) {
        for Moving { cursor, .. } in cursors.into_values().filter(|moving| moving.delivered) {
            let Cursor { user, delivered: seq, delivered_message: message, origin, .. } = cursor;
            self.delivered(Delivery { conversation: conversation.clone(), user, seq, message, origin });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Gathered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn push(
    log: &ReceiptLog,
    clock: &Clock,
    conversation: &ConversationId,
    cursors: impl Iterator<Item = &Cursor>,
) -> Result<(), Rejection> {
    let header = Header::transient(EventKind::Receipts, Timestamp(clock.now_ms()), None);
    let cursors: Vec<&Cursor> = cursors.collect();
    let body = serde_json::to_string(&cursors).map_err(|error| failed("encode receipts", &error))?;
    match log.push(conversation, &header, &body).await {
        Ok(Receipted::Now) => Ok(()),
        Ok(Receipted::Overloaded) => Err(Code::Overloaded.into()),
        Err(error) => Err(failed("write receipts", &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(conversation: &str, user: &str, seq: u64) -> Delivery {
        Delivery {
            conversation: ConversationId::new(conversation).unwrap(),
            user: UserId::new(user).unwrap(),
            seq: Seq(seq),
            message: None,
            origin: None,
        }
    }

    #[test]
    fn deliveries_are_one_cursor_a_user_and_leave_room_for_commands() {
        let receipts = Receipts::default();
        for seq in [3, 1, 2] {
            receipts.delivered(delivery("c", "ann", seq));
        }
        for user in 0..MAX_WAITING {
            receipts.delivered(delivery("c", &format!("u{user}"), 1));
        }
        // One that is gathered already costs nothing more.
        receipts.delivered(delivery("c", "ann", 9));
        let gathered = receipts.lock();
        let moved = gathered.conversations.values().next().unwrap();
        assert_eq!(moved.cursors[&UserId::new("ann").unwrap()].cursor.delivered, Seq(9));
        assert_eq!(moved.cursors.len(), MAX_WAITING_FOR_DELIVERIES);
        assert_eq!(gathered.waiting, MAX_WAITING_FOR_DELIVERIES);
    }

    #[test]
    fn what_was_not_written_of_deliveries_is_gathered_again_and_never_goes_back() {
        let receipts = Receipts::default();
        receipts.delivered(delivery("c", "ann", 3));
        let mut gathered = mem::take(&mut *receipts.lock());
        let (conversation, moved) = gathered.conversations.drain().next().unwrap();
        receipts.delivered(delivery("c", "ann", 5));
        receipts.again(&conversation, moved.cursors);
        let gathered = receipts.lock();
        let moved = &gathered.conversations[&conversation];
        assert_eq!(moved.cursors[&UserId::new("ann").unwrap()].cursor.delivered, Seq(5));
    }
}
