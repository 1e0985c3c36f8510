//! `message.history`: one page, from Postgres up to what is persisted and from the hot log above it.
//!
//! A page is read in a direction: towards the older messages from the newest one or before a place, towards the newer
//! ones after a place; a numbered page and one around a message in the direction of its order. `hasMore` and `nextCursor`
//! tell of what lies on in that direction, however the messages of the page stand.

mod cut;
pub(super) mod logged;
mod numbered;
#[cfg(test)]
pub(super) mod tests;

use parlance_domain::{
    command::{CommandName, History, Order, Page},
    id::{ConversationId, MessageId},
    message::Message,
    rejection::{Code, Rejection},
    version::Seq,
};
use parlance_store::message::page::{Span, Stretch};
use serde_json::Value;

use super::{Actor, Answer, failed, place, query, react, status, unread};
use crate::{app::App, dialect::view::reply};
pub(super) use cut::PAGE_BYTES;
use logged::Logged;

/// How many bytes are read from Postgres: enough to tell that there is more than a page.
const READ_BYTES: u64 = 3 * PAGE_BYTES as u64;

pub(super) fn apply(app: &App, actor: &Actor, history: History, answer: Answer) {
    let (task, reader) = (app.clone(), actor.clone());
    query::beside(app, actor, async move { read(&task, &reader, &history).await }, answer);
}

/// What was found.
#[derive(Debug, Default)]
struct Found {
    /// In the order of the conversation.
    messages: Vec<Message>,
    /// Whether there are more in the direction of reading.
    more: bool,
    /// How many messages there are, when they were counted.
    total: Option<u64>,
}

/// Where reading goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Older,
    Newer,
}

impl Direction {
    fn of(history: &History) -> Self {
        match (history.page, history.order) {
            (Page::Newest | Page::Before(_), _) => Direction::Older,
            (Page::After(_), _) => Direction::Newer,
            (Page::Around(_) | Page::Numbered(_), Order::OldestFirst) => Direction::Newer,
            (Page::Around(_) | Page::Numbered(_), Order::NewestFirst) => Direction::Older,
        }
    }

    /// What reads on after these messages.
    fn next(self, messages: &[Message]) -> Option<String> {
        let page = match self {
            Direction::Older => Page::Before(messages.first()?.seq),
            Direction::Newer => Page::After(messages.last()?.seq),
        };
        page.to_cursor()
    }
}

async fn read(app: &App, actor: &Actor, history: &History) -> Result<Value, Rejection> {
    if !actor.reads_everything() {
        app.membership.authorize(actor.asker()?, &history.conversation).await?;
    }
    let logged = Logged::read(app, &history.conversation).await?;
    let found = match history.page {
        Page::Newest => beside(app, history, &logged, Span::Before(Seq(u64::MAX))).await?,
        Page::Before(seq) => beside(app, history, &logged, Span::Before(seq)).await?,
        Page::After(seq) => beside(app, history, &logged, Span::After(seq)).await?,
        Page::Around(message) => around(app, history, &logged, message).await?,
        Page::Numbered(number) => numbered(app, history, &logged, number).await?,
    };
    let next = if found.more { Direction::of(history).next(&found.messages) } else { None };
    let numbered = match (history.page, found.total) {
        (Page::Numbered(number), Some(total)) => Some((number, history.limit, total)),
        _ => None,
    };
    let unread = unread(app, actor, history, &logged).await?;
    let mut messages = views(app, &history.conversation, &logged, &found.messages).await?;
    if history.order == Order::NewestFirst {
        messages.reverse();
    }
    Ok(reply::history(reply::HistoryReply { messages, has_more: found.more, next, numbered, unread }))
}

/// How many messages the user has not read, when that is told to him.
async fn unread(
    app: &App,
    actor: &Actor,
    history: &History,
    logged: &Logged,
) -> Result<Option<u64>, Rejection> {
    match &actor.profile {
        Some(user) if actor.asks_for(CommandName::MessageHistory, "unreadCount") => {
            unread::of(app, &history.conversation, &user.id, logged).await.map(Some)
        }
        _ => Ok(None),
    }
}

/// The page right before or right after a place.
async fn beside(app: &App, history: &History, logged: &Logged, span: Span) -> Result<Found, Rejection> {
    let stretch = stretch(app, history, logged, span).await?;
    let (messages, more) = cut::beside(span, stretch, history.limit);
    Ok(Found { messages, more, total: None })
}

/// The page around a message, with that message.
async fn around(
    app: &App,
    history: &History,
    logged: &Logged,
    message: MessageId,
) -> Result<Found, Rejection> {
    let unknown = || Rejection::with(Code::NotFound, "there is no such message in this conversation");
    let place = place::of(app, &[message]).await?.pop();
    let place = place.filter(|place| place.conversation == history.conversation).ok_or_else(unknown)?;
    let (older, newer) = tokio::try_join!(
        stretch(app, history, logged, Span::Before(place.seq)),
        stretch(app, history, logged, Span::After(Seq(place.seq.0.saturating_sub(1)))),
    )?;
    let (messages, is_older, is_newer) = cut::around(older, newer, history.limit);
    // Redis still knows where it was when it went with its conversation.
    if !messages.iter().any(|found| found.body.id == message) {
        return Err(unknown());
    }
    let more = match Direction::of(history) {
        Direction::Older => is_older,
        Direction::Newer => is_newer,
    };
    Ok(Found { messages, more, total: None })
}

async fn numbered(app: &App, history: &History, logged: &Logged, number: u64) -> Result<Found, Rejection> {
    let numbered::NumberedPage { mut messages, more, total } =
        numbered::read(app, history, logged, number).await?;
    if history.order == Order::NewestFirst {
        messages.reverse();
    }
    Ok(Found { messages, more, total: Some(total) })
}

/// The messages next to a place, from Postgres and the log together.
async fn stretch(app: &App, history: &History, logged: &Logged, span: Span) -> Result<Stretch, Rejection> {
    if logged.is_complete() {
        return Ok(logged.complete(span, Stretch::default()));
    }
    let stored = app.store.history(&history.conversation, span, history.limit, READ_BYTES).await;
    let stored = stored.map_err(|error| failed("read history", &error))?;
    Ok(logged.complete(span, stored))
}

/// The messages as they are read: with their reactions, and how far they have got.
async fn views(
    app: &App,
    conversation: &ConversationId,
    logged: &Logged,
    messages: &[Message],
) -> Result<Vec<Value>, Rejection> {
    if messages.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<MessageId> = messages.iter().map(|message| message.body.id).collect();
    let (reactions, statuses) =
        tokio::try_join!(react::of_messages(app, &ids, logged.envelopes()), status::of(app, conversation),)?;
    let none = Default::default();
    let view = |message: &Message| {
        let reactions = reactions.get(&message.body.id).unwrap_or(&none);
        reply::stored(message, reactions, statuses.of(message))
    };
    Ok(messages.iter().map(view).collect())
}
