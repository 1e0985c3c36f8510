//! Changing the title and the fields of a conversation.

use parlance_domain::{
    conversation::{Conversation, Title},
    event::EventKind,
    id::{ConversationId, SessionId},
    message::Metadata,
};
use sqlx::types::Json;

use super::{lock, read};
use crate::{error::StoreError, outbox, store::Store};

/// What became of a command to change a conversation.
#[derive(Debug, Clone, PartialEq)]
pub enum Update {
    /// It is so now, and its event waits in the outbox.
    Done(Conversation),
    /// It was so already.
    Nothing(Conversation),
    /// There is no such conversation.
    NoConversation,
}

impl Store {
    /// Changes what is given of a conversation, and puts its event in the outbox: call [`Store::flush_outbox`] next.
    /// `Some(None)` takes the title away.
    ///
    /// # Errors
    /// As every query.
    pub async fn update_conversation(
        &self,
        id: &ConversationId,
        title: Option<&Option<Title>>,
        metadata: Option<&Metadata>,
        origin: Option<&SessionId>,
    ) -> Result<Update, StoreError> {
        self.transaction("update_conversation", async |connection| {
            if !lock(connection, id).await? {
                return Ok(Update::NoConversation);
            }
            let changed = sqlx::query(UPDATE)
                .bind(id.as_str())
                .bind(title.is_some())
                .bind(title.and_then(Option::as_ref).map(Title::as_str))
                .bind(metadata.map(Json))
                .execute(&mut *connection)
                .await?
                .rows_affected();
            let Some(stored) = read(connection, id).await? else {
                return Ok(Update::NoConversation);
            };
            let conversation = stored.conversation;
            if changed == 0 {
                return Ok(Update::Nothing(conversation));
            }
            outbox::enqueue(connection, id, EventKind::ConversationUpdated, &conversation, origin).await?;
            Ok(Update::Done(conversation))
        })
        .await
    }
}

/// What is as it should be is not written.
const UPDATE: &str = "
    UPDATE conversations SET
        title = CASE WHEN $2 THEN $3 ELSE title END,
        metadata = COALESCE($4, metadata),
        updated_at = date_trunc('milliseconds', now())
    WHERE id = $1 AND (title, metadata) IS DISTINCT FROM
        (CASE WHEN $2 THEN $3 ELSE title END, COALESCE($4, metadata))";
