//! Notifications as their users read them, and those that backends make. What messages make of notifications is in
//! [`job`], and telling users of new ones in [`announcement`].

use chrono::{DateTime, Utc};
use parlance_domain::{
    id::{ConversationId, NotificationId, UserId},
    message::Metadata,
    notification::Notification,
    time::Timestamp,
};
use sqlx::{query, query_as, query_scalar, types::Json};
use uuid::Uuid;

use crate::{error::StoreError, row, store::Store};

pub mod announcement;
pub mod job;

/// Which of a user's notifications are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationPage {
    /// The last one of the page before: when it was made, and which it is.
    pub after: Option<(Timestamp, NotificationId)>,
    /// At most this many.
    pub limit: u64,
    /// Only those that the user has not marked as read.
    pub unread: bool,
    /// Also those of messages that came while the user was there.
    pub present: bool,
    /// Only those of these conversations, and of none; of all when it is not said.
    pub granted: Option<Vec<ConversationId>>,
}

impl Store {
    /// Stores a notification that no message made, and returns it with its time. It counts as announced only after
    /// [`Store::mark_announced`]; until then a worker announces it, after a while.
    ///
    /// # Errors
    /// As every query.
    pub async fn insert_notification(
        &self,
        mut notification: Notification,
    ) -> Result<Notification, StoreError> {
        let created_at: DateTime<Utc> = self
            .run("insert_notification", async |connection| {
                Ok(query_scalar(INSERT)
                    .bind(notification.id.uuid())
                    .bind(notification.user.as_str())
                    .bind(&notification.kind)
                    .bind(notification.text.as_str())
                    .bind(Json(&notification.data))
                    .fetch_one(connection)
                    .await?)
            })
            .await?;
        notification.created_at_ms = created_at.timestamp_millis();
        Ok(notification)
    }

    /// A page of a user's notifications, newest first. Of a message that was taken back there is no text.
    ///
    /// # Errors
    /// As every query.
    pub async fn notifications(
        &self,
        user: &UserId,
        page: &NotificationPage,
    ) -> Result<Vec<Notification>, StoreError> {
        let rows: Vec<NotificationRow> = self
            .run("notifications", async |connection| {
                Ok(query_as(PAGE)
                    .bind(user.as_str())
                    .bind(page.after.map(|(at, _)| at.to_datetime()))
                    .bind(page.after.map(|(_, id)| id.uuid()))
                    .bind(page.unread)
                    .bind(row::signed(page.limit))
                    .bind(page.granted.as_deref().map(texts))
                    .bind(page.present)
                    .fetch_all(connection)
                    .await?)
            })
            .await?;
        rows.into_iter().map(NotificationRow::notification).collect()
    }

    /// How many notifications the user has not marked as read; when `granted` is said, of these conversations and of none;
    /// with `present` also those of messages that came while the user was there.
    ///
    /// # Errors
    /// As every query.
    pub async fn unread_notifications(
        &self,
        user: &UserId,
        granted: Option<&[ConversationId]>,
        present: bool,
    ) -> Result<u64, StoreError> {
        let count: i64 = self
            .run("unread_notifications", async |connection| {
                Ok(query_scalar(UNREAD)
                    .bind(user.as_str())
                    .bind(granted.map(texts))
                    .bind(present)
                    .fetch_one(connection)
                    .await?)
            })
            .await?;
        Ok(row::unsigned(count))
    }

    /// Marks notifications of the user as read, and says how many were not before. Those of others are passed over. When
    /// none are named it is all of them; those of messages that came while the user was there only with `present`.
    ///
    /// # Errors
    /// As every query.
    pub async fn read_notifications(
        &self,
        user: &UserId,
        ids: Option<&[NotificationId]>,
        present: bool,
    ) -> Result<u64, StoreError> {
        let ids = ids.map(uuids);
        self.run("read_notifications", async |connection| {
            let marked = match &ids {
                Some(ids) => query(READ_SOME).bind(user.as_str()).bind(ids).execute(connection).await?,
                None => query(READ_ALL).bind(user.as_str()).bind(present).execute(connection).await?,
            };
            Ok(marked.rows_affected())
        })
        .await
    }
}

fn texts(ids: &[ConversationId]) -> Vec<&str> {
    ids.iter().map(ConversationId::as_str).collect()
}

fn uuids(ids: &[NotificationId]) -> Vec<Uuid> {
    ids.iter().map(|id| id.uuid()).collect()
}

#[derive(sqlx::FromRow)]
struct NotificationRow {
    id: Uuid,
    user_id: String,
    #[sqlx(rename = "type")]
    kind: String,
    text: String,
    data: Json<Metadata>,
    conversation_id: Option<String>,
    message_id: Option<Uuid>,
    absent: Option<bool>,
    created_at: DateTime<Utc>,
    read_at: Option<DateTime<Utc>>,
}

impl NotificationRow {
    fn notification(self) -> Result<Notification, StoreError> {
        Ok(Notification {
            id: row::text("notifications.id", self.id.to_string())?,
            user: row::text("notifications.user_id", self.user_id)?,
            kind: self.kind,
            text: row::text("notifications.text", self.text)?,
            data: self.data.0,
            conversation: self
                .conversation_id
                .map(|id| row::text("notifications.conversation_id", id))
                .transpose()?,
            message_id: self
                .message_id
                .map(|id| row::text("notifications.message_id", id.to_string()))
                .transpose()?,
            message: None,
            absent: self.absent,
            created_at_ms: self.created_at.timestamp_millis(),
            read_at_ms: self.read_at.map(|at| at.timestamp_millis()),
        })
    }
}

const INSERT: &str = "
    INSERT INTO notifications (id, user_id, type, text, data) VALUES ($1, $2, $3, $4, $5) RETURNING created_at";

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT n.id, n.user_id, n.type, CASE WHEN m.deleted_at IS NULL THEN n.text ELSE '' END AS text, n.data, ",
            "n.conversation_id, n.message_id, n.absent, n.created_at, n.read_at ",
            "FROM notifications n LEFT JOIN messages m ON m.id = n.message_id ",
            $rest
        )
    };
}
use select;

const PAGE: &str = select!(
    "WHERE n.user_id = $1 AND ($2::timestamptz IS NULL OR (n.created_at, n.id) < ($2, $3))
        AND (NOT $4 OR n.read_at IS NULL)
        AND ($6::text[] IS NULL OR n.conversation_id IS NULL OR n.conversation_id = ANY($6))
        AND ($7 OR n.absent IS NOT FALSE)
    ORDER BY n.created_at DESC, n.id DESC LIMIT $5"
);

const UNREAD: &str = "
    SELECT count(*) FROM notifications WHERE user_id = $1 AND read_at IS NULL
        AND ($2::text[] IS NULL OR conversation_id IS NULL OR conversation_id = ANY($2))
        AND ($3 OR absent IS NOT FALSE)";

const READ_SOME: &str = "
    UPDATE notifications SET read_at = date_trunc('milliseconds', now())
    WHERE id = ANY($2) AND user_id = $1 AND read_at IS NULL";

const READ_ALL: &str = "
    UPDATE notifications SET read_at = date_trunc('milliseconds', now())
    WHERE user_id = $1 AND read_at IS NULL AND ($2 OR absent IS NOT FALSE)";
