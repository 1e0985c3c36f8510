//! A row of messages as the message that it is.

use chrono::{DateTime, Utc};
use parlance_domain::{
    id::{ClientId, MessageId, SessionId},
    message::{Attachments, Message, MessageBody, Metadata},
    notification::NotifyPolicy,
    user::Profile,
};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{error::StoreError, row};

/// The columns that `select!` reads.
#[derive(sqlx::FromRow)]
pub(crate) struct MessageRow {
    id: Uuid,
    conversation_id: String,
    seq: i64,
    epoch: i64,
    created_rev: i64,
    rev: i64,
    sender: Json<Profile>,
    #[sqlx(rename = "type")]
    kind: String,
    content: String,
    attachments: Json<Attachments>,
    metadata: Json<Metadata>,
    reply_to: Option<Uuid>,
    client_id: Option<String>,
    created_at: DateTime<Utc>,
    edited_at: Option<DateTime<Utc>>,
    deleted_at: Option<DateTime<Utc>>,
    origin: Option<String>,
}

impl MessageRow {
    /// The message.
    ///
    /// # Errors
    /// When a column has what the domain cannot represent.
    pub(crate) fn message(self) -> Result<Message, StoreError> {
        Ok(Message {
            conversation: row::text("messages.conversation_id", self.conversation_id)?,
            seq: row::seq(self.seq),
            version: row::version(self.epoch, self.rev),
            created_rev: row::unsigned(self.created_rev),
            created_at: row::time(Some(self.created_at)),
            edited_at: self.edited_at.map(Into::into),
            deleted_at: self.deleted_at.map(Into::into),
            origin: self.origin.and_then(SessionId::new),
            body: MessageBody {
                id: message_id(self.id)?,
                sender: self.sender.0,
                kind: row::text("messages.type", self.kind)?,
                content: row::text("messages.content", self.content)?,
                attachments: self.attachments.0,
                metadata: self.metadata.0,
                reply_to: self.reply_to.map(message_id).transpose()?,
                client_id: self
                    .client_id
                    .map(|id| row::text::<ClientId>("messages.client_id", id))
                    .transpose()?,
                // Its notifications were decided when it was stored.
                notify: NotifyPolicy::Never,
                tells_activity: false,
            },
        })
    }
}

/// A message id.
pub(crate) fn message_id(id: Uuid) -> Result<MessageId, StoreError> {
    id.try_into().map_err(|problem| StoreError::Unexpected(format!("messages.id {id} {problem}")))
}
