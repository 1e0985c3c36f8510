//! Writing rows: one statement a table, each row only to a newer state, and none that went with a deleted conversation.

use chrono::{DateTime, Utc};
use parlance_domain::{id::ConversationId, time::Timestamp, version::Version};
use parlance_store::StoreError;
use sqlx::PgConnection;

use super::rows::Rows;

mod calls;
mod conversations;
mod messages;
mod participants;
mod purge;
mod reactions;

pub(crate) use conversations::raise_heads;
pub(crate) use purge::purge;

/// Writes everything in the caller's transaction. Conversations come first: their rows stay locked until the commit, so
/// that of two transactions that write in one conversation the later sees what the earlier did, above all that it was
/// deleted.
pub(crate) async fn write(connection: &mut PgConnection, rows: &Rows<'_>) -> Result<(), StoreError> {
    raise_heads(connection, rows).await?;
    messages::write(connection, rows).await?;
    reactions::write(connection, rows).await?;
    calls::write(connection, rows).await?;
    participants::stamp_memberships(connection, rows).await?;
    participants::write_cursors(connection, rows).await
}

/// Larger numbers were refused when the entry was decoded.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The two columns of versions.
fn version_columns(versions: impl Iterator<Item = Version>) -> (Vec<i64>, Vec<i64>) {
    versions.map(|version| (signed(version.epoch), signed(version.rev))).unzip()
}

fn id_column<'a>(ids: impl Iterator<Item = &'a ConversationId>) -> Vec<&'a str> {
    ids.map(ConversationId::as_str).collect()
}

fn time_column(times: impl Iterator<Item = Option<Timestamp>>) -> Vec<Option<DateTime<Utc>>> {
    times.map(|time| time.map(Timestamp::to_datetime)).collect()
}
