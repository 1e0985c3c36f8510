//! Deleting a conversation. Here goes what commands own: its title and fields, and who takes part. What was said goes
//! when a worker meets the event.

use parlance_domain::{
    conversation::{DeletedConversation, MAX_LISTED_PARTICIPANTS},
    event::EventKind,
    id::{ConversationId, SessionId},
};
use sqlx::query_scalar;

use crate::{error::StoreError, outbox, row, store::Store};

/// Whether a conversation that was deleted can be there again without being created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Used {
    /// Nobody can use it before it is created.
    OnlyWhenCreated,
    /// Conversations appear by being used, this one too.
    WithoutCreation,
}

impl Store {
    /// Deletes a conversation, and puts its event in the outbox: call [`Store::flush_outbox`] next. False when there is
    /// none.
    ///
    /// # Errors
    /// As every query.
    pub async fn delete_conversation(
        &self,
        id: &ConversationId,
        used: Used,
        origin: Option<&SessionId>,
    ) -> Result<bool, StoreError> {
        self.transaction("delete_conversation", async |connection| {
            let found: Option<i32> = query_scalar(LOCK)
                .bind(id.as_str())
                .bind(used == Used::WithoutCreation)
                .fetch_optional(&mut *connection)
                .await?;
            if found.is_none() {
                return Ok(false);
            }
            let users: Vec<String> = query_scalar(PARTICIPANTS)
                .bind(id.as_str())
                .bind(i64::try_from(MAX_LISTED_PARTICIPANTS).unwrap_or(i64::MAX))
                .fetch_all(&mut *connection)
                .await?;
            for statement in [LOCK_PARTICIPANTS, LEAVE, DELETE] {
                sqlx::query(statement).bind(id.as_str()).execute(&mut *connection).await?;
            }
            let participants = users.into_iter().map(|user| row::text("participants.user_id", user));
            let body = DeletedConversation { participants: participants.collect::<Result<_, _>>()? };
            outbox::enqueue(connection, id, EventKind::ConversationDeleted, &body, origin).await?;
            Ok(true)
        })
        .await
    }
}

/// One that appeared again after it was deleted has events after the deletion.
const LOCK: &str = "
    SELECT 1 FROM conversations
    WHERE id = $1 AND (deleted_at IS NULL OR ($2 AND deleted_rev > 0 AND head_rev > deleted_rev)) FOR NO KEY UPDATE";

const PARTICIPANTS: &str = "
    SELECT user_id FROM participants WHERE conversation_id = $1 AND left_at IS NULL
    ORDER BY joined_at, user_id LIMIT $2";

/// In the order of the bytes, as the worker locks those whose cursors move.
const LOCK_PARTICIPANTS: &str = "
    WITH locked AS MATERIALIZED (
        SELECT user_id FROM participants WHERE conversation_id = $1 AND left_at IS NULL
        ORDER BY user_id COLLATE \"C\" FOR NO KEY UPDATE)
    SELECT count(*) FROM locked";

const LEAVE: &str = "
    UPDATE participants SET left_at = now() WHERE conversation_id = $1 AND left_at IS NULL";

const DELETE: &str = "
    UPDATE conversations SET deleted_at = now(), created_at = NULL, updated_at = NULL, title = NULL, metadata = '{}'
    WHERE id = $1";
