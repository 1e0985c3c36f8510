//! Messages that changed since a position, each in its state now; so that whoever is at the position can be told.
//!
//! A message that was created after the position and changed later still stands far from its creation in the order of the
//! changes. It is found by its place, which changes do not move: whoever is told up to some version is told of every
//! message that was created up to there.

use parlance_domain::{
    id::ConversationId,
    message::Message,
    version::{Heads, Version},
};
use sqlx::{PgConnection, query_as};

use super::row::MessageRow;
use crate::{
    changes::{Bounds, Changed},
    error::StoreError,
    row::signed,
};

/// What changed after `since`; of an epoch that is not older than `newest`'s.
pub(crate) async fn messages_since(
    connection: &mut PgConnection,
    conversation: &ConversationId,
    since: Heads,
    newest: Version,
    bounds: Bounds,
) -> Result<Changed<Message>, StoreError> {
    let rows: Vec<MessageRow> = query_as(BY_VERSION)
        .bind(conversation.as_str())
        .bind(signed(since.version.epoch))
        .bind(signed(since.version.rev))
        .bind(signed(bounds.rows))
        .bind(signed(bounds.bytes))
        .fetch_all(&mut *connection)
        .await?;
    let mut changed = page(rows, bounds, |message| message.version)?;
    if let Some(until) = changed.until {
        let created =
            created_since(connection, conversation, since, until.min(newest), until, bounds).await?;
        changed.until = [changed.until, created.until].into_iter().flatten().min();
        changed.rows.extend(created.rows);
    }
    Ok(changed)
}

/// The messages that were created after `since` and not after `upto`, and that changed last after `until`.
async fn created_since(
    connection: &mut PgConnection,
    conversation: &ConversationId,
    since: Heads,
    upto: Version,
    until: Version,
    bounds: Bounds,
) -> Result<Changed<Message>, StoreError> {
    let rows: Vec<MessageRow> = query_as(BY_PLACE)
        .bind(conversation.as_str())
        .bind(signed(since.seq.0))
        .bind(signed(since.version.rev))
        .bind(signed(upto.rev))
        .bind(signed(until.epoch))
        .bind(signed(until.rev))
        .bind(signed(bounds.rows))
        .bind(signed(bounds.bytes))
        .fetch_all(connection)
        .await?;
    page(rows, bounds, |message| Version::new(upto.epoch, message.created_rev))
}

fn page(
    rows: Vec<MessageRow>,
    bounds: Bounds,
    version: impl Fn(&Message) -> Version,
) -> Result<Changed<Message>, StoreError> {
    let rows = rows.into_iter().map(MessageRow::message).collect::<Result<Vec<_>, _>>()?;
    let bytes: usize = rows.iter().map(|message| message.body.content.as_str().len()).sum();
    let may_go_on = rows.len() as u64 >= bounds.rows || bytes as u64 >= bounds.bytes;
    let until = rows.last().map(version).filter(|_| may_go_on);
    Ok(Changed { rows, until })
}

const BY_VERSION: &str = concat!(
    "SELECT * FROM (SELECT *, sum(octet_length(content)) OVER (ORDER BY epoch, rev) - octet_length(content) AS before FROM (",
    select!("WHERE conversation_id = $1 AND (epoch, rev) > ($2, $3) ORDER BY epoch, rev LIMIT $4"),
    ") page) page WHERE before < $5 ORDER BY epoch, rev"
);

/// Places rise with what created their messages, and each creation took one rev: those that are looked for are among
/// the first ones, at most as many as there are revs between. Who does not know his place is given it.
const BY_PLACE: &str = concat!(
    "SELECT * FROM (SELECT *, sum(octet_length(content)) OVER (ORDER BY created_rev, id) - octet_length(content) AS before FROM (
        SELECT * FROM (",
    select!(
        "WHERE conversation_id = $1 AND created_rev > $3
            AND seq > CASE WHEN $2::bigint > 0 THEN $2 ELSE COALESCE((
                SELECT seq FROM messages WHERE conversation_id = $1 AND created_rev <= $3 ORDER BY seq DESC LIMIT 1), 0) END
         ORDER BY seq, created_rev LIMIT GREATEST($4 - $3, 0)"
    ),
    ") first WHERE created_rev <= $4 AND (epoch, rev) > ($5, $6) ORDER BY created_rev, id LIMIT $7
    ) page) page WHERE before < $8 ORDER BY created_rev, id"
);
