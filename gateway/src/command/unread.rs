//! How many messages of others a user has not read: exact, also where the worker has not written yet. What was taken back
//! does not count.

use parlance_broker::Broker;
use parlance_domain::{
    id::{ConversationId, MessageId, UserId},
    message::Message,
    rejection::Rejection,
    version::Seq,
};
use parlance_store::{Store, receipt};

use super::{failed, history::logged::Logged};
use crate::app::App;

/// Messages are counted up to here.
const MOST: u64 = 10_000;

/// Which messages are counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch<'a> {
    /// Whose do not count.
    pub(super) user: &'a UserId,
    /// Those beyond this place.
    pub(super) above: Seq,
    /// Those up to this place.
    pub(super) to: Seq,
}

/// How many a user has not read in a conversation.
pub(super) async fn of(
    app: &App,
    conversation: &ConversationId,
    user: &UserId,
    logged: &Logged,
) -> Result<u64, Rejection> {
    let noted = app.broker.noted_cursors(conversation, &[user]).await;
    let noted =
        noted.map_err(|error| failed("read a cursor", &error))?.positions.into_iter().flatten().next();
    let above = match noted {
        Some(position) => position.read,
        None => {
            let stored = app.store.cursors(conversation, &[user]).await;
            let stored = stored.map_err(|error| failed("read a cursor", &error))?;
            stored.first().map_or(Seq(0), |(_, _, read)| *read)
        }
    };
    let stretch = Stretch { user, above, to: Seq(u64::MAX) };
    count_with(&app.store, conversation, stretch, logged).await
}

/// How many there are in a stretch.
pub(super) async fn count(
    broker: &Broker,
    store: &Store,
    conversation: &ConversationId,
    stretch: Stretch<'_>,
) -> Result<u64, Rejection> {
    let logged = broker.log_unpersisted(conversation).await;
    let logged = logged.map(Logged::of).map_err(|error| failed("read the hot log", &error))?;
    count_with(store, conversation, stretch, &logged).await
}

async fn count_with(
    store: &Store,
    conversation: &ConversationId,
    stretch: Stretch<'_>,
    logged: &Logged,
) -> Result<u64, Rejection> {
    let Stretch { user, above, to } = stretch;
    let messages = logged.messages();
    let counts =
        |message: &&&Message| message.seq > above && message.seq <= to && message.body.sender.id != *user;
    let fresh: Vec<&Message> = messages.values().filter(counts).copied().collect();
    let count = fresh.iter().filter(|message| message.deleted_at.is_none()).count() as u64;
    if logged.is_complete() {
        return Ok(count.min(MOST));
    }
    let except: Vec<MessageId> = fresh.iter().map(|message| message.body.id).collect();
    let stretch = receipt::Stretch { user, above, to, except: &except, most: MOST };
    let stored = store.count_of_others(conversation, stretch).await;
    let stored = stored.map_err(|error| failed("count messages", &error))?;
    Ok((stored + count).min(MOST))
}
