//! What one round of writing receipts asks of Redis and Postgres before cursors are told: where they were, and which
//! messages they get past.
//!
//! Receipts go on while Postgres is away. What only Postgres knows counts as unknown then: a cursor of which Redis has
//! forgotten where it was tells of messages again, and messages that the hot log has no longer are left out. After the
//! first failure Postgres is asked nothing more in the same round, so that no receipt waits long for it.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
};

use parlance_broker::{Broker, BrokerError, receipts::told::Position};
use parlance_domain::{
    id::{ConversationId, UserId},
    receipt::{Covered, Cursor, Reach, Reaches},
    version::Seq,
};
use parlance_store::{Store, StoreError};

use crate::command::unread::{self, Stretch};

/// One round.
pub(super) struct Round<'a> {
    broker: &'a Broker,
    store: &'a Store,
    /// Postgres has failed once.
    is_stored_unknown: AtomicBool,
}

/// Where cursors were.
pub(super) struct Before {
    /// Each cursor, with its user's position.
    pub(super) cursors: Vec<(Cursor, Position)>,
    /// How far anybody was.
    pub(super) reaches: Reaches,
}

impl<'a> Round<'a> {
    pub(super) fn new(broker: &'a Broker, store: &'a Store) -> Self {
        Self { broker, store, is_stored_unknown: AtomicBool::new(false) }
    }

    /// Where these cursors were: what Redis has noted, else what Postgres has.
    pub(super) async fn before(
        &self,
        conversation: &ConversationId,
        cursors: &[&Cursor],
    ) -> Result<Before, BrokerError> {
        let users: Vec<&UserId> = cursors.iter().map(|cursor| &cursor.user).collect();
        let noted = self.broker.noted_cursors(conversation, &users).await?;
        let unknown = users.iter().zip(&noted.positions).filter(|(_, position)| position.is_none());
        let unknown: Vec<&UserId> = unknown.map(|(user, _)| *user).collect();
        let stored = self.positions(conversation, &unknown).await;
        let position = |user: &UserId, noted: Option<Position>| {
            noted.or_else(|| stored.get(user).copied()).unwrap_or_default()
        };
        let cursors = cursors.iter().zip(noted.positions);
        let cursors = cursors.map(|(cursor, noted)| ((*cursor).clone(), position(&cursor.user, noted)));
        let cursors = cursors.collect();
        let reaches = match noted.reaches {
            Some(reaches) => reaches,
            None => self.reaches(conversation).await,
        };
        Ok(Before { cursors, reaches })
    }

    async fn positions(&self, conversation: &ConversationId, users: &[&UserId]) -> HashMap<UserId, Position> {
        if users.is_empty() {
            return HashMap::new();
        }
        let rows = self.ask(async || self.store.cursors(conversation, users).await).await;
        let rows = rows.into_iter().flatten();
        rows.map(|(user, delivered, read)| (user, Position { delivered, read })).collect()
    }

    async fn reaches(&self, conversation: &ConversationId) -> Reaches {
        let furthest = self.ask(async || self.store.furthest(conversation).await).await;
        let furthest = furthest.unwrap_or_default();
        Reaches { delivered: reach(furthest.delivered), read: reach(furthest.read) }
    }

    /// The messages beyond a place that the hot log has.
    pub(super) async fn logged(&self, conversation: &ConversationId, above: Seq) -> Vec<Covered> {
        self.broker.log_messages_above(conversation, above).await.unwrap_or_else(|error| {
            tracing::warn!(%error, %conversation, "failed to read which messages were received");
            Vec::new()
        })
    }

    /// The messages at these places that Postgres has.
    pub(super) async fn stored(&self, conversation: &ConversationId, places: &[Seq]) -> Vec<Covered> {
        self.ask(async || self.store.covered(conversation, places).await).await.unwrap_or_default()
    }

    /// How many messages of others there are in a stretch; `None` when that cannot be found out.
    pub(super) async fn count(&self, conversation: &ConversationId, stretch: Stretch<'_>) -> Option<u64> {
        if self.is_stored_unknown.load(Ordering::Relaxed) {
            return None;
        }
        let count = unread::count(self.broker, self.store, conversation, stretch).await;
        if count.is_err() {
            self.is_stored_unknown.store(true, Ordering::Relaxed);
        }
        count.ok()
    }

    async fn ask<T>(&self, query: impl AsyncFnOnce() -> Result<T, StoreError>) -> Option<T> {
        if self.is_stored_unknown.load(Ordering::Relaxed) {
            return None;
        }
        match query().await {
            Ok(found) => Some(found),
            Err(error) => {
                tracing::warn!(%error, "failed to read what receipts were before; messages may be told of again");
                self.is_stored_unknown.store(true, Ordering::Relaxed);
                None
            }
        }
    }
}

/// The two furthest cursors, as Postgres has them.
fn reach(furthest: Vec<(UserId, Seq)>) -> Reach {
    let mut furthest = furthest.into_iter();
    let first = furthest.next();
    let second = furthest.next().map_or(Seq(0), |(_, seq)| seq);
    let (user, first) = first.map_or((None, Seq(0)), |(user, seq)| (Some(user), seq));
    Reach { user, first, second }
}
