//! The list of a user's conversations: which they are, and what is stored of each. What is not stored yet is the
//! caller's to add.

use chrono::{DateTime, Utc};
use parlance_domain::{
    conversation::{Conversation, MAX_LISTED_PARTICIPANTS, ParticipantRole},
    id::{ConversationId, MessageId, UserId},
    message::{Message, Metadata},
    version::Seq,
};
use sqlx::{query_as, types::Json};
use uuid::Uuid;

use crate::{error::StoreError, message, participant, row, store::Store};

/// A conversation that a user takes part in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// Which.
    pub conversation: ConversationId,
    /// As what.
    pub role: ParticipantRole,
    /// How far the user has read it.
    pub read: Seq,
    /// When something was last said in it, else when it was made.
    pub active_at: DateTime<Utc>,
}

/// What a list tells of a conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// The conversation.
    pub conversation: Conversation,
    /// Its newest message.
    pub last: Option<Message>,
    /// How many messages of others the user has not read.
    pub unread: u64,
}

/// What is counted as unread.
#[derive(Debug, Clone, Copy)]
pub struct Unread<'a> {
    /// Whose messages do not count.
    pub user: &'a UserId,
    /// Messages that do not count, because the caller counts them.
    pub except: &'a [MessageId],
    /// Counting ends here.
    pub most: u64,
}

impl Store {
    /// The conversations of a user, those with the newest activity first, at most `limit`, after the one with this
    /// activity and id; of those in `only`, if that is given.
    ///
    /// # Errors
    /// As every query.
    pub async fn joined(
        &self,
        user: &UserId,
        only: Option<&[ConversationId]>,
        after: Option<&(DateTime<Utc>, ConversationId)>,
        limit: u64,
    ) -> Result<Vec<Joined>, StoreError> {
        let rows: Vec<(String, String, i64, DateTime<Utc>)> = self
            .run("joined", async |connection| {
                Ok(query_as(JOINED)
                    .bind(user.as_str())
                    .bind(after.map(|(active_at, _)| *active_at))
                    .bind(after.map(|(_, id)| id.as_str()))
                    .bind(row::signed(limit))
                    .bind(only.map(|only| only.iter().map(ConversationId::as_str).collect::<Vec<_>>()))
                    .fetch_all(connection)
                    .await?)
            })
            .await?;
        let joined = |(id, role, read, active_at): (String, String, i64, DateTime<Utc>)| {
            Ok(Joined {
                conversation: row::text("participants.conversation_id", id)?,
                role: participant::participant_role(&role)?,
                read: row::seq(read),
                active_at,
            })
        };
        rows.into_iter().map(joined).collect()
    }

    /// What is stored of conversations, in their order, until they take `bytes`. One that is not there any more is left
    /// out.
    ///
    /// # Errors
    /// As every query.
    pub async fn listed(
        &self,
        joined: &[Joined],
        unread: Unread<'_>,
        bytes: u64,
    ) -> Result<Vec<Listed>, StoreError> {
        let ids: Vec<&str> = joined.iter().map(|joined| joined.conversation.as_str()).collect();
        let read: Vec<i64> = joined.iter().map(|joined| row::signed(joined.read.0)).collect();
        let except: Vec<Uuid> = unread.except.iter().map(|id| id.uuid()).collect();
        let (rows, messages): (Vec<ListedRow>, Vec<Message>) = self
            .run("listed", async |connection| {
                let rows: Vec<ListedRow> = query_as(LISTED)
                    .bind(&ids)
                    .bind(&read)
                    .bind(unread.user.as_str())
                    .bind(&except)
                    .bind(row::signed(unread.most))
                    .bind(row::signed(bytes))
                    .bind(row::signed(MAX_LISTED_PARTICIPANTS as u64))
                    .fetch_all(&mut *connection)
                    .await?;
                let last: Vec<Uuid> = rows.iter().filter_map(|row| row.last_id).collect();
                let messages = message::by_ids(connection, &last).await?;
                Ok((rows, messages))
            })
            .await?;
        rows.into_iter().map(|row| row.listed(&messages)).collect()
    }
}

#[derive(sqlx::FromRow)]
struct ListedRow {
    id: String,
    title: Option<String>,
    metadata: Json<Metadata>,
    created_at: Option<DateTime<Utc>>,
    updated_at: Option<DateTime<Utc>>,
    participants: Vec<String>,
    last_id: Option<Uuid>,
    unread: i64,
}

impl ListedRow {
    fn listed(self, messages: &[Message]) -> Result<Listed, StoreError> {
        let participants = self.participants.into_iter().map(|user| row::text("participants.user_id", user));
        let last = messages.iter().find(|message| Some(message.body.id.uuid()) == self.last_id);
        Ok(Listed {
            conversation: Conversation {
                id: row::text("conversations.id", self.id)?,
                title: self.title.map(|title| row::text("conversations.title", title)).transpose()?,
                metadata: self.metadata.0,
                participants: participants.collect::<Result<_, _>>()?,
                created_at_ms: row::time(self.created_at).0,
                updated_at_ms: self.updated_at.map(|at| at.timestamp_millis()),
            },
            last: last.cloned(),
            unread: row::unsigned(self.unread),
        })
    }
}

const JOINED: &str = "
    SELECT id, role, read_seq, active_at FROM (
        SELECT c.id, p.role, p.read_seq, COALESCE(c.active_at, c.created_at, to_timestamp(0)) AS active_at
        FROM participants p JOIN conversations c ON c.id = p.conversation_id
        WHERE p.user_id = $1 AND p.left_at IS NULL AND c.deleted_at IS NULL
            AND ($5::text[] IS NULL OR c.id = ANY($5))) joined
    WHERE $2::timestamptz IS NULL OR (active_at, id) < ($2, $3)
    ORDER BY active_at DESC, id DESC LIMIT $4";

/// The size is about that of the answer: the texts whose length is not bounded by a few hundred bytes.
const LISTED: &str = "
    WITH listed AS (
        SELECT asked.place, c.id, c.title, c.metadata, c.created_at, c.updated_at,
            ARRAY(SELECT user_id FROM participants
                  WHERE conversation_id = c.id AND left_at IS NULL ORDER BY joined_at, user_id LIMIT $7) AS participants,
            last.id AS last_id, COALESCE(last.size, 0) AS last_size,
            (SELECT count(*) FROM (
                SELECT FROM messages m
                WHERE m.conversation_id = c.id AND m.seq > asked.read_seq AND m.sender_id <> $3
                    AND m.deleted_at IS NULL AND m.id <> ALL($4)
                LIMIT $5) unread) AS unread
        FROM UNNEST($1::text[], $2::bigint[]) WITH ORDINALITY AS asked (id, read_seq, place)
        JOIN conversations c ON c.id = asked.id
        LEFT JOIN LATERAL (
            SELECT m.id, octet_length(m.content) AS size FROM messages m
            WHERE m.conversation_id = c.id ORDER BY m.seq DESC, m.id DESC LIMIT 1) last ON true),
    sized AS (
        SELECT *, last_size + octet_length(metadata::text) + octet_length(array_to_string(participants, '   ')) AS size
        FROM listed),
    summed AS (SELECT *, sum(size) OVER (ORDER BY place) - size AS before FROM sized)
    SELECT * FROM summed WHERE before < $6 ORDER BY place";
