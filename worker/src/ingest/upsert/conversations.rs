//! Rows of conversations: what events know of them. Their titles, fields and times of creation are commands' business.

use parlance_store::StoreError;
use sqlx::{PgConnection, query};

use super::{super::rows::Rows, id_column, signed, time_column, version_columns};

/// Raises what is known of conversations, making rows for those that appear by being used.
pub(crate) async fn raise_heads(connection: &mut PgConnection, rows: &Rows<'_>) -> Result<(), StoreError> {
    if rows.conversations.is_empty() {
        return Ok(());
    }
    let all = || rows.conversations.values();
    let (epochs, revs) = version_columns(all().map(|row| row.heads.version));
    let (state_epochs, state_revs) = version_columns(all().map(|row| row.state));
    query(RAISE)
        .bind(id_column(rows.conversations.keys().copied()))
        .bind(epochs)
        .bind(revs)
        .bind(all().map(|row| signed(row.heads.seq.0)).collect::<Vec<_>>())
        .bind(state_epochs)
        .bind(state_revs)
        .bind(all().map(|row| signed(row.deleted_rev)).collect::<Vec<_>>())
        .bind(time_column(all().map(|row| row.active_at)))
        .execute(connection)
        .await?;
    Ok(())
}

const RAISE: &str = "
    INSERT INTO conversations AS c (id, epoch, head_rev, head_seq, state_epoch, state_rev, deleted_rev, active_at)
    SELECT * FROM UNNEST($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
        $8::timestamptz[])
    ON CONFLICT (id) DO UPDATE SET
        epoch = GREATEST(c.epoch, EXCLUDED.epoch),
        head_rev = CASE WHEN (c.epoch, c.head_rev) < (EXCLUDED.epoch, EXCLUDED.head_rev)
            THEN EXCLUDED.head_rev ELSE c.head_rev END,
        head_seq = GREATEST(c.head_seq, EXCLUDED.head_seq),
        state_epoch = GREATEST(c.state_epoch, EXCLUDED.state_epoch),
        state_rev = CASE WHEN (c.state_epoch, c.state_rev) < (EXCLUDED.state_epoch, EXCLUDED.state_rev)
            THEN EXCLUDED.state_rev ELSE c.state_rev END,
        deleted_rev = GREATEST(c.deleted_rev, EXCLUDED.deleted_rev),
        active_at = GREATEST(c.active_at, EXCLUDED.active_at)
    WHERE (c.epoch, c.head_rev) < (EXCLUDED.epoch, EXCLUDED.head_rev)
        OR c.head_seq < EXCLUDED.head_seq
        OR (c.state_epoch, c.state_rev) < (EXCLUDED.state_epoch, EXCLUDED.state_rev)
        OR c.deleted_rev < EXCLUDED.deleted_rev
        OR COALESCE(c.active_at, '-infinity') < EXCLUDED.active_at";
