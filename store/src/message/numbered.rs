//! Numbered pages: the n-th so many messages of what is stored and what is not yet stored together.
//!
//! The *rank* of a message is how many stand before it. The rank of a place is known without counting when every place
//! has one message: then places and ranks go side by side. That is so in a conversation that never lost a number (its
//! epoch is still the first one) and of which nothing was parked as a dead letter, so that there are as many messages as
//! places. Otherwise the rank is found by counting in the index on places, without a look at the rows.

use std::collections::HashSet;

use parlance_domain::{
    id::{ConversationId, MessageId},
    message::Message,
    version::Seq,
};
use sqlx::{PgConnection, query, query_as, query_scalar};
use uuid::Uuid;

use super::row::{MessageRow, message_id};
use crate::{error::StoreError, row, store::Store};

/// What orders messages: the place, and the id where Redis lost a number and gave it again.
pub type Key = (Seq, MessageId);

/// Which messages of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    /// How many come before them, counted from where the reading begins.
    pub skip: u64,
    /// How many they are.
    pub limit: u64,
    /// Whether the reading begins with the newest.
    pub newest_first: bool,
}

/// A numbered page.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Numbered {
    /// The messages of the page in the order of reading.
    pub keys: Vec<Key>,
    /// Those of them that are stored: from the first on, until they have the bytes that were asked for.
    pub stored: Vec<Message>,
    /// How many messages there are.
    pub total: u64,
}

impl Store {
    /// The messages with these numbers among those that are stored and `unpersisted`. Of the latter, those that are
    /// stored meanwhile count once.
    ///
    /// # Errors
    /// As every query.
    pub async fn numbered(
        &self,
        conversation: &ConversationId,
        unpersisted: &[Key],
        numbers: Numbers,
        bytes: u64,
    ) -> Result<Numbered, StoreError> {
        self.transaction("numbered", async |connection| {
            // One state of the table for all that follows: otherwise what the worker writes meanwhile moves the ranks.
            query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                .execute(&mut *connection)
                .await?;
            let new = not_stored(connection, unpersisted).await?;
            let census = Census::take(connection, conversation).await?;
            let total = census.count + new.len() as u64;
            let (from, to) = numbers.ranks(total);
            // Every one that is not stored may stand before the page.
            let lowest = from.saturating_sub(new.len() as u64);
            let (first, stored) = census.places(connection, conversation, lowest, to).await?;
            let mut keys = window(&stored, first, &new, from, to);
            if numbers.newest_first {
                keys.reverse();
            }
            let sql = if numbers.newest_first { NEWEST_FIRST } else { OLDEST_FIRST };
            let ids: Vec<Uuid> = keys.iter().map(|(_, id)| id.uuid()).collect();
            let rows: Vec<MessageRow> =
                query_as(sql).bind(&ids).bind(row::signed(bytes)).fetch_all(connection).await?;
            let stored = rows.into_iter().map(MessageRow::message).collect::<Result<_, _>>()?;
            Ok(Numbered { keys, stored, total })
        })
        .await
    }
}

impl Numbers {
    /// The same as ranks among `total`, the first and the one after the last.
    fn ranks(self, total: u64) -> (u64, u64) {
        let from = self.skip.min(total);
        let to = self.skip.saturating_add(self.limit).min(total);
        if self.newest_first { (total - to, total - from) } else { (from, to) }
    }
}

/// Those that are not stored, in order.
async fn not_stored(connection: &mut PgConnection, unpersisted: &[Key]) -> Result<Vec<Key>, StoreError> {
    if unpersisted.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = unpersisted.iter().map(|(_, id)| id.uuid()).collect();
    let stored: Vec<Uuid> =
        query_scalar("SELECT id FROM messages WHERE id = ANY($1)").bind(&ids).fetch_all(connection).await?;
    let stored: HashSet<Uuid> = stored.into_iter().collect();
    let mut new: Vec<Key> =
        unpersisted.iter().filter(|(_, id)| !stored.contains(&id.uuid())).copied().collect();
    new.sort_unstable();
    Ok(new)
}

/// How many messages of a conversation are stored, and how their places lie.
struct Census {
    count: u64,
    /// The first place, when every one from it on has one message.
    unbroken_from: Option<u64>,
}

impl Census {
    async fn take(connection: &mut PgConnection, conversation: &ConversationId) -> Result<Self, StoreError> {
        let (count, first, last, epoch): (i64, Option<i64>, Option<i64>, Option<i64>) =
            query_as(CENSUS).bind(conversation.as_str()).fetch_one(connection).await?;
        let unbroken =
            |first: i64, last: i64| (epoch == Some(1) && last - first + 1 == count).then_some(first);
        let unbroken_from = first.zip(last).and_then(|(first, last)| unbroken(first, last));
        Ok(Self { count: row::unsigned(count), unbroken_from: unbroken_from.map(row::unsigned) })
    }

    /// The keys of the stored messages with the ranks from `from` to before `to`, after some that stand before them at
    /// the same place; and the rank of the first one.
    async fn places(
        &self,
        connection: &mut PgConnection,
        conversation: &ConversationId,
        from: u64,
        to: u64,
    ) -> Result<(u64, Vec<Key>), StoreError> {
        if from >= to.min(self.count) {
            return Ok((from, Vec::new()));
        }
        let (place, rank) = match self.unbroken_from {
            Some(first) => (row::signed(first + from), from),
            None => {
                let (place, rank): (i64, i64) = query_as(PLACE_OF_RANK)
                    .bind(conversation.as_str())
                    .bind(row::signed(from))
                    .fetch_one(&mut *connection)
                    .await?;
                (place, row::unsigned(rank))
            }
        };
        let rows: Vec<(i64, Uuid)> = query_as(FROM_PLACE)
            .bind(conversation.as_str())
            .bind(place)
            .bind(row::signed(to - rank))
            .fetch_all(connection)
            .await?;
        let key = |(seq, id)| Ok((row::seq(seq), message_id(id)?));
        Ok((rank, rows.into_iter().map(key).collect::<Result<_, StoreError>>()?))
    }
}

/// The keys with the ranks from `from` to before `to` when `stored`, whose first one has the rank `first` among the
/// stored ones, and `new` are put together.
fn window(stored: &[Key], first: u64, new: &[Key], from: u64, to: u64) -> Vec<Key> {
    let mut keys: Vec<Key> = stored.iter().chain(new).copied().collect();
    keys.sort_unstable();
    let passed = usize::try_from(from.saturating_sub(first)).unwrap_or(usize::MAX);
    let wanted = usize::try_from(to - from).unwrap_or(usize::MAX);
    keys.into_iter().skip(passed).take(wanted).collect()
}

const CENSUS: &str = "
    SELECT count(*), min(seq), max(seq), (SELECT epoch FROM conversations WHERE id = $1)
    FROM messages WHERE conversation_id = $1";

/// The place of the message with a rank, and the rank of the first message at that place.
const PLACE_OF_RANK: &str = "
    WITH place AS (SELECT seq FROM messages WHERE conversation_id = $1 ORDER BY seq OFFSET $2 LIMIT 1)
    SELECT place.seq, (SELECT count(*) FROM messages m WHERE m.conversation_id = $1 AND m.seq < place.seq)
    FROM place";

const FROM_PLACE: &str = "
    SELECT seq, id FROM messages WHERE conversation_id = $1 AND seq >= $2 ORDER BY seq, id LIMIT $3";

macro_rules! in_order {
    ($order:literal) => {
        concat!(
            "SELECT * FROM (SELECT *, sum(octet_length(content)) OVER (ORDER BY ",
            $order,
            ") - octet_length(content) AS before FROM (",
            select!("WHERE id = ANY($1)"),
            ") page) page WHERE before < $2 ORDER BY ",
            $order
        )
    };
}
const OLDEST_FIRST: &str = in_order!("seq, id");
const NEWEST_FIRST: &str = in_order!("seq DESC, id DESC");
