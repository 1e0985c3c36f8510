//! Conversations: reading one, and its newest numbers. How one is made, changed and deleted has files of its own.

pub mod activity;
mod change;
mod create;
mod delete;

use chrono::{DateTime, Utc};
use parlance_domain::{
    conversation::{Conversation, MAX_LISTED_PARTICIPANTS},
    id::ConversationId,
    message::Metadata,
    version::{Heads, Version},
};
use sqlx::{PgConnection, query_as, query_scalar, types::Json};

pub use change::Update;
pub use create::{Creation, NewConversation};
pub use delete::Used;

use crate::{error::StoreError, row, store::Store};

/// A conversation as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredConversation {
    /// The conversation with those who take part now, the first ones of very many.
    pub conversation: Conversation,
    /// The event that last changed title or fields; zeros before it is persisted.
    pub version: Version,
    /// Whether somebody created it; otherwise it appeared by being used.
    pub created: bool,
    /// Whether it was deleted and not created again.
    pub deleted: bool,
    /// Its newest numbers.
    pub heads: Heads,
    /// Nothing up to here is stored any more, because it was deleted then; 0 when it never was.
    pub deleted_rev: u64,
}

impl Store {
    /// The newest numbers of a conversation that are stored; `None` when nothing of it is.
    ///
    /// # Errors
    /// As every query.
    pub async fn heads(&self, conversation: &ConversationId) -> Result<Option<Heads>, StoreError> {
        let row: Option<(i64, i64, i64)> = self
            .run("heads", async |connection| {
                Ok(query_as("SELECT epoch, head_rev, head_seq FROM conversations WHERE id = $1")
                    .bind(conversation.as_str())
                    .fetch_optional(connection)
                    .await?)
            })
            .await?;
        Ok(row.map(|(epoch, rev, seq)| Heads { version: row::version(epoch, rev), seq: row::seq(seq) }))
    }

    /// A conversation, also one that was deleted; `None` when nothing of it is stored.
    ///
    /// # Errors
    /// As every query.
    pub async fn conversation(&self, id: &ConversationId) -> Result<Option<StoredConversation>, StoreError> {
        self.run("conversation", async |connection| read(connection, id).await).await
    }
}

/// Locks the row of a conversation that is there. While it is locked nobody else changes the conversation or who takes
/// part, and its events get their place in the outbox.
pub(crate) async fn lock(connection: &mut PgConnection, id: &ConversationId) -> Result<bool, StoreError> {
    let deleted: Option<bool> =
        query_scalar("SELECT deleted_at IS NOT NULL FROM conversations WHERE id = $1 FOR NO KEY UPDATE")
            .bind(id.as_str())
            .fetch_optional(connection)
            .await?;
    Ok(deleted == Some(false))
}

async fn read(
    connection: &mut PgConnection,
    id: &ConversationId,
) -> Result<Option<StoredConversation>, StoreError> {
    let row: Option<ConversationRow> = query_as(READ)
        .bind(id.as_str())
        .bind(i64::try_from(MAX_LISTED_PARTICIPANTS).unwrap_or(i64::MAX))
        .fetch_optional(&mut *connection)
        .await?;
    row.map(|row| row.conversation(id)).transpose()
}

#[derive(sqlx::FromRow)]
struct ConversationRow {
    title: Option<String>,
    metadata: Json<Metadata>,
    created_at: Option<DateTime<Utc>>,
    updated_at: Option<DateTime<Utc>>,
    created: bool,
    deleted: bool,
    state_epoch: i64,
    state_rev: i64,
    epoch: i64,
    head_rev: i64,
    head_seq: i64,
    deleted_rev: i64,
    participants: Vec<String>,
}

impl ConversationRow {
    fn conversation(self, id: &ConversationId) -> Result<StoredConversation, StoreError> {
        let participants = self.participants.into_iter().map(|user| row::text("participants.user_id", user));
        Ok(StoredConversation {
            conversation: Conversation {
                id: id.clone(),
                title: self.title.map(|title| row::text("conversations.title", title)).transpose()?,
                metadata: self.metadata.0,
                participants: participants.collect::<Result<_, _>>()?,
                created_at_ms: row::time(self.created_at).0,
                updated_at_ms: self.updated_at.map(|at| at.timestamp_millis()),
            },
            version: row::version(self.state_epoch, self.state_rev),
            created: self.created,
            deleted: self.deleted,
            heads: Heads { version: row::version(self.epoch, self.head_rev), seq: row::seq(self.head_seq) },
            deleted_rev: row::unsigned(self.deleted_rev),
        })
    }
}

/// One that appeared by being used is as old as what was first said in it.
const READ: &str = "
    SELECT title, metadata, updated_at, created_at IS NOT NULL AS created, deleted_at IS NOT NULL AS deleted,
        state_epoch, state_rev, epoch, head_rev, head_seq, deleted_rev,
        COALESCE(created_at, (SELECT m.created_at FROM messages m
            WHERE m.conversation_id = c.id AND m.created_rev > c.deleted_rev ORDER BY m.seq LIMIT 1)) AS created_at,
        ARRAY(SELECT user_id FROM participants
              WHERE conversation_id = c.id AND left_at IS NULL ORDER BY joined_at, user_id LIMIT $2) AS participants
    FROM conversations c WHERE id = $1";
