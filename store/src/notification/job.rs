//! Jobs: messages of which participants are still to be notified.
//!
//! A job stands there from the transaction that stored its message until the one that stored its notifications. Any
//! number of workers may take the same ones: each job is done by one of them, and doing it twice changes nothing.

use std::collections::{HashMap, HashSet};

use parlance_domain::{
    id::{ConversationId, MessageId, UserId},
    notification::{NotificationText, NotifyPolicy},
};
use sqlx::{query, query_as, query_scalar};
use uuid::Uuid;

use crate::{error::StoreError, row, store::Store};

/// How many characters of a message are read for an excerpt.
const EXCERPT_CHARACTERS: i32 = 1_000;
/// The type of messages whose content only their users can read.
const ENCRYPTED: &str = "encrypted";

/// A message of which participants are to be notified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationJob {
    /// Which message.
    pub message: MessageId,
    /// Who of the participants.
    pub policy: NotifyPolicy,
    /// Where it was said; none when the message is not stored any more.
    pub conversation: Option<ConversationId>,
    /// What they are told.
    pub text: NotificationText,
    /// How many take part, of whom some may be here.
    pub participants: u64,
}

impl Store {
    /// The jobs that wait longest, at most `limit`; those of policies that only a newer version knows are left to it.
    ///
    /// # Errors
    /// As every query.
    pub async fn notification_jobs(&self, limit: u32) -> Result<Vec<NotificationJob>, StoreError> {
        let policies = [NotifyPolicy::Absent.as_str(), NotifyPolicy::Always.as_str()];
        let (rows, participants) = self
            .run("notification_jobs", async |connection| {
                let rows: Vec<JobRow> = query_as(WAITING)
                    .bind(policies)
                    .bind(i64::from(limit))
                    .bind(EXCERPT_CHARACTERS)
                    .fetch_all(&mut *connection)
                    .await?;
                let conversations: HashSet<&str> =
                    rows.iter().filter_map(|row| row.conversation_id.as_deref()).collect();
                let conversations: Vec<&str> = conversations.into_iter().collect();
                let participants: Vec<(String, i64)> = match conversations.is_empty() {
                    true => Vec::new(),
                    false => query_as(COUNT).bind(&conversations).fetch_all(connection).await?,
                };
                Ok((rows, participants.into_iter().collect::<HashMap<_, _>>()))
            })
            .await?;
        rows.into_iter().map(|row| row.job(&participants)).collect()
    }

    /// Stores the notifications of these jobs and deletes the jobs, all or nothing, and says how many notifications
    /// are new. `here` says who is in which conversation: when the policy is `absent` he is not notified, else it is noted
    /// that he was there.
    ///
    /// # Errors
    /// As every query.
    pub async fn make_notifications(
        &self,
        jobs: &[NotificationJob],
        here: &HashMap<ConversationId, HashSet<UserId>>,
    ) -> Result<u64, StoreError> {
        let messages: Vec<Uuid> = jobs.iter().map(|job| job.message.uuid()).collect();
        let texts: Vec<&str> = jobs.iter().map(|job| job.text.as_str()).collect();
        let pairs = here.iter().flat_map(|(conversation, users)| {
            users.iter().map(move |user| (conversation.as_str(), user.as_str()))
        });
        let (conversations, users): (Vec<&str>, Vec<&str>) = pairs.unzip();
        self.transaction("make_notifications", async |connection| {
            query(LOCK).bind(&messages).execute(&mut *connection).await?;
            let made = query(MAKE)
                .bind(&messages)
                .bind(&texts)
                .bind(&conversations)
                .bind(&users)
                .execute(connection)
                .await?;
            Ok(made.rows_affected())
        })
        .await
    }

    /// How many jobs wait.
    ///
    /// # Errors
    /// As every query.
    pub async fn waiting_notification_jobs(&self) -> Result<u64, StoreError> {
        let count: i64 = self
            .run("waiting_notification_jobs", async |connection| {
                Ok(query_scalar("SELECT count(*) FROM notification_jobs").fetch_one(connection).await?)
            })
            .await?;
        Ok(row::unsigned(count))
    }
}

#[derive(sqlx::FromRow)]
struct JobRow {
    message_id: Uuid,
    policy: String,
    conversation_id: Option<String>,
    #[sqlx(rename = "type")]
    kind: Option<String>,
    content: Option<String>,
}

impl JobRow {
    fn job(self, participants: &HashMap<String, i64>) -> Result<NotificationJob, StoreError> {
        let of_conversation = self.conversation_id.as_ref().and_then(|id| participants.get(id));
        let content = self.content.filter(|_| self.kind.as_deref() != Some(ENCRYPTED)).unwrap_or_default();
        Ok(NotificationJob {
            message: row::text("notification_jobs.message_id", self.message_id.to_string())?,
            policy: NotifyPolicy::parse(&self.policy).unwrap_or_default(),
            participants: row::unsigned(of_conversation.copied().unwrap_or_default()),
            conversation: self
                .conversation_id
                .map(|id| row::text("messages.conversation_id", id))
                .transpose()?,
            text: NotificationText::excerpt(&content),
        })
    }
}

/// The ids of messages are in the order of time.
const WAITING: &str = "
    SELECT j.message_id, j.policy, m.conversation_id, m.type, left(m.content, $3) AS content
    FROM notification_jobs j LEFT JOIN messages m ON m.id = j.message_id
    WHERE j.policy = ANY($1) ORDER BY j.message_id LIMIT $2";

const COUNT: &str = "
    SELECT conversation_id, count(*) FROM participants
    WHERE conversation_id = ANY($1) AND left_at IS NULL GROUP BY conversation_id";

/// A conversation that is deleted meanwhile waits until the notifications are there, or they are not made: what takes
/// them away finds all there are. In the order of the bytes, as whoever locks several does.
const LOCK: &str = "
    SELECT 1 FROM conversations WHERE id IN (SELECT conversation_id FROM messages WHERE id = ANY($1))
    ORDER BY id COLLATE \"C\" FOR SHARE";

/// A notification is as old as its message. Its id is a UUID of version 7 (RFC 9562, 5.7): one of version 4 with the time
/// in its first six bytes, and two more bits of the version.
const MAKE: &str = "
    WITH locked AS MATERIALIZED (
        SELECT message_id FROM notification_jobs WHERE message_id = ANY($1)
        ORDER BY message_id FOR UPDATE SKIP LOCKED
    ), jobs AS (
        DELETE FROM notification_jobs j USING locked WHERE j.message_id = locked.message_id
        RETURNING j.message_id, j.policy
    )
    INSERT INTO notifications (id, user_id, type, text, conversation_id, message_id, absent, created_at)
    SELECT
        encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
            PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
            52, 1), 53, 1), 'hex')::uuid,
        p.user_id, 'message', t.text, m.conversation_id, m.id, here.user_id IS NULL, m.created_at
    FROM jobs
    JOIN UNNEST($1::uuid[], $2::text[]) AS t (message_id, text) ON t.message_id = jobs.message_id
    JOIN messages m ON m.id = jobs.message_id AND m.deleted_at IS NULL
    JOIN conversations c ON c.id = m.conversation_id AND c.deleted_at IS NULL
    JOIN participants p ON p.conversation_id = m.conversation_id AND p.left_at IS NULL AND p.user_id <> m.sender_id
    LEFT JOIN UNNEST($3::text[], $4::text[]) AS here (conversation_id, user_id)
        ON here.conversation_id = p.conversation_id AND here.user_id = p.user_id
    WHERE here.user_id IS NULL OR jobs.policy = 'always'
    ON CONFLICT (user_id, message_id) DO NOTHING";
