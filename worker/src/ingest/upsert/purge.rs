//! Taking away what went with a deleted conversation: messages, reactions, calls, and what was made of them. Who took
//! part, and how far they got, stays: commands own the one, and numbers go on when the id is used again.

use parlance_store::StoreError;
use sqlx::{PgConnection, query, query_scalar};

use super::{super::rows::Rows, id_column};

/// How many rows of each table one transaction takes away.
const ROWS: i64 = 5_000;

/// Takes away some of what went with the conversations that the batch deletes, in the caller's transaction; whether
/// there may be more. That they are deleted must be committed before: then nothing of it is stored any more.
pub(crate) async fn purge(connection: &mut PgConnection, rows: &Rows<'_>) -> Result<bool, StoreError> {
    let deleted = id_column(rows.deleted().into_iter());
    if deleted.is_empty() {
        return Ok(false);
    }
    // What is written meanwhile waits: a row that becomes newer is not taken away by mistake.
    query(LOCK).bind(&deleted).execute(&mut *connection).await?;
    let mut more = false;
    for statement in [MESSAGES, REACTIONS, CALL_PARTICIPANTS, CALLS, NOTIFICATIONS] {
        let gone: i64 = query_scalar(statement).bind(&deleted).bind(ROWS).fetch_one(&mut *connection).await?;
        more |= gone >= ROWS;
    }
    Ok(more)
}

/// In the order of the bytes, as batches lock them.
const LOCK: &str =
    "SELECT 1 FROM conversations WHERE id = ANY($1) ORDER BY id COLLATE \"C\" FOR NO KEY UPDATE";

const MESSAGES: &str = "
    WITH gone AS (
        DELETE FROM messages WHERE id = ANY (ARRAY(
            SELECT m.id FROM conversations c JOIN messages m ON m.conversation_id = c.id
            WHERE c.id = ANY($1) AND m.created_rev <= c.deleted_rev LIMIT $2))
        RETURNING id
    ), jobs AS (
        DELETE FROM notification_jobs WHERE message_id IN (SELECT id FROM gone)
    )
    SELECT count(*) FROM gone";

const REACTIONS: &str = "
    WITH gone AS (
        DELETE FROM reactions WHERE ctid = ANY (ARRAY(
            SELECT r.ctid FROM conversations c JOIN reactions r ON r.conversation_id = c.id
            WHERE c.id = ANY($1) AND r.rev <= c.deleted_rev LIMIT $2))
        RETURNING 1
    )
    SELECT count(*) FROM gone";

/// Before their calls, by which they are found.
const CALL_PARTICIPANTS: &str = "
    WITH gone AS (
        DELETE FROM call_participants WHERE ctid = ANY (ARRAY(
            SELECT p.ctid FROM conversations c JOIN calls k ON k.conversation_id = c.id
            JOIN call_participants p ON p.call_id = k.id
            WHERE c.id = ANY($1) AND p.rev <= c.deleted_rev LIMIT $2))
        RETURNING 1
    )
    SELECT count(*) FROM gone";

/// Those of which no participant is left.
const CALLS: &str = "
    WITH gone AS (
        DELETE FROM calls WHERE id = ANY (ARRAY(
            SELECT k.id FROM conversations c JOIN calls k ON k.conversation_id = c.id
            WHERE c.id = ANY($1) AND k.rev <= c.deleted_rev
                AND NOT EXISTS (SELECT 1 FROM call_participants p WHERE p.call_id = k.id)
            LIMIT $2))
        RETURNING 1
    )
    SELECT count(*) FROM gone";

/// Of messages that are gone.
const NOTIFICATIONS: &str = "
    WITH gone AS (
        DELETE FROM notifications WHERE id = ANY (ARRAY(
            SELECT n.id FROM notifications n
            WHERE n.conversation_id = ANY($1) AND n.message_id IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.id = n.message_id)
            LIMIT $2))
        RETURNING 1
    )
    SELECT count(*) FROM gone";
