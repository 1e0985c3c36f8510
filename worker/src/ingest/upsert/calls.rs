//! Rows of calls, and of those who took part in them.

use chrono::{DateTime, Utc};
use parlance_domain::user::Profile;
use parlance_store::StoreError;
use sqlx::{PgConnection, query, types::Json};
use uuid::Uuid;

use super::{super::rows::Rows, id_column, time_column, version_columns};

/// Writes calls with their participants.
pub(super) async fn write(connection: &mut PgConnection, rows: &Rows<'_>) -> Result<(), StoreError> {
    write_calls(connection, rows).await?;
    write_participants(connection, rows).await
}

async fn write_calls(connection: &mut PgConnection, rows: &Rows<'_>) -> Result<(), StoreError> {
    if rows.calls.is_empty() {
        return Ok(());
    }
    let all = || rows.calls.values().copied();
    let (epochs, revs) = version_columns(all().map(|call| call.version));
    query(WRITE_CALLS)
        .bind(rows.calls.keys().map(|id| id.uuid()).collect::<Vec<Uuid>>())
        .bind(id_column(all().map(|call| &call.conversation)))
        .bind(all().map(|call| call.kind.as_str()).collect::<Vec<_>>())
        .bind(all().map(|call| call.status.as_str()).collect::<Vec<_>>())
        .bind(all().map(|call| call.started_by.id.as_str()).collect::<Vec<_>>())
        .bind(all().map(|call| Json(&call.started_by)).collect::<Vec<Json<&Profile>>>())
        .bind(all().map(|call| call.started_at.to_datetime()).collect::<Vec<DateTime<Utc>>>())
        .bind(time_column(all().map(|call| call.answered_at)))
        .bind(time_column(all().map(|call| call.ended_at)))
        .bind(all().map(|call| call.ended_by.as_ref().map(|user| user.as_str())).collect::<Vec<_>>())
        .bind(epochs)
        .bind(revs)
        .execute(connection)
        .await?;
    Ok(())
}

async fn write_participants(connection: &mut PgConnection, rows: &Rows<'_>) -> Result<(), StoreError> {
    if rows.call_participants.is_empty() {
        return Ok(());
    }
    let all = || rows.call_participants.values();
    let (epochs, revs) = version_columns(all().map(|row| row.version));
    query(WRITE_PARTICIPANTS)
        .bind(rows.call_participants.keys().map(|(call, _)| call.uuid()).collect::<Vec<Uuid>>())
        .bind(rows.call_participants.keys().map(|(_, user)| user.as_str()).collect::<Vec<_>>())
        .bind(id_column(all().map(|row| row.conversation)))
        .bind(all().map(|row| Json(&row.participant.user)).collect::<Vec<Json<&Profile>>>())
        .bind(all().map(|row| row.participant.joined_at.to_datetime()).collect::<Vec<DateTime<Utc>>>())
        .bind(epochs)
        .bind(revs)
        .execute(connection)
        .await?;
    Ok(())
}

const WRITE_CALLS: &str = "
    INSERT INTO calls AS k (id, conversation_id, type, status, started_by, caller, started_at, answered_at, ended_at,
        ended_by, epoch, rev)
    SELECT u.* FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::jsonb[], $7::timestamptz[],
        $8::timestamptz[], $9::timestamptz[], $10::text[], $11::bigint[], $12::bigint[])
        AS u (id, conversation_id, type, status, started_by, caller, started_at, answered_at, ended_at, ended_by, epoch,
            rev)
    JOIN conversations c ON c.id = u.conversation_id
    WHERE u.rev > c.deleted_rev
    ON CONFLICT (id) DO UPDATE SET
        conversation_id = EXCLUDED.conversation_id, type = EXCLUDED.type, status = EXCLUDED.status,
        started_by = EXCLUDED.started_by, caller = EXCLUDED.caller, started_at = EXCLUDED.started_at,
        answered_at = EXCLUDED.answered_at, ended_at = EXCLUDED.ended_at, ended_by = EXCLUDED.ended_by,
        epoch = EXCLUDED.epoch, rev = EXCLUDED.rev
    WHERE (k.epoch, k.rev) < (EXCLUDED.epoch, EXCLUDED.rev)";

const WRITE_PARTICIPANTS: &str = "
    INSERT INTO call_participants AS p (call_id, user_id, profile, joined_at, epoch, rev)
    SELECT u.call_id, u.user_id, u.profile, u.joined_at, u.epoch, u.rev
    FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::jsonb[], $5::timestamptz[], $6::bigint[], $7::bigint[])
        AS u (call_id, user_id, conversation_id, profile, joined_at, epoch, rev)
    JOIN conversations c ON c.id = u.conversation_id
    WHERE u.rev > c.deleted_rev
    ON CONFLICT (call_id, user_id) DO UPDATE SET
        profile = EXCLUDED.profile, joined_at = EXCLUDED.joined_at, epoch = EXCLUDED.epoch, rev = EXCLUDED.rev
    WHERE (p.epoch, p.rev) < (EXCLUDED.epoch, EXCLUDED.rev)";
