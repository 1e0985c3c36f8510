//! Rows of messages, the notifications that are to be made of new ones, and who is to be told of them elsewhere.

use chrono::{DateTime, Utc};
use parlance_domain::{
    message::{Attachments, Message, Metadata},
    notification::NotifyPolicy,
    user::Profile,
};
use parlance_store::StoreError;
use sqlx::{PgConnection, query, types::Json};
use uuid::Uuid;

use super::{super::rows::Rows, signed, time_column, version_columns};

/// Writes messages. Of those that were not stored before and are still there, notifications wait to be made, unless
/// nobody shall be notified; and of their conversations participants are to be told, if they shall be.
pub(super) async fn write(connection: &mut PgConnection, rows: &Rows<'_>) -> Result<(), StoreError> {
    if rows.messages.is_empty() {
        return Ok(());
    }
    let all = || rows.messages.values().copied();
    let text = |of: fn(&Message) -> &str| all().map(of).collect::<Vec<&str>>();
    let (epochs, revs) = version_columns(all().map(|message| message.version));
    query(WRITE)
        .bind(rows.messages.keys().map(|id| id.uuid()).collect::<Vec<Uuid>>())
        .bind(text(|message| message.conversation.as_str()))
        .bind(all().map(|message| signed(message.seq.0)).collect::<Vec<_>>())
        .bind(epochs)
        .bind(all().map(|message| signed(message.created_rev)).collect::<Vec<_>>())
        .bind(revs)
        .bind(text(|message| message.body.sender.id.as_str()))
        .bind(all().map(|message| Json(&message.body.sender)).collect::<Vec<Json<&Profile>>>())
        .bind(text(|message| message.body.kind.as_str()))
        .bind(text(|message| message.body.content.as_str()))
        .bind(all().map(|message| Json(&message.body.attachments)).collect::<Vec<Json<&Attachments>>>())
        .bind(all().map(|message| Json(&message.body.metadata)).collect::<Vec<Json<&Metadata>>>())
        .bind(all().map(|message| message.body.reply_to.map(|id| id.uuid())).collect::<Vec<Option<Uuid>>>())
        .bind(all().map(|message| message.body.client_id.as_ref().map(|id| id.as_str())).collect::<Vec<_>>())
        .bind(all().map(|message| message.created_at.to_datetime()).collect::<Vec<DateTime<Utc>>>())
        .bind(time_column(all().map(|message| message.edited_at)))
        .bind(time_column(all().map(|message| message.deleted_at)))
        .bind(all().map(|message| message.origin.as_ref().map(|id| id.as_str())).collect::<Vec<_>>())
        .bind(all().map(|message| policy(message.body.notify)).collect::<Vec<_>>())
        .bind(all().map(|message| message.body.tells_activity).collect::<Vec<bool>>())
        .execute(connection)
        .await?;
    Ok(())
}

fn policy(notify: NotifyPolicy) -> Option<&'static str> {
    (!notify.is_never()).then(|| notify.as_str())
}

/// The conversation's row is there and locked. A row that was inserted and not updated has no `xmax`.
const WRITE: &str = "
    WITH written AS (
        INSERT INTO messages AS m (id, conversation_id, seq, epoch, created_rev, rev, sender_id, sender, type, content,
            attachments, metadata, reply_to, client_id, created_at, edited_at, deleted_at, origin)
        SELECT u.* FROM UNNEST($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
            $7::text[], $8::jsonb[], $9::text[], $10::text[], $11::jsonb[], $12::jsonb[], $13::uuid[], $14::text[],
            $15::timestamptz[], $16::timestamptz[], $17::timestamptz[], $18::text[])
            AS u (id, conversation_id, seq, epoch, created_rev, rev, sender_id, sender, type, content,
                attachments, metadata, reply_to, client_id, created_at, edited_at, deleted_at, origin)
        JOIN conversations c ON c.id = u.conversation_id
        WHERE u.created_rev > c.deleted_rev
        ON CONFLICT (id) DO UPDATE SET
            conversation_id = EXCLUDED.conversation_id, seq = EXCLUDED.seq, epoch = EXCLUDED.epoch,
            created_rev = EXCLUDED.created_rev, rev = EXCLUDED.rev, sender_id = EXCLUDED.sender_id,
            sender = EXCLUDED.sender, type = EXCLUDED.type, content = EXCLUDED.content,
            attachments = EXCLUDED.attachments, metadata = EXCLUDED.metadata, reply_to = EXCLUDED.reply_to,
            client_id = EXCLUDED.client_id, created_at = EXCLUDED.created_at, edited_at = EXCLUDED.edited_at,
            deleted_at = EXCLUDED.deleted_at, origin = EXCLUDED.origin
        WHERE (m.epoch, m.rev) < (EXCLUDED.epoch, EXCLUDED.rev)
        RETURNING m.id, m.conversation_id, m.xmax = 0 AND m.deleted_at IS NULL AS is_new
    ), active AS (
        INSERT INTO conversation_activity (conversation_id)
        SELECT DISTINCT conversation_id FROM written JOIN UNNEST($1::uuid[], $20::bool[]) AS wanted (id, tells) USING (id)
        WHERE is_new AND tells
        ON CONFLICT (conversation_id) DO UPDATE SET change = EXCLUDED.change
    )
    INSERT INTO notification_jobs (message_id, policy)
    SELECT id, policy FROM written JOIN UNNEST($1::uuid[], $19::text[]) AS wanted (id, policy) USING (id)
    WHERE is_new AND policy IS NOT NULL
    ON CONFLICT (message_id) DO NOTHING";
