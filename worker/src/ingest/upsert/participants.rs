//! What events say of participants: which event announced a membership, and how far somebody got. The memberships
//! themselves are commands' business.

use chrono::{DateTime, Utc};
use parlance_store::StoreError;
use sqlx::{PgConnection, query};

use super::{
    super::rows::{Mark, Rows},
    id_column, signed, version_columns,
};

/// Says which event announced each membership.
pub(super) async fn stamp_memberships(
    connection: &mut PgConnection,
    rows: &Rows<'_>,
) -> Result<(), StoreError> {
    if rows.memberships.is_empty() {
        return Ok(());
    }
    let (epochs, revs) = version_columns(rows.memberships.values().copied());
    query(STAMP_MEMBERSHIPS)
        .bind(id_column(rows.memberships.keys().map(|(id, _)| *id)))
        .bind(rows.memberships.keys().map(|(_, user)| user.as_str()).collect::<Vec<_>>())
        .bind(epochs)
        .bind(revs)
        .execute(connection)
        .await?;
    Ok(())
}

/// Moves cursors forward.
pub(super) async fn write_cursors(connection: &mut PgConnection, rows: &Rows<'_>) -> Result<(), StoreError> {
    if rows.cursors.is_empty() {
        return Ok(());
    }
    let all = || rows.cursors.values();
    query(WRITE_CURSORS)
        .bind(id_column(rows.cursors.keys().map(|(id, _)| *id)))
        .bind(rows.cursors.keys().map(|(_, user)| user.as_str()).collect::<Vec<_>>())
        .bind(all().map(|row| signed(row.delivered.seq.0)).collect::<Vec<i64>>())
        .bind(all().map(|row| time_of(row.delivered)).collect::<Vec<_>>())
        .bind(all().map(|row| signed(row.read.seq.0)).collect::<Vec<i64>>())
        .bind(all().map(|row| time_of(row.read)).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

/// A cursor that has not moved has no time.
fn time_of(mark: Mark) -> Option<DateTime<Utc>> {
    (mark.seq.0 > 0).then(|| mark.at.to_datetime())
}

/// Says which event announced a membership; the membership itself was written by the command. Somebody who has no row
/// gets one that is no membership.
const STAMP_MEMBERSHIPS: &str = "
    INSERT INTO participants AS p (conversation_id, user_id, left_at, epoch, rev)
    SELECT u.c, u.u, to_timestamp(0), u.e, u.r
    FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::bigint[]) AS u (c, u, e, r)
    ON CONFLICT (conversation_id, user_id) DO UPDATE SET epoch = EXCLUDED.epoch, rev = EXCLUDED.rev
    WHERE (p.epoch, p.rev) < (EXCLUDED.epoch, EXCLUDED.rev)";

/// Somebody who never took part gets a row that is no membership. Of two times for the same place the earlier counts.
const WRITE_CURSORS: &str = "
    INSERT INTO participants AS p
        (conversation_id, user_id, left_at, delivered_seq, delivered_at, read_seq, read_at)
    SELECT u.c, u.u, to_timestamp(0), u.d, u.dt, u.r, u.rt
    FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::timestamptz[], $5::bigint[], $6::timestamptz[])
        AS u (c, u, d, dt, r, rt)
    ON CONFLICT (conversation_id, user_id) DO UPDATE SET
        delivered_seq = GREATEST(p.delivered_seq, EXCLUDED.delivered_seq),
        delivered_at = CASE WHEN EXCLUDED.delivered_seq > p.delivered_seq THEN EXCLUDED.delivered_at
            WHEN EXCLUDED.delivered_seq = p.delivered_seq THEN LEAST(p.delivered_at, EXCLUDED.delivered_at)
            ELSE p.delivered_at END,
        read_seq = GREATEST(p.read_seq, EXCLUDED.read_seq),
        read_at = CASE WHEN EXCLUDED.read_seq > p.read_seq THEN EXCLUDED.read_at
            WHEN EXCLUDED.read_seq = p.read_seq THEN LEAST(p.read_at, EXCLUDED.read_at)
            ELSE p.read_at END
    WHERE EXCLUDED.delivered_seq > p.delivered_seq
        OR (EXCLUDED.delivered_seq = p.delivered_seq AND EXCLUDED.delivered_at < p.delivered_at)
        OR EXCLUDED.read_seq > p.read_seq
        OR (EXCLUDED.read_seq = p.read_seq AND EXCLUDED.read_at < p.read_at)";
