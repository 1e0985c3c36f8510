//! Stretches of a conversation: the messages right before or right after a place.
//!
//! After Redis lost numbers, a place may have been given twice. Messages of one place are never parted: they are all in a
//! stretch or none is, so that whoever reads on from the place misses nothing.

use parlance_domain::{id::ConversationId, message::Message, version::Seq};
use sqlx::query_as;

use super::row::MessageRow;
use crate::{error::StoreError, row, store::Store};

/// Where a stretch lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// Right before this place; `Seq(u64::MAX)` for the newest.
    Before(Seq),
    /// Right after this place.
    After(Seq),
}

/// Messages next to each other.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stretch {
    /// In the order of the conversation.
    pub messages: Vec<Message>,
    /// Whether there are more on the side that is away from the place.
    pub more: bool,
}

impl Store {
    /// The `limit` messages next to a place, more only if they share the last place. It ends with the place that takes it
    /// to `bytes` of content.
    ///
    /// # Errors
    /// As every query.
    pub async fn history(
        &self,
        conversation: &ConversationId,
        span: Span,
        limit: u64,
        bytes: u64,
    ) -> Result<Stretch, StoreError> {
        let (sql, bound) = match span {
            Span::Before(seq) => (BEFORE, seq),
            Span::After(seq) => (AFTER, seq),
        };
        let rows: Vec<FoundRow> = self
            .run("history", async |connection| {
                Ok(query_as(sql)
                    .bind(conversation.as_str())
                    .bind(row::signed(bound.0))
                    .bind(row::signed(limit))
                    .bind(row::signed(bytes))
                    .fetch_all(connection)
                    .await?)
            })
            .await?;
        stretch(span, rows)
    }
}

#[derive(sqlx::FromRow)]
struct FoundRow {
    #[sqlx(flatten)]
    message: MessageRow,
    more: bool,
}

/// The rows, which come from the place on, in the order of the conversation.
fn stretch(span: Span, rows: Vec<FoundRow>) -> Result<Stretch, StoreError> {
    let more = rows.first().is_some_and(|row| row.more);
    let messages: Result<Vec<Message>, StoreError> =
        rows.into_iter().map(|row| row.message.message()).collect();
    let mut messages = messages?;
    if matches!(span, Span::Before(_)) {
        messages.reverse();
    }
    Ok(Stretch { messages, more })
}

macro_rules! stretch {
    ($beyond:literal, $last:literal, $seq:literal, $id:literal) => {
        concat!(
            "WITH found AS (",
            select!("WHERE conversation_id = $1 AND seq "),
            $beyond,
            " $2 ORDER BY ",
            $seq,
            " FETCH FIRST ($3) ROWS WITH TIES), sized AS (SELECT *, COALESCE(sum(octet_length(content)) OVER (ORDER BY ",
            $seq,
            " RANGE UNBOUNDED PRECEDING EXCLUDE GROUP), 0) AS before FROM found) ",
            "SELECT *, EXISTS (SELECT 1 FROM messages WHERE conversation_id = $1 AND seq ",
            $beyond,
            " (SELECT ",
            $last,
            "(seq) FROM sized WHERE before < $4)) AS more FROM sized WHERE before < $4 ORDER BY ",
            $seq,
            ", ",
            $id
        )
    };
}
const BEFORE: &str = stretch!("<", "min", "seq DESC", "id DESC");
const AFTER: &str = stretch!(">", "max", "seq", "id");
