//! How far participants have got: reading what the worker wrote of their receipts.

use parlance_domain::{
    id::{ConversationId, UserId},
    version::Seq,
};
use sqlx::query_as;

use crate::{error::StoreError, row, store::Store};

/// The furthest cursors of a conversation. Two of each kind are enough to tell, for everybody, how far somebody else is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Furthest {
    /// Whose delivered cursors are furthest, at most two.
    pub delivered: Vec<(UserId, Seq)>,
    /// Whose read cursors are furthest, at most two.
    pub read: Vec<(UserId, Seq)>,
}

impl Store {
    /// The furthest cursors of a conversation, also of those who take part no longer: what they have read is read.
    ///
    /// # Errors
    /// As every query.
    pub async fn furthest(&self, conversation: &ConversationId) -> Result<Furthest, StoreError> {
        let rows: Vec<(bool, String, i64)> = self
            .run("furthest", async |connection| {
                Ok(query_as(FURTHEST).bind(conversation.as_str()).fetch_all(connection).await?)
            })
            .await?;
        let mut furthest = Furthest::default();
        for (read, user, seq) in rows {
            let of_kind = if read { &mut furthest.read } else { &mut furthest.delivered };
            of_kind.push((row::text("participants.user_id", user)?, row::seq(seq)));
        }
        Ok(furthest)
    }
}

const FURTHEST: &str = "
    WITH cursors AS MATERIALIZED (
        SELECT user_id, delivered_seq, read_seq FROM participants
        WHERE conversation_id = $1 AND (delivered_seq > 0 OR read_seq > 0))
    (SELECT false, user_id, delivered_seq FROM cursors WHERE delivered_seq > 0 ORDER BY delivered_seq DESC LIMIT 2)
    UNION ALL
    (SELECT true, user_id, read_seq FROM cursors WHERE read_seq > 0 ORDER BY read_seq DESC LIMIT 2)";
