//! Conversations of which participants are still to be told that something happened.
//!
//! A row stands there from the transaction in which it happened, or the moment after, until somebody has told of it.
//! Much that happens in a short time is told of once, in the state in which the conversation is then. Only one worker at
//! a time tells of a conversation, so that nobody hears of an older state after a newer one.

use std::time::Duration;

use parlance_domain::{conversation::Conversation, id::ConversationId, message::Message};
use sqlx::{query, query_as};

use super::read;
use crate::{error::StoreError, message, row, store::Store};

/// How long a worker has for what it took, before others count it as dead.
const CLAIM: Duration = Duration::from_secs(10);

/// A conversation that the caller is to tell of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveConversation {
    /// Which.
    pub conversation: ConversationId,
    /// The last thing that had happened when it was taken.
    change: i64,
}

impl Store {
    /// Notes that participants are to be told of a conversation. The worker does so itself for messages.
    ///
    /// # Errors
    /// As every query.
    pub async fn note_activity(&self, conversation: &ConversationId) -> Result<(), StoreError> {
        self.run("note_activity", async |connection| {
            query(NOTE).bind(conversation.as_str()).execute(connection).await?;
            Ok(())
        })
        .await
    }

    /// Takes conversations that nobody tells of, those that wait longest first, at most `limit`. The caller calls
    /// [`Store::told_of_activity`] or [`Store::release_activity`] for each; else they are others' after ten seconds.
    ///
    /// # Errors
    /// As every query.
    pub async fn take_active(&self, limit: u32) -> Result<Vec<ActiveConversation>, StoreError> {
        let rows: Vec<(String, i64)> = self
            .run("take_active", async |connection| {
                Ok(query_as(TAKE)
                    .bind(i64::from(limit))
                    .bind(CLAIM.as_secs_f64())
                    .fetch_all(connection)
                    .await?)
            })
            .await?;
        let active = |(id, change)| {
            let conversation = row::text("conversation_activity.conversation_id", id)?;
            Ok(ActiveConversation { conversation, change })
        };
        rows.into_iter().map(active).collect()
    }

    /// Participants were told of the conversation as it was after it was taken. If something happened since, they are
    /// told again.
    ///
    /// # Errors
    /// As every query.
    pub async fn told_of_activity(&self, active: &ActiveConversation) -> Result<(), StoreError> {
        let gone = self
            .run("told_of_activity", async |connection| {
                let conversation = active.conversation.as_str();
                Ok(query(TOLD).bind(conversation).bind(active.change).execute(connection).await?)
            })
            .await?;
        if gone.rows_affected() == 0 { self.release_activity(active).await } else { Ok(()) }
    }

    /// Lets others take the conversation, after those that wait now.
    ///
    /// # Errors
    /// As every query.
    pub async fn release_activity(&self, active: &ActiveConversation) -> Result<(), StoreError> {
        self.run("release_activity", async |connection| {
            query(RELEASE).bind(active.conversation.as_str()).execute(connection).await?;
            Ok(())
        })
        .await
    }

    /// A conversation and its newest message as they are stored; `None` when it is not there (any more).
    ///
    /// # Errors
    /// As every query.
    pub async fn conversation_now(
        &self,
        id: &ConversationId,
    ) -> Result<Option<(Conversation, Option<Message>)>, StoreError> {
        self.run("conversation_now", async |connection| {
            let Some(stored) = read(connection, id).await?.filter(|stored| !stored.deleted) else {
                return Ok(None);
            };
            let last = message::newest(connection, id, stored.deleted_rev).await?;
            Ok(Some((stored.conversation, last)))
        })
        .await
    }
}

const NOTE: &str = "
    INSERT INTO conversation_activity (conversation_id) VALUES ($1)
    ON CONFLICT (conversation_id) DO UPDATE SET change = EXCLUDED.change";

const TAKE: &str = "
    WITH free AS MATERIALIZED (
        SELECT conversation_id FROM conversation_activity
        WHERE claimed_until IS NULL OR claimed_until < clock_timestamp()
        ORDER BY since LIMIT $1 FOR UPDATE SKIP LOCKED)
    UPDATE conversation_activity a SET claimed_until = clock_timestamp() + make_interval(secs => $2)
    FROM free WHERE a.conversation_id = free.conversation_id
    RETURNING a.conversation_id, a.change";

/// One row at a time: whoever holds one never waits for another.
const TOLD: &str = "DELETE FROM conversation_activity WHERE conversation_id = $1 AND change = $2";

const RELEASE: &str = "
    UPDATE conversation_activity SET claimed_until = NULL, since = clock_timestamp() WHERE conversation_id = $1";
