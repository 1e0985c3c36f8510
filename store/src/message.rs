//! Reading messages: pages of history, messages by id, and what is newer than a version.

use chrono::{DateTime, Utc};
use parlance_domain::{
    command::Page,
    id::{ClientId, ConversationId, MessageId, SessionId},
    message::{Attachments, Message, MessageBody, Metadata, Place},
    notification::NotifyPolicy,
    user::Profile,
    version::{Seq, Version},
};
use sqlx::{query_as, types::Json};
use uuid::Uuid;

use crate::{error::StoreError, row, store::Store};

impl Store {
    /// A page of history in the order of the conversation, at most `limit` messages: the newest, or those right
    /// before or right after a place. It ends with the message that takes it to `bytes` of content.
    ///
    /// # Errors
    /// As every query.
    pub async fn history(
        &self,
        conversation: &ConversationId,
        page: Page,
        limit: u64,
        bytes: u64,
    ) -> Result<Vec<Message>, StoreError> {
        let (sql, bound) = match page {
            Page::Newest | Page::Around(_) | Page::Numbered(_) => (PAGE_BEFORE, Seq(u64::MAX)), // UNFINISHED
            Page::Before(seq) => (PAGE_BEFORE, seq),
            Page::After(seq) => (PAGE_AFTER, seq),
        };
        let rows: Vec<MessageRow> = self
            .run(async |connection| {
                Ok(query_as(sql)
                    .bind(conversation.as_str())
                    .bind(row::signed(bound.0))
                    .bind(row::signed(limit))
                    .bind(row::signed(bytes))
                    .fetch_all(connection)
                    .await?)
            })
            .await?;
        rows.into_iter().map(MessageRow::message).collect()
    }

    /// The messages that changed after `since`, oldest change first, at most `limit`: each in its state now.
    ///
    /// # Errors
    /// As every query.
    pub async fn messages_since(
        &self,
        conversation: &ConversationId,
        since: Version,
        limit: u64,
    ) -> Result<Vec<Message>, StoreError> {
        let rows: Vec<MessageRow> = self
            .run(async |connection| {
                Ok(query_as(SINCE)
                    .bind(conversation.as_str())
                    .bind(row::signed(since.epoch))
                    .bind(row::signed(since.rev))
                    .bind(row::signed(limit))
                    .fetch_all(connection)
                    .await?)
            })
            .await?;
        rows.into_iter().map(MessageRow::message).collect()
    }

    /// A message in its state now; `None` when it is not stored.
    ///
    /// # Errors
    /// As every query.
    pub async fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        let row: Option<MessageRow> = self
            .run(async |connection| Ok(query_as(BY_ID).bind(id.uuid()).fetch_optional(connection).await?))
            .await?;
        row.map(MessageRow::message).transpose()
    }

    /// Where messages are. Those that are not stored are left out.
    ///
    /// # Errors
    /// As every query.
    pub async fn places(&self, ids: &[MessageId]) -> Result<Vec<Place>, StoreError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
        let rows: Vec<(Uuid, String, i64)> = self
            .run(async |connection| {
                Ok(query_as("SELECT id, conversation_id, seq FROM messages WHERE id = ANY($1)")
                    .bind(&ids)
                    .fetch_all(connection)
                    .await?)
            })
            .await?;
        let place = |(id, conversation, seq)| {
            Ok(Place {
                id: message_id(id)?,
                conversation: row::text("messages.conversation_id", conversation)?,
                seq: row::seq(seq),
            })
        };
        rows.into_iter().map(place).collect()
    }
}

#[derive(sqlx::FromRow)]
struct MessageRow {
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
    fn message(self) -> Result<Message, StoreError> {
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
            },
        })
    }
}

fn message_id(id: Uuid) -> Result<MessageId, StoreError> {
    id.try_into().map_err(|problem| StoreError::Unexpected(format!("messages.id {id} {problem}")))
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, conversation_id, seq, epoch, created_rev, rev, sender, type, content, attachments, ",
            "metadata, reply_to, client_id, created_at, edited_at, deleted_at, origin FROM messages ",
            $rest
        )
    };
}

/// A page from one end: rows in the given order, until those before a row have the bytes. After Redis lost numbers,
/// one may have been given twice; the epoch tells the two apart.
macro_rules! page {
    ($where:literal, $order:literal) => {
        concat!(
            "SELECT * FROM (SELECT *, sum(octet_length(content)) OVER (ORDER BY ",
            $order,
            ") - octet_length(content) AS before FROM (",
            select!("WHERE conversation_id = $1 AND "),
            $where,
            " ORDER BY ",
            $order,
            " LIMIT $3) page) page WHERE before < $4 ORDER BY seq, epoch, id"
        )
    };
}
const PAGE_BEFORE: &str = page!("seq < $2", "seq DESC, epoch DESC, id DESC");
const PAGE_AFTER: &str = page!("seq > $2", "seq, epoch, id");
const BY_ID: &str = select!("WHERE id = $1");
const SINCE: &str =
    select!("WHERE conversation_id = $1 AND (epoch, rev) > ($2, $3) ORDER BY epoch, rev LIMIT $4");
