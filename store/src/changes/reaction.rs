//! Reactions that came or went since a position.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use parlance_domain::{
    id::{ConversationId, MessageId},
    reaction::{Emoji, ReactionUpdate, Reactions},
    user::Profile,
    version::Version,
};
use sqlx::{query_as, types::Json};
use uuid::Uuid;

use super::{Bounds, Changed, ReactionState, changed};
use crate::{error::StoreError, reaction::by_emoji, row, store::Store};

impl Store {
    /// The reactions that came or went after `since`, oldest change first.
    pub(super) async fn reactions_since(
        &self,
        conversation: &ConversationId,
        since: Version,
        bounds: Bounds,
    ) -> Result<Changed<ReactionState>, StoreError> {
        let rows: Vec<ReactionRow> = self
            .run("reactions_since", async |connection| {
                Ok(query_as(SINCE)
                    .bind(conversation.as_str())
                    .bind(row::signed(since.epoch))
                    .bind(row::signed(since.rev))
                    .bind(row::signed(bounds.rows))
                    .fetch_all(connection)
                    .await?)
            })
            .await?;
        let messages = rows.iter().map(ReactionRow::message).collect::<Result<BTreeSet<_>, _>>()?;
        let stored = self.reactions(&messages.into_iter().collect::<Vec<_>>()).await?;
        let now: HashMap<MessageId, Reactions> =
            stored.into_iter().map(|(message, reactions)| (message, by_emoji(&reactions))).collect();
        let states = rows.into_iter().map(|row| row.state(&now)).collect::<Result<Vec<_>, _>>()?;
        Ok(changed(states, bounds, |state| state.version))
    }
}

#[derive(sqlx::FromRow)]
struct ReactionRow {
    message_id: Uuid,
    emoji: String,
    seq: i64,
    reactor: Json<Profile>,
    active: bool,
    changed_at: DateTime<Utc>,
    epoch: i64,
    rev: i64,
}

impl ReactionRow {
    fn message(&self) -> Result<MessageId, StoreError> {
        MessageId::try_from(self.message_id).map_err(|problem| {
            StoreError::Unexpected(format!("reactions.message_id {} {problem}", self.message_id))
        })
    }

    fn state(self, now: &HashMap<MessageId, Reactions>) -> Result<ReactionState, StoreError> {
        let message = self.message()?;
        let emoji: Emoji = row::text("reactions.emoji", self.emoji)?;
        let update = ReactionUpdate {
            message,
            seq: row::seq(self.seq),
            user: self.reactor.0,
            emoji,
            active: self.active,
            reactions: now.get(&message).cloned().unwrap_or_default(),
        };
        Ok(ReactionState { update, version: row::version(self.epoch, self.rev), at: self.changed_at.into() })
    }
}

const SINCE: &str = "
    SELECT message_id, emoji, seq, reactor, active, changed_at, epoch, rev FROM reactions
    WHERE conversation_id = $1 AND (epoch, rev) > ($2, $3) ORDER BY epoch, rev LIMIT $4";
