//! Conversations: creating one, reading it, and its newest numbers.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use parlance_domain::{
    conversation::{Conversation, Title},
    event::EventKind,
    id::{ConversationId, SessionId, UserId},
    message::Metadata,
    version::{Heads, Version},
};
use sqlx::{PgConnection, query_as, query_scalar, types::Json};

use crate::{error::StoreError, outbox, row, store::Store};

/// What a conversation shall be.
#[derive(Debug, Clone)]
pub struct NewConversation {
    /// Its id.
    pub id: ConversationId,
    /// Its name, if it has one.
    pub title: Option<Title>,
    /// The application's own fields.
    pub metadata: Metadata,
    /// Who takes part; one who is named twice takes part once.
    pub participants: Vec<UserId>,
}

/// What became of a command to create a conversation.
#[derive(Debug, Clone, PartialEq)]
pub enum Creation {
    /// It is there now, and its event waits in the outbox.
    Created(Conversation),
    /// It was there already, with the same title, fields and participants.
    Exists(Conversation),
    /// It was there already and is different.
    Conflict,
}

/// A conversation as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredConversation {
    /// The conversation with those who take part now.
    pub conversation: Conversation,
    /// The event that last changed title or fields; zeros before it is persisted.
    pub version: Version,
    /// Whether somebody created it; otherwise it appeared by being used, and has no time of creation.
    pub created: bool,
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
            .run(async |connection| {
                Ok(query_as("SELECT epoch, head_rev, head_seq FROM conversations WHERE id = $1")
                    .bind(conversation.as_str())
                    .fetch_optional(connection)
                    .await?)
            })
            .await?;
        Ok(row.map(|(epoch, rev, seq)| Heads { version: row::version(epoch, rev), seq: row::seq(seq) }))
    }

    /// A conversation; `None` when nothing of it is stored.
    ///
    /// # Errors
    /// As every query.
    pub async fn conversation(&self, id: &ConversationId) -> Result<Option<StoredConversation>, StoreError> {
        self.run(async |connection| read(connection, id).await).await
    }

    /// Creates a conversation with its participants, and puts its event in the outbox: call
    /// [`Store::flush_outbox`] next. One that appeared by being used becomes a created one and keeps its numbers.
    ///
    /// # Errors
    /// As every query.
    pub async fn create_conversation(
        &self,
        new: &NewConversation,
        origin: Option<&SessionId>,
    ) -> Result<Creation, StoreError> {
        self.transaction(async |connection| {
            let created_at: Option<DateTime<Utc>> = query_scalar(CREATE)
                .bind(new.id.as_str())
                .bind(new.title.as_ref().map(Title::as_str))
                .bind(Json(&new.metadata))
                .fetch_optional(&mut *connection)
                .await?;
            let Some(created_at) = created_at else {
                return compare(connection, new).await;
            };
            let users: Vec<&str> = new.participants.iter().map(UserId::as_str).collect();
            sqlx::query(ENROL).bind(new.id.as_str()).bind(&users).execute(&mut *connection).await?;
            let mut seen = HashSet::new();
            let conversation = Conversation {
                id: new.id.clone(),
                title: new.title.clone(),
                metadata: new.metadata.clone(),
                participants: new.participants.iter().filter(|user| seen.insert(*user)).cloned().collect(),
                created_at_ms: created_at.timestamp_millis(),
                updated_at_ms: None,
            };
            outbox::enqueue(connection, &new.id, EventKind::ConversationCreated, &conversation, origin)
                .await?;
            Ok(Creation::Created(conversation))
        })
        .await
    }
}

async fn compare(connection: &mut PgConnection, new: &NewConversation) -> Result<Creation, StoreError> {
    let stored = read(connection, &new.id).await?.map(|stored| stored.conversation);
    let wanted: HashSet<&UserId> = new.participants.iter().collect();
    Ok(match stored {
        Some(stored)
            if stored.title == new.title
                && stored.metadata == new.metadata
                && stored.participants.iter().collect::<HashSet<_>>() == wanted =>
        {
            Creation::Exists(stored)
        }
        _ => Creation::Conflict,
    })
}

async fn read(
    connection: &mut PgConnection,
    id: &ConversationId,
) -> Result<Option<StoredConversation>, StoreError> {
    let row: Option<ConversationRow> =
        query_as(READ).bind(id.as_str()).fetch_optional(&mut *connection).await?;
    row.map(|row| row.conversation(id)).transpose()
}

#[derive(sqlx::FromRow)]
struct ConversationRow {
    title: Option<String>,
    metadata: Json<Metadata>,
    created_at: Option<DateTime<Utc>>,
    updated_at: Option<DateTime<Utc>>,
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
            created: self.created_at.is_some(),
            heads: Heads { version: row::version(self.epoch, self.head_rev), seq: row::seq(self.head_seq) },
            deleted_rev: row::unsigned(self.deleted_rev),
        })
    }
}

/// Answers nothing when somebody created it before. Either way the row is locked from here on.
const CREATE: &str = "
    INSERT INTO conversations AS c (id, title, metadata, created_at)
    VALUES ($1, $2, $3, date_trunc('milliseconds', now()))
    ON CONFLICT (id) DO UPDATE SET title = EXCLUDED.title, metadata = EXCLUDED.metadata, created_at = EXCLUDED.created_at
    WHERE c.created_at IS NULL
    RETURNING created_at";

/// Rows of former members and of cursors become members again; their cursors stay.
const ENROL: &str = "
    INSERT INTO participants AS p (conversation_id, user_id, joined_at)
    SELECT DISTINCT $1, member, now() FROM UNNEST($2::text[]) AS wanted(member)
    ON CONFLICT (conversation_id, user_id) DO UPDATE SET joined_at = EXCLUDED.joined_at, left_at = NULL
    WHERE p.left_at IS NOT NULL";

const READ: &str = "
    SELECT title, metadata, created_at, updated_at, state_epoch, state_rev, epoch, head_rev, head_seq, deleted_rev,
        ARRAY(SELECT user_id FROM participants
              WHERE conversation_id = c.id AND left_at IS NULL ORDER BY joined_at, user_id) AS participants
    FROM conversations c WHERE id = $1";
