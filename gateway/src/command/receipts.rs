//! Receipts on their way out: gathered by conversation and user over an interval, then put in the receipts stream
//! and announced as one event a conversation.

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
    id::{ConversationId, SessionId, UserId},
    receipt::{Cursor, ReceiptKind},
    rejection::{Code, Rejection},
    time::Timestamp,
    version::Seq,
};

use super::{Answer, failed};
use crate::dialect::view::reply;

/// How many commands may wait for the end of the interval; beyond it receipts are refused.
const MAX_WAITING: usize = 50_000;
/// How many conversations are written at the same time.
const IN_FLIGHT: usize = 64;

/// A handle on the gathered receipts; cheap to clone.
#[derive(Clone, Default)]
pub struct Receipts(Arc<Mutex<Gathered>>);

#[derive(Default)]
struct Gathered {
    conversations: HashMap<ConversationId, Moved>,
    waiting: usize,
}

#[derive(Default)]
struct Moved {
    cursors: HashMap<UserId, Cursor>,
    answers: Vec<Answer>,
}

/// How far a user's cursor moves.
pub(super) struct Step {
    pub(super) conversation: ConversationId,
    pub(super) user: UserId,
    pub(super) kind: ReceiptKind,
    pub(super) seq: Seq,
    /// The connection that moves it.
    pub(super) origin: Option<SessionId>,
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
        let Step { conversation, user, kind, seq, origin } = step;
        let moved = gathered.conversations.entry(conversation).or_default();
        let cursor = moved.cursors.entry(user.clone()).or_insert_with(|| Cursor::start(user));
        cursor.advance(kind, seq);
        cursor.origin = origin;
        moved.answers.push(answer);
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
            let cursors: Vec<Cursor> = moved.cursors.into_values().collect();
            let outcome = push(log, clock, &conversation, &cursors).await;
            for answer in moved.answers {
                answer(outcome.clone().map(|()| reply::nothing()));
            }
        };
        stream::iter(gathered.conversations).for_each_concurrent(IN_FLIGHT, write).await;
    }

    fn lock(&self) -> MutexGuard<'_, Gathered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn push(
    log: &ReceiptLog,
    clock: &Clock,
    conversation: &ConversationId,
    cursors: &[Cursor],
) -> Result<(), Rejection> {
    let header = Header::transient(EventKind::Receipts, Timestamp(clock.now_ms()), None);
    let body = serde_json::to_string(cursors).map_err(|error| failed("encode receipts", &error))?;
    match log.push(conversation, &header, &body).await {
        Ok(Receipted::Now) => Ok(()),
        Ok(Receipted::Overloaded) => Err(Code::Overloaded.into()),
        Err(error) => Err(failed("write receipts", &error)),
    }
}
