//! Writing rows: one statement a table, each row only to a newer state.

use chrono::{DateTime, Utc};
use parlance_domain::{
    message::{Attachments, Message, Metadata},
    time::Timestamp,
    user::Profile,
    version::Version,
};
use parlance_store::StoreError;
use sqlx::{PgConnection, query, types::Json};
use uuid::Uuid;

use super::rows::{ConversationRow, Mark, Rows};

/// Writes everything in the caller's transaction. Conversations come first: their rows stay locked until the
/// commit, so that nothing is stored in one that is being deleted.
pub(crate) async fn write(connection: &mut PgConnection, rows: &Rows<'_>) -> Result<(), StoreError> {
    raise_heads(connection, rows).await?;
    write_messages(connection, rows).await?;
    write_memberships(connection, rows).await?;
    write_cursors(connection, rows).await
}

/// Raises the newest numbers of conversations, making rows for those that appear by being used.
pub(crate) async fn raise_heads(connection: &mut PgConnection, rows: &Rows<'_>) -> Result<(), StoreError> {
    if rows.conversations.is_empty() {
        return Ok(());
    }
    let all = || rows.conversations.values();
    let number = |of: fn(&ConversationRow) -> u64| all().map(|row| signed(of(row))).collect::<Vec<i64>>();
    query(RAISE_HEADS)
        .bind(rows.conversations.keys().map(|id| id.as_str()).collect::<Vec<_>>())
        .bind(number(|row| row.heads.version.epoch))
        .bind(number(|row| row.heads.version.rev))
        .bind(number(|row| row.heads.seq.0))
        .bind(number(|row| row.state.epoch))
        .bind(number(|row| row.state.rev))
        .execute(connection)
        .await?;
    Ok(())
}

async fn write_messages(connection: &mut PgConnection, rows: &Rows<'_>) -> Result<(), StoreError> {
    if rows.messages.is_empty() {
        return Ok(());
    }
    let all = || rows.messages.values().copied();
    let number = |of: fn(&Message) -> u64| all().map(|message| signed(of(message))).collect::<Vec<i64>>();
    let text = |of: fn(&Message) -> &str| all().map(of).collect::<Vec<&str>>();
    query(WRITE_MESSAGES)
        .bind(rows.messages.keys().map(|id| id.uuid()).collect::<Vec<Uuid>>())
        .bind(text(|message| message.conversation.as_str()))
        .bind(number(|message| message.seq.0))
        .bind(number(|message| message.version.epoch))
        .bind(number(|message| message.created_rev))
        .bind(number(|message| message.version.rev))
        .bind(text(|message| message.body.sender.id.as_str()))
        .bind(all().map(|message| Json(&message.body.sender)).collect::<Vec<Json<&Profile>>>())
        .bind(text(|message| message.body.kind.as_str()))
        .bind(text(|message| message.body.content.as_str()))
        .bind(all().map(|message| Json(&message.body.attachments)).collect::<Vec<Json<&Attachments>>>())
        .bind(all().map(|message| Json(&message.body.metadata)).collect::<Vec<Json<&Metadata>>>())
        .bind(all().map(|message| message.body.reply_to.map(|id| id.uuid())).collect::<Vec<Option<Uuid>>>())
        .bind(all().map(|message| message.body.client_id.as_ref().map(|id| id.as_str())).collect::<Vec<_>>())
        .bind(all().map(|message| message.created_at.to_datetime()).collect::<Vec<DateTime<Utc>>>())
        .bind(all().map(|message| message.edited_at.map(Timestamp::to_datetime)).collect::<Vec<_>>())
        .bind(all().map(|message| message.deleted_at.map(Timestamp::to_datetime)).collect::<Vec<_>>())
        .bind(all().map(|message| message.origin.as_ref().map(|id| id.as_str())).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

async fn write_memberships(connection: &mut PgConnection, rows: &Rows<'_>) -> Result<(), StoreError> {
    if rows.memberships.is_empty() {
        return Ok(());
    }
    let all = || rows.memberships.values();
    query(STAMP_MEMBERSHIPS)
        .bind(rows.memberships.keys().map(|(id, _)| id.as_str()).collect::<Vec<_>>())
        .bind(rows.memberships.keys().map(|(_, user)| user.as_str()).collect::<Vec<_>>())
        .bind(all().map(|Version { epoch, .. }| signed(*epoch)).collect::<Vec<i64>>())
        .bind(all().map(|Version { rev, .. }| signed(*rev)).collect::<Vec<i64>>())
        .execute(connection)
        .await?;
    Ok(())
}

async fn write_cursors(connection: &mut PgConnection, rows: &Rows<'_>) -> Result<(), StoreError> {
    if rows.cursors.is_empty() {
        return Ok(());
    }
    let all = || rows.cursors.values();
    query(WRITE_CURSORS)
        .bind(rows.cursors.keys().map(|(id, _)| id.as_str()).collect::<Vec<_>>())
        .bind(rows.cursors.keys().map(|(_, user)| user.as_str()).collect::<Vec<_>>())
        .bind(all().map(|row| signed(row.delivered.seq.0)).collect::<Vec<i64>>())
        .bind(all().map(|row| time_of(row.delivered)).collect::<Vec<_>>())
        .bind(all().map(|row| signed(row.read.seq.0)).collect::<Vec<i64>>())
        .bind(all().map(|row| time_of(row.read)).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

/// Larger numbers were refused when the entry was decoded.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A cursor that has not moved has no time.
fn time_of(mark: Mark) -> Option<DateTime<Utc>> {
    (mark.seq.0 > 0).then(|| mark.at.to_datetime())
}

const RAISE_HEADS: &str = "
    INSERT INTO conversations AS c (id, epoch, head_rev, head_seq, state_epoch, state_rev)
    SELECT * FROM UNNEST($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
    ON CONFLICT (id) DO UPDATE SET
        epoch = GREATEST(c.epoch, EXCLUDED.epoch),
        head_rev = CASE WHEN (c.epoch, c.head_rev) < (EXCLUDED.epoch, EXCLUDED.head_rev)
            THEN EXCLUDED.head_rev ELSE c.head_rev END,
        head_seq = GREATEST(c.head_seq, EXCLUDED.head_seq),
        state_epoch = GREATEST(c.state_epoch, EXCLUDED.state_epoch),
        state_rev = CASE WHEN (c.state_epoch, c.state_rev) < (EXCLUDED.state_epoch, EXCLUDED.state_rev)
            THEN EXCLUDED.state_rev ELSE c.state_rev END
    WHERE (c.epoch, c.head_rev) < (EXCLUDED.epoch, EXCLUDED.head_rev)
        OR c.head_seq < EXCLUDED.head_seq
        OR (c.state_epoch, c.state_rev) < (EXCLUDED.state_epoch, EXCLUDED.state_rev)";

/// Nothing is stored that was deleted with its conversation. The conversation's row is there and locked.
const WRITE_MESSAGES: &str = "
    INSERT INTO messages AS m (id, conversation_id, seq, epoch, created_rev, rev, sender_id, sender, type, content,
        attachments, metadata, reply_to, client_id, created_at, edited_at, deleted_at, origin)
    SELECT u.* FROM UNNEST($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[],
        $8::jsonb[], $9::text[], $10::text[], $11::jsonb[], $12::jsonb[], $13::uuid[], $14::text[], $15::timestamptz[],
        $16::timestamptz[], $17::timestamptz[], $18::text[])
        AS u (id, conversation_id, seq, epoch, created_rev, rev, sender_id, sender, type, content,
            attachments, metadata, reply_to, client_id, created_at, edited_at, deleted_at, origin)
    JOIN conversations c ON c.id = u.conversation_id
    WHERE u.rev > c.deleted_rev
    ON CONFLICT (id) DO UPDATE SET
        conversation_id = EXCLUDED.conversation_id, seq = EXCLUDED.seq, epoch = EXCLUDED.epoch,
        created_rev = EXCLUDED.created_rev, rev = EXCLUDED.rev, sender_id = EXCLUDED.sender_id,
        sender = EXCLUDED.sender, type = EXCLUDED.type, content = EXCLUDED.content,
        attachments = EXCLUDED.attachments, metadata = EXCLUDED.metadata, reply_to = EXCLUDED.reply_to,
        client_id = EXCLUDED.client_id, created_at = EXCLUDED.created_at, edited_at = EXCLUDED.edited_at,
        deleted_at = EXCLUDED.deleted_at, origin = EXCLUDED.origin
    WHERE (m.epoch, m.rev) < (EXCLUDED.epoch, EXCLUDED.rev)";

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
