//! Receipts on their way out: gathered by conversation and user over an interval, then put in the receipts stream
//! and announced as one event a conversation.
//!
//! They come from commands, which are answered when they are written, and from deliveries to sockets whose clients do not
//! say themselves what they got. Nobody waits for the latter, so what of them cannot be gathered or written is left to
//! the next delivery: a cursor says "everything up to here", and every later message of the conversation that reaches the
//! user moves it past what was left out. How they are written is in [`writer`].

mod mark;
mod passed;
mod round;
pub mod writer;

use std::{
    collections::HashMap,
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use parlance_domain::{
    id::{ConversationId, MessageId, SessionId, UserId},
    receipt::{Covered, Cursor, ReceiptKind},
    rejection::Code,
    version::Seq,
};

use super::Answer;
use mark::Mark;
use passed::Known;

/// How many commands may wait for the end of the interval; beyond it receipts are refused.
const MAX_WAITING: usize = 50_000;
/// How many may wait for deliveries still to be gathered: they never fill the room that commands have.
const MAX_WAITING_FOR_DELIVERIES: usize = MAX_WAITING / 2;

/// A handle on the gathered receipts; cheap to clone.
#[derive(Clone, Default)]
pub struct Receipts(Arc<Shared>);

#[derive(Default)]
struct Shared {
    gathered: Mutex<Gathered>,
    /// Whether it is told which messages cursors get past, so that those are worth keeping that are known.
    tells_messages: AtomicBool,
}

#[derive(Default)]
struct Gathered {
    conversations: HashMap<ConversationId, Moved>,
    /// Commands that wait, and cursors that only deliveries have moved.
    waiting: usize,
}

#[derive(Default)]
struct Moved {
    cursors: Cursors,
    waiting: Vec<Waiting>,
    known: Known,
}

/// A command that is answered when its cursor is written.
struct Waiting {
    answer: Answer,
    /// What the answer says of how many messages were marked.
    mark: Option<Mark>,
}

type Cursors = HashMap<UserId, Moving>;

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
    /// The messages that were named, when they were.
    pub(super) named: Option<Vec<Covered>>,
    /// Whether the answer says how many messages were marked.
    pub(super) counts: bool,
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
    /// Who sent it, if that is known.
    pub(crate) sender: Option<UserId>,
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
        let Step { conversation, user, kind, seq, message, named, counts, origin } = step;
        let moved = gathered.conversations.entry(conversation).or_default();
        let moving = moved.cursors.entry(user.clone()).or_insert_with(|| Moving::of(user.clone()));
        let cursor = &mut moving.cursor;
        let others = |named: &Vec<Covered>| -> Vec<Seq> {
            named.iter().filter(|message| message.sender != user).map(|message| message.seq).collect()
        };
        let above = cursor.read;
        let mark =
            counts.then(|| Mark { named: named.as_ref().map(others), user: user.clone(), above, to: seq });
        cursor.advance(kind, seq, message);
        cursor.origin = origin;
        moved.waiting.push(Waiting { answer, mark });
        if self.tells_messages() {
            named.into_iter().flatten().for_each(|message| moved.known.note(message));
        }
    }

    /// Moves the delivered cursor of a user to whom a message was handed. Nobody is answered.
    pub(crate) fn delivered(&self, delivery: Delivery) {
        let mut gathered = self.lock();
        let Delivery { conversation, user, seq, message, sender, origin } = delivery;
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
        if let (Some(id), Some(sender), true) = (message, sender, self.tells_messages()) {
            moved.known.note(Covered { id, seq, sender });
        }
    }

    fn take(&self) -> HashMap<ConversationId, Moved> {
        mem::take(&mut *self.lock()).conversations
    }

    fn tells_messages(&self) -> bool {
        self.0.tells_messages.load(Ordering::Relaxed)
    }

    /// Gathers anew what nobody will ask for again.
    fn again(&self, conversation: &ConversationId, cursors: Cursors) {
        for Moving { cursor, .. } in cursors.into_values().filter(|moving| moving.delivered) {
            let Cursor { user, delivered: seq, delivered_message: message, origin, .. } = cursor;
            let conversation = conversation.clone();
            self.delivered(Delivery { conversation, user, seq, message, sender: None, origin });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Gathered> {
        self.0.gathered.lock().unwrap_or_else(PoisonError::into_inner)
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
            sender: None,
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
        let (conversation, moved) = receipts.take().drain().next().unwrap();
        receipts.delivered(delivery("c", "ann", 5));
        receipts.again(&conversation, moved.cursors);
        let gathered = receipts.lock();
        let moved = &gathered.conversations[&conversation];
        assert_eq!(moved.cursors[&UserId::new("ann").unwrap()].cursor.delivered, Seq(5));
    }
}
