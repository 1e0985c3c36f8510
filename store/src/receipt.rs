//! What receipts need of Postgres: where cursors were, and which messages they get past. Who takes part is not asked here.

use parlance_domain::{
    id::{ConversationId, MessageId, UserId},
    receipt::Covered,
    version::Seq,
};
use sqlx::{query_as, query_scalar};
use uuid::Uuid;

use crate::{error::StoreError, row, store::Store};

/// Which messages of a conversation are counted as unread.
#[derive(Debug, Clone, Copy)]
pub struct Stretch<'a> {
    /// Whose messages do not count.
    pub user: &'a UserId,
    /// Those beyond this place.
    pub above: Seq,
    /// Those up to this place.
    pub to: Seq,
    /// Messages that do not count, because the caller counts them.
    pub except: &'a [MessageId],
    /// Counting ends here.
    pub most: u64,
}

impl Store {
    /// How far users had got in a conversation, delivered and read, when the worker last wrote. Those of whom nothing is
    /// stored are left out.
    ///
    /// # Errors
    /// As every query.
    pub async fn cursors(
        &self,
        conversation: &ConversationId,
        users: &[&UserId],
    ) -> Result<Vec<(UserId, Seq, Seq)>, StoreError> {
        let users: Vec<&str> = users.iter().map(|user| user.as_str()).collect();
        let rows: Vec<(String, i64, i64)> = self
            .run("cursors", async |connection| {
                Ok(query_as(CURSORS).bind(conversation.as_str()).bind(&users).fetch_all(connection).await?)
            })
            .await?;
        let cursor = |(user, delivered, read)| {
            Ok((row::text("participants.user_id", user)?, row::seq(delivered), row::seq(read)))
        };
        rows.into_iter().map(cursor).collect()
    }

    /// The messages at these places of a conversation. Those that are not stored are left out.
    ///
    /// # Errors
    /// As every query.
    pub async fn covered(
        &self,
        conversation: &ConversationId,
        places: &[Seq],
    ) -> Result<Vec<Covered>, StoreError> {
        let places: Vec<i64> = places.iter().map(|place| row::signed(place.0)).collect();
        let rows: Vec<(Uuid, i64, String)> = self
            .run("covered", async |connection| {
                Ok(query_as(COVERED).bind(conversation.as_str()).bind(&places).fetch_all(connection).await?)
            })
            .await?;
        let covered = |(id, seq, sender)| {
            Ok(Covered {
                id: crate::message::message_id(id)?,
                seq: row::seq(seq),
                sender: row::text("messages.sender_id", sender)?,
            })
        };
        rows.into_iter().map(covered).collect()
    }

    /// How many messages of others there are in a stretch of a conversation, those that were taken back left aside.
    ///
    /// # Errors
    /// As every query.
    pub async fn count_of_others(
        &self,
        conversation: &ConversationId,
        stretch: Stretch<'_>,
    ) -> Result<u64, StoreError> {
        let except: Vec<Uuid> = stretch.except.iter().map(|id| id.uuid()).collect();
        let count: i64 = self
            .run("count_of_others", async |connection| {
                Ok(query_scalar(COUNT)
                    .bind(conversation.as_str())
                    .bind(row::signed(stretch.above.0))
                    .bind(row::signed(stretch.to.0))
                    .bind(stretch.user.as_str())
                    .bind(&except)
                    .bind(row::signed(stretch.most))
                    .fetch_one(connection)
                    .await?)
            })
            .await?;
        Ok(row::unsigned(count))
    }
}

const CURSORS: &str = "
    SELECT user_id, delivered_seq, read_seq FROM participants
    WHERE conversation_id = $1 AND user_id = ANY($2)";

const COVERED: &str = "
    SELECT id, seq, sender_id FROM messages WHERE conversation_id = $1 AND seq = ANY($2)";

const COUNT: &str = "
    SELECT count(*) FROM (
        SELECT FROM messages
        WHERE conversation_id = $1 AND seq > $2 AND seq <= $3 AND sender_id <> $4 AND deleted_at IS NULL
            AND id <> ALL($5)
        LIMIT $6) others";
