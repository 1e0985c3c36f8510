//! Writing receipts: what was gathered goes in the receipts stream and is announced, one event a conversation.
//!
//! When some dialect tells which messages were received, it is looked up first where the cursors were and what is between,
//! and the authors are told afterwards of what has arrived with somebody for the first time. A gateway that dies in between
//! leaves them untold; nothing else of a receipt is lost.

use std::{collections::HashMap, convert::Infallible, sync::atomic::Ordering, time::Duration};

use futures_util::{StreamExt, stream};
use parlance_broker::{
    Broker,
    receipts::{
        ReceiptLog, Receipted,
        told::{MAX_TOLD, Telling},
    },
};
use parlance_chassis::{clock::Clock, lifecycle::CancellationToken};
use parlance_domain::{
    entry::Header,
    event::EventKind,
    id::{ConversationId, MessageId, UserId},
    receipt::{self, Cursor, ReceiptKind},
    rejection::{Code, Rejection},
    time::Timestamp,
    user_event::{DeliveredMessages, UserEvent},
};
use parlance_store::Store;

use super::{
    Cursors, Moved, Moving, Receipts, Waiting,
    mark::{Mark, Marked},
    passed::{self, Known},
    round::{Before, Round},
};
use crate::{
    command::{failed, unread::Stretch},
    dialect::{Dialects, EventName, view::reply},
};

/// How many conversations are written at the same time.
const IN_FLIGHT: usize = 64;

/// What writes receipts.
pub struct Writer {
    /// The streams.
    pub log: ReceiptLog,
    /// Where authors are told.
    pub broker: Broker,
    /// What Redis does not know of before.
    pub store: Store,
    /// What clients are told of.
    pub dialects: Dialects,
    /// The time of the receipts.
    pub clock: Clock,
}

impl Writer {
    /// Writes what was gathered every `interval`, until `hard` and then once more: sockets still send their last
    /// receipts during the drain.
    pub async fn run(
        self,
        receipts: Receipts,
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
            receipts.0.tells_messages.store(self.dialects.tell_of_receipts(), Ordering::Relaxed);
            self.write(&receipts).await;
            if ended {
                return Ok(());
            }
        }
    }

    async fn write(&self, receipts: &Receipts) {
        let round = Round::new(&self.broker, &self.store);
        let tells = receipts.tells_messages();
        let write = |(conversation, moved): (ConversationId, Moved)| {
            let round = &round;
            async move {
                let Moved { cursors, waiting, known } = moved;
                let outcome = if tells {
                    self.tell(round, &conversation, &cursors, &known).await
                } else {
                    self.push(&conversation, &cursors).await
                };
                if let Err(Rejection { code: Code::Overloaded | Code::Unavailable, .. }) = &outcome {
                    receipts.again(&conversation, cursors);
                }
                for Waiting { answer, mark } in waiting {
                    match &outcome {
                        Ok(told) => answer(Ok(reply_with(round, &conversation, told, mark).await)),
                        Err(rejection) => answer(Err(rejection.clone())),
                    }
                }
            }
        };
        stream::iter(receipts.take()).for_each_concurrent(IN_FLIGHT, write).await;
    }

    fn header(&self) -> Header {
        Header::transient(EventKind::Receipts, Timestamp(self.clock.now_ms()), None)
    }

    /// Writes the cursors as they are.
    async fn push(
        &self,
        conversation: &ConversationId,
        cursors: &Cursors,
    ) -> Result<receipt::Receipts, Rejection> {
        let cursors: Vec<&Cursor> = cursors.values().map(|moving| &moving.cursor).collect();
        let body = serde_json::to_string(&cursors).map_err(|error| failed("encode receipts", &error))?;
        match self.log.push(conversation, &self.header(), &body).await {
            Ok(Receipted::Now) => Ok(receipt::Receipts::default()),
            Ok(Receipted::Overloaded) => Err(Code::Overloaded.into()),
            Err(error) => Err(failed("write receipts", &error)),
        }
    }

    /// Writes the cursors with the messages that they get past. Answers what was told, without the messages.
    async fn tell(
        &self,
        round: &Round<'_>,
        conversation: &ConversationId,
        cursors: &Cursors,
        known: &Known,
    ) -> Result<receipt::Receipts, Rejection> {
        let all: Vec<&Cursor> = cursors.values().map(|Moving { cursor, .. }| cursor).collect();
        let mut told = receipt::Receipts::default();
        for cursors in all.chunks(MAX_TOLD) {
            let before = round.before(conversation, cursors).await;
            let Before { cursors, reaches } = before.map_err(|error| failed("read cursors", &error))?;
            let messages = passed::find(round, conversation, &cursors, known).await;
            let telling = Telling { cursors: &cursors, messages: &messages, reaches: &reaches };
            let header = self.header();
            match self.log.tell(conversation, &header, telling).await {
                Ok(Some(receipts)) => {
                    self.tell_authors(conversation, header.at, &receipts).await;
                    told.cursors.extend(receipts.cursors);
                }
                Ok(None) => return Err(Code::Overloaded.into()),
                Err(error) => return Err(failed("write receipts", &error)),
            }
        }
        Ok(told)
    }

    /// Tells the authors of messages that these have arrived with somebody, on all their devices.
    async fn tell_authors(&self, conversation: &ConversationId, at: Timestamp, receipts: &receipt::Receipts) {
        if !self.dialects.speak_of(EventName::MessageDelivered) {
            return;
        }
        for (cursor, messages) in receipts.first(ReceiptKind::Delivered) {
            let mut by_author: HashMap<&UserId, Vec<MessageId>> = HashMap::new();
            for message in messages {
                by_author.entry(&message.sender).or_default().push(message.id);
            }
            for (author, messages) in by_author {
                let (conversation, to) = (conversation.clone(), cursor.user.clone());
                let event = UserEvent::MessagesDelivered(DeliveredMessages {
                    conversation,
                    messages,
                    to,
                    at_ms: at.0,
                });
                if let Err(error) = self.broker.publish_to_user(author, &event).await {
                    tracing::warn!(%error, %author, "failed to tell an author what was delivered");
                }
            }
        }
    }
}

/// What a command is answered with. How many messages it marked is left out when that cannot be found out.
async fn reply_with(
    round: &Round<'_>,
    conversation: &ConversationId,
    told: &receipt::Receipts,
    mark: Option<Mark>,
) -> serde_json::Value {
    let Some(mark) = mark else { return reply::nothing() };
    match mark.of(told) {
        Marked::Count(count) => reply::read(Some(count)),
        Marked::Unknown => reply::read(None),
        Marked::Between(above, to) => {
            let stretch = Stretch { user: &mark.user, above, to };
            reply::read(round.count(conversation, stretch).await)
        }
    }
}
