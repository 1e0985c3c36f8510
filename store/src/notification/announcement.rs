//! Which notifications their users have not been told of.
//!
//! What messages make is announced by whatever worker comes first. What a backend makes is announced by the gateway
//! that stores it, and by a worker only when that did not happen.

use std::time::Duration;

use parlance_domain::{id::NotificationId, notification::Notification};
use sqlx::{PgConnection, query, query_as, query_scalar};
use uuid::Uuid;

use super::{NotificationRow, select, uuids};
use crate::{error::StoreError, row, store::Store};

/// How long a gateway may take to announce what it has stored.
const ABANDONED: Duration = Duration::from_secs(5);

impl Store {
    /// Notifications that are to be announced, oldest first, at most `limit`.
    ///
    /// # Errors
    /// As every query.
    pub async fn unannounced_notifications(&self, limit: u32) -> Result<Vec<Notification>, StoreError> {
        let rows: Vec<NotificationRow> = self
            .run("unannounced_notifications", async |connection| {
                Ok(query_as(UNANNOUNCED)
                    .bind(ABANDONED.as_secs_f64())
                    .bind(i64::from(limit))
                    .fetch_all(connection)
                    .await?)
            })
            .await?;
        rows.into_iter().map(NotificationRow::notification).collect()
    }

    /// Notes that a notification was announced.
    ///
    /// # Errors
    /// As every query.
    pub async fn mark_announced(&self, id: NotificationId) -> Result<(), StoreError> {
        self.run("mark_announced", async |connection| mark(connection, &[id]).await).await
    }
}

/// Those of the notifications that are still to be announced and that nobody else announces now: they are the caller's
/// until the end of his transaction.
///
/// # Errors
/// As every query.
pub async fn claim(
    connection: &mut PgConnection,
    ids: &[NotificationId],
) -> Result<Vec<NotificationId>, StoreError> {
    let claimed: Vec<Uuid> = query_scalar(CLAIM).bind(uuids(ids)).fetch_all(connection).await?;
    claimed.into_iter().map(|id| row::text("notifications.id", id.to_string())).collect()
}

/// Notes that they were announced.
///
/// # Errors
/// As every query.
pub async fn mark(connection: &mut PgConnection, ids: &[NotificationId]) -> Result<(), StoreError> {
    query("UPDATE notifications SET announced_at = now() WHERE id = ANY($1)")
        .bind(uuids(ids))
        .execute(connection)
        .await?;
    Ok(())
}

const UNANNOUNCED: &str = select!(
    "WHERE n.announced_at IS NULL AND (n.message_id IS NOT NULL OR n.created_at < now() - make_interval(secs => $1))
    ORDER BY n.created_at, n.id LIMIT $2"
);

const CLAIM: &str = "
    SELECT id FROM notifications WHERE id = ANY($1) AND announced_at IS NULL ORDER BY id FOR UPDATE SKIP LOCKED";
