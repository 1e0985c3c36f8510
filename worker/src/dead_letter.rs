//! Dead letters: entries that cannot be written, kept as they were until an operator retries or drops them.

use chrono::{DateTime, Utc};
use parlance_broker::{
    ingest::{Entry, StreamKind},
    partition::Partition,
};
use parlance_store::{Store, StoreError};
use sqlx::{PgConnection, query, query_as, query_scalar};

use crate::ingest::{Fault, Rows, decode, heads, purge, raise_heads, write};

/// The longest reason that is kept, in characters.
const MOST_REASON_CHARS: usize = 500;

/// A parked entry.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct DeadLetter {
    /// What operators call it.
    pub id: i64,
    /// `ingest` or `receipts`.
    pub stream: String,
    /// Of which partition.
    pub partition: i32,
    /// The entry's id in its stream.
    pub entry_id: String,
    /// Field `c` of the entry.
    pub conversation: Vec<u8>,
    /// Field `h` of the entry.
    pub header: Vec<u8>,
    /// Field `b` of the entry.
    pub body: Vec<u8>,
    /// Why it could not be written.
    pub reason: String,
    /// What Postgres called that.
    pub sqlstate: Option<String>,
    /// When it was parked.
    pub parked_at: DateTime<Utc>,
}

/// What became of a dead letter that was tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retried {
    /// It is written, and no dead letter any more.
    Written,
    /// It still cannot be written, for this reason.
    Refused(String),
    /// There is none of this number.
    Missing,
}

/// Parks an entry and raises its conversation's heads, as if it had been written. An entry that is parked already
/// is not parked again.
pub(crate) async fn park(
    store: &Store,
    partition: Partition,
    stream: StreamKind,
    entry: &Entry,
    fault: &Fault,
) -> Result<(), StoreError> {
    let heads = heads(stream, entry);
    // Postgres' texts have no U+0000, and a reason may quote what came from outside.
    let reason: String = fault.reason.chars().filter(|c| *c != '\0').take(MOST_REASON_CHARS).collect();
    store
        .transaction("park", async |connection| {
            query(PARK)
                .bind(stream.as_str())
                .bind(i32::from(partition.0))
                .bind(entry.id.to_string())
                .bind(entry.conversation.as_ref())
                .bind(entry.header.as_ref())
                .bind(entry.body.as_ref())
                .bind(&reason)
                .bind(&fault.sqlstate)
                .execute(&mut *connection)
                .await?;
            match &heads {
                Some((conversation, heads)) => {
                    raise_heads(connection, &Rows::heads(conversation, *heads)).await
                }
                None => Ok(()),
            }
        })
        .await
}

/// Up to `limit` dead letters with numbers above `after`, oldest first.
///
/// # Errors
/// As every query.
pub async fn list(store: &Store, after: i64, limit: u32) -> Result<Vec<DeadLetter>, StoreError> {
    store
        .run("dead_letters", async |connection| {
            Ok(query_as(LIST).bind(after).bind(i64::from(limit)).fetch_all(connection).await?)
        })
        .await
}

/// How many there are.
///
/// # Errors
/// As every query.
pub async fn count(store: &Store) -> Result<u64, StoreError> {
    let count: i64 = store
        .run("count_dead_letters", async |connection| {
            Ok(query_scalar("SELECT count(*) FROM dead_letters").fetch_one(connection).await?)
        })
        .await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Writes a dead letter as its entry would be written, and deletes it, in one transaction. Newer states stay.
///
/// # Errors
/// As every query; a refusal of the entry itself is [`Retried::Refused`].
pub async fn retry(store: &Store, id: i64) -> Result<Retried, StoreError> {
    match store.transaction("retry_dead_letter", async |connection| retry_in(connection, id).await).await {
        Err(StoreError::Data { sqlstate, message }) => {
            Ok(Retried::Refused(format!("{message} ({sqlstate})")))
        }
        answer => answer,
    }
}

async fn retry_in(connection: &mut PgConnection, id: i64) -> Result<Retried, StoreError> {
    let letter: Option<DeadLetter> = query_as(LOCK).bind(id).fetch_optional(&mut *connection).await?;
    let Some(letter) = letter else { return Ok(Retried::Missing) };
    let (stream, entry) = letter.entry()?;
    let envelope = match decode(stream, &entry) {
        Ok(envelope) => envelope,
        Err(fault) => return Ok(Retried::Refused(fault.reason)),
    };
    let rows = Rows::fold([&envelope]);
    write(connection, &rows).await?;
    while purge(connection, &rows).await? {}
    query("DELETE FROM dead_letters WHERE id = $1").bind(id).execute(connection).await?;
    Ok(Retried::Written)
}

/// Deletes a dead letter for good; says whether there was one.
///
/// # Errors
/// As every query.
pub async fn delete(store: &Store, id: i64) -> Result<bool, StoreError> {
    let done = store
        .run("delete_dead_letter", async |connection| {
            Ok(query("DELETE FROM dead_letters WHERE id = $1").bind(id).execute(connection).await?)
        })
        .await?;
    Ok(done.rows_affected() > 0)
}

impl DeadLetter {
    fn entry(self) -> Result<(StreamKind, Entry), StoreError> {
        let unexpected = |what: String| StoreError::Unexpected(format!("dead letter {}: {what}", self.id));
        let stream = StreamKind::ALL.into_iter().find(|stream| stream.as_str() == self.stream);
        let stream = stream.ok_or_else(|| unexpected(format!("stream {:?}", self.stream)))?;
        let id = self.entry_id.parse().map_err(unexpected)?;
        let entry = Entry {
            id,
            conversation: self.conversation.into(),
            header: self.header.into(),
            body: self.body.into(),
        };
        Ok((stream, entry))
    }
}

const PARK: &str = "
    INSERT INTO dead_letters (stream, partition, entry_id, conversation, header, body, reason, sqlstate)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";

const LIST: &str = "
    SELECT id, stream, partition, entry_id, conversation, header, body, reason, sqlstate, parked_at
    FROM dead_letters WHERE id > $1 ORDER BY id LIMIT $2";

const LOCK: &str = "
    SELECT id, stream, partition, entry_id, conversation, header, body, reason, sqlstate, parked_at
    FROM dead_letters WHERE id = $1 FOR UPDATE";
