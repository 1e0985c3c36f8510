//! The outbox: events of commands that changed rows, from their transaction until they are appended.
//!
//! The event is in the outbox when the change is committed, and leaves it when it was appended. A crash between
//! the two leaves a row that a worker finishes; a crash between append and commit appends again, which the row's id
//! as idempotency key makes the same event.

use std::time::Duration;

use parlance_domain::{
    event::EventKind,
    id::{ConversationId, SessionId},
};
use serde::Serialize;
use sqlx::{Connection, PgConnection, query_as, query_scalar};
use tokio::time::timeout;

use crate::{error::StoreError, row, store::Store};

/// How many events one transaction takes out.
const EVENTS_A_TRANSACTION: i64 = 100;

/// An event that waits to be appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// Unique for good; the event's idempotency key.
    pub id: i64,
    /// Where it happened.
    pub conversation: ConversationId,
    /// What happened.
    pub kind: EventKind,
    /// The event's body, as JSON.
    pub body: String,
    /// Whether it changes who may do what.
    pub changes_acl: bool,
    /// The connection that the command came from.
    pub origin: Option<SessionId>,
}

/// Why the outbox could not be emptied.
#[derive(Debug, thiserror::Error)]
pub enum FlushError<E> {
    /// Postgres did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An event could not be appended. It and those after it stay.
    #[error(transparent)]
    Append(E),
}

impl Store {
    /// Appends a conversation's waiting events in the order of their commits, and says how many they were. Several
    /// callers take turns: the conversation's row is locked meanwhile. `append` may need another connection of
    /// the pool.
    ///
    /// # Errors
    /// When `append` fails, or Postgres; what was not appended stays.
    pub async fn flush_outbox<F, E>(
        &self,
        conversation: &ConversationId,
        append: impl Fn(OutboxRow) -> F,
    ) -> Result<usize, FlushError<E>>
    where
        F: Future<Output = Result<(), E>>,
    {
        let mut appended = 0;
        loop {
            let (done, failure) = self.flush_some(conversation, &append).await?;
            appended += done;
            match failure {
                Some(failure) => return Err(FlushError::Append(failure)),
                None if done == 0 => return Ok(appended),
                None => {}
            }
        }
    }

    /// One transaction of [`Store::flush_outbox`], written out: [`Store::transaction`] with a closure that calls a
    /// closure is more than the compiler can prove to be `Send`.
    async fn flush_some<F, E>(
        &self,
        conversation: &ConversationId,
        append: &impl Fn(OutboxRow) -> F,
    ) -> Result<(usize, Option<E>), StoreError>
    where
        F: Future<Output = Result<(), E>>,
    {
        let _turn = self.nested().await?;
        let mut lease = self.lease("flush_outbox").await?;
        let work = flush_in(&mut lease.connection, conversation, append);
        let answer = timeout(self.deadline(), work).await;
        lease.end(answer)
    }

    /// Conversations whose events wait longer than `age`, longest first, at most `limit`: what a crash left.
    ///
    /// # Errors
    /// As every query.
    pub async fn stale_outbox(&self, age: Duration, limit: u32) -> Result<Vec<ConversationId>, StoreError> {
        let ids: Vec<String> = self
            .run("stale_outbox", async |connection| {
                Ok(query_scalar(STALE)
                    .bind(age.as_secs_f64())
                    .bind(i64::from(limit))
                    .fetch_all(connection)
                    .await?)
            })
            .await?;
        ids.into_iter().map(|id| row::text("outbox.conversation_id", id)).collect()
    }
}

/// What was appended leaves the outbox even when a later append fails.
async fn flush_in<F, E>(
    connection: &mut PgConnection,
    conversation: &ConversationId,
    append: &impl Fn(OutboxRow) -> F,
) -> Result<(usize, Option<E>), StoreError>
where
    F: Future<Output = Result<(), E>>,
{
    let mut transaction = connection.begin().await?;
    let mut done = Vec::new();
    let mut failure = None;
    for row in waiting(&mut transaction, conversation).await? {
        let id = row.id;
        match append(row.event()?).await {
            Ok(()) => done.push(id),
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
    }
    sqlx::query("DELETE FROM outbox WHERE id = ANY($1)").bind(&done).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok((done.len(), failure))
}

/// Puts an event in the outbox. The caller holds the lock of the conversation's row, so that ids are in the order
/// of the commits.
pub(crate) async fn enqueue(
    connection: &mut PgConnection,
    conversation: &ConversationId,
    kind: EventKind,
    body: &(impl Serialize + Sync),
    origin: Option<&SessionId>,
) -> Result<(), StoreError> {
    let body = serde_json::to_string(body).map_err(|error| StoreError::Unexpected(error.to_string()))?;
    sqlx::query(
        "INSERT INTO outbox (conversation_id, kind, body, changes_acl, origin) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(conversation.as_str())
    .bind(kind.as_str())
    .bind(body)
    .bind(kind.changes_membership())
    .bind(origin.map(SessionId::as_str))
    .execute(connection)
    .await?;
    Ok(())
}

async fn waiting(
    connection: &mut PgConnection,
    conversation: &ConversationId,
) -> Result<Vec<Row>, StoreError> {
    sqlx::query("SELECT 1 FROM conversations WHERE id = $1 FOR NO KEY UPDATE")
        .bind(conversation.as_str())
        .execute(&mut *connection)
        .await?;
    Ok(query_as(WAITING).bind(conversation.as_str()).bind(EVENTS_A_TRANSACTION).fetch_all(connection).await?)
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    conversation_id: String,
    kind: String,
    body: String,
    changes_acl: bool,
    origin: Option<String>,
}

impl Row {
    fn event(self) -> Result<OutboxRow, StoreError> {
        let kind = EventKind::parse(&self.kind).ok_or_else(|| {
            StoreError::Unexpected(format!("outbox.kind {:?} is unknown to this version", self.kind))
        })?;
        Ok(OutboxRow {
            id: self.id,
            conversation: row::text("outbox.conversation_id", self.conversation_id)?,
            kind,
            body: self.body,
            changes_acl: self.changes_acl,
            origin: self.origin.and_then(SessionId::new),
        })
    }
}

const WAITING: &str = "
    SELECT id, conversation_id, kind, body, changes_acl, origin FROM outbox
    WHERE conversation_id = $1 ORDER BY id LIMIT $2";

const STALE: &str = "
    SELECT conversation_id FROM outbox WHERE created_at < now() - make_interval(secs => $1)
    GROUP BY conversation_id ORDER BY min(id) LIMIT $2";
