//! Reading messages: by id. Pages of history are in [`page`] and [`numbered`], what is newer than a position in `since`.

use parlance_domain::{
    id::{ConversationId, MessageId},
    message::{Message, Place},
};
use sqlx::{PgConnection, query_as};
use uuid::Uuid;

use crate::{error::StoreError, store::Store};

/// A query of messages with the columns of a [`row::MessageRow`].
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, conversation_id, seq, epoch, created_rev, rev, sender, type, content, attachments, ",
            "metadata, reply_to, client_id, created_at, edited_at, deleted_at, origin FROM messages ",
            $rest
        )
    };
}
// Below the macro, which they use.
pub mod numbered;
pub mod page;
mod row;
pub(crate) mod since;

use row::MessageRow;
pub(crate) use row::message_id;

impl Store {
    /// A message in its state now; `None` when it is not stored.
    ///
    /// # Errors
    /// As every query.
    pub async fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        let row: Option<MessageRow> = self
            .run("message", async |connection| {
                Ok(query_as(BY_ID).bind(id.uuid()).fetch_optional(connection).await?)
            })
            .await?;
        row.map(MessageRow::message).transpose()
    }

    /// Where messages are. Those that are not stored are left out.
    ///
    /// # Errors
    /// As every query.
    pub async fn places(&self, ids: &[MessageId]) -> Result<Vec<Place>, StoreError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
        let rows: Vec<(Uuid, String, i64, String)> = self
            .run("places", async |connection| {
                Ok(query_as("SELECT id, conversation_id, seq, sender_id FROM messages WHERE id = ANY($1)")
                    .bind(&ids)
                    .fetch_all(connection)
                    .await?)
            })
            .await?;
        let place = |(id, conversation, seq, sender)| {
            Ok(Place {
                id: message_id(id)?,
                conversation: crate::row::text("messages.conversation_id", conversation)?,
                seq: crate::row::seq(seq),
                sender: crate::row::text("messages.sender_id", sender)?,
            })
        };
        rows.into_iter().map(place).collect()
    }
}

/// Messages in their state now, in no order. Those that are not stored are left out.
pub(crate) async fn by_ids(connection: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Message>, StoreError> {
    let rows: Vec<MessageRow> = query_as(BY_IDS).bind(ids).fetch_all(connection).await?;
    rows.into_iter().map(MessageRow::message).collect()
}

/// The newest message of a conversation that did not go when that was deleted.
pub(crate) async fn newest(
    connection: &mut PgConnection,
    conversation: &ConversationId,
    deleted_rev: u64,
) -> Result<Option<Message>, StoreError> {
    let row: Option<MessageRow> = query_as(NEWEST)
        .bind(conversation.as_str())
        .bind(crate::row::signed(deleted_rev))
        .fetch_optional(connection)
        .await?;
    row.map(MessageRow::message).transpose()
}

const BY_ID: &str = select!("WHERE id = $1");
const BY_IDS: &str = select!("WHERE id = ANY($1)");
const NEWEST: &str =
    select!("WHERE conversation_id = $1 AND created_rev > $2 ORDER BY seq DESC, id DESC LIMIT 1");
