//! Rows of reactions: one for whatever a user ever did to a message with an emoji.

use chrono::{DateTime, Utc};
use parlance_domain::user::Profile;
use parlance_store::StoreError;
use sqlx::{PgConnection, query, types::Json};
use uuid::Uuid;

use super::{super::rows::Rows, id_column, signed, version_columns};

/// Writes reactions. A removal that comes before what it removes is a row as well.
pub(super) async fn write(connection: &mut PgConnection, rows: &Rows<'_>) -> Result<(), StoreError> {
    if rows.reactions.is_empty() {
        return Ok(());
    }
    let all = || rows.reactions.values();
    let (epochs, revs) = version_columns(all().map(|row| row.version));
    query(WRITE)
        .bind(all().map(|row| row.update.message.uuid()).collect::<Vec<Uuid>>())
        .bind(all().map(|row| row.update.user.id.as_str()).collect::<Vec<_>>())
        .bind(all().map(|row| row.update.emoji.as_str()).collect::<Vec<_>>())
        .bind(id_column(all().map(|row| row.conversation)))
        .bind(all().map(|row| signed(row.update.seq.0)).collect::<Vec<_>>())
        .bind(all().map(|row| Json(&row.update.user)).collect::<Vec<Json<&Profile>>>())
        .bind(all().map(|row| row.update.active).collect::<Vec<_>>())
        .bind(all().map(|row| row.at.to_datetime()).collect::<Vec<DateTime<Utc>>>())
        .bind(epochs)
        .bind(revs)
        .execute(connection)
        .await?;
    Ok(())
}

const WRITE: &str = "
    INSERT INTO reactions AS r
        (message_id, user_id, emoji, conversation_id, seq, reactor, active, changed_at, epoch, rev)
    SELECT u.* FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::jsonb[], $7::boolean[],
        $8::timestamptz[], $9::bigint[], $10::bigint[])
        AS u (message_id, user_id, emoji, conversation_id, seq, reactor, active, changed_at, epoch, rev)
    JOIN conversations c ON c.id = u.conversation_id
    WHERE u.rev > c.deleted_rev
    ON CONFLICT (message_id, user_id, emoji) DO UPDATE SET
        conversation_id = EXCLUDED.conversation_id, seq = EXCLUDED.seq, reactor = EXCLUDED.reactor,
        active = EXCLUDED.active, changed_at = EXCLUDED.changed_at, epoch = EXCLUDED.epoch, rev = EXCLUDED.rev
    WHERE (r.epoch, r.rev) < (EXCLUDED.epoch, EXCLUDED.rev)";
