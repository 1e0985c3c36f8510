//! `message.history`: one page, from Postgres up to what is persisted and from the hot log above it.

use std::collections::BTreeMap;

use parlance_domain::{
    command::{History, Page},
    message::Message,
    rejection::{Code, Rejection},
    version::Seq,
};
use serde_json::Value;

use super::{Actor, Answer, failed};
use crate::{app::App, dialect::view::reply};

/// How many bytes of content a page has, plus at the most one message. A page must fit in what may wait for a client.
const PAGE_BYTES: usize = 1024 * 1024;
/// How many bytes are read from Postgres: enough to tell that there is more than a page.
const READ_BYTES: u64 = 3 * 1024 * 1024;

/// Reads beside the socket's other commands: a slow query does not hold up what is sent after it.
pub(super) fn apply(app: &App, actor: &Actor, history: History, answer: Answer) {
    let permit = match &actor.socket {
        Some(socket) => match socket.queries.clone().try_acquire_owned() {
            Ok(permit) => Some(permit),
            Err(_) => {
                return answer(Err(Rejection::with(
                    Code::Overloaded,
                    "too many queries of this socket at once",
                )));
            }
        },
        None => None,
    };
    let (task, actor) = (app.clone(), actor.clone());
    app.lifecycle.spawn_request("history", async move {
        let page = read(&task, &actor, &history).await;
        drop(permit);
        answer(page);
    });
}

async fn read(app: &App, actor: &Actor, history: &History) -> Result<Value, Rejection> {
    if !(actor.service && actor.profile.is_none()) {
        app.membership.authorize(actor.user_id()?, &history.conversation).await?;
    }
    // The log first: what it has no longer by then was in Postgres before.
    let logged = app
        .broker
        .log_unpersisted(&history.conversation)
        .await
        .map_err(|error| failed("read the hot log", &error))?;
    // One more than asked for tells whether there are more.
    let wanted = history.limit + 1;
    let stored = app
        .store
        .history(&history.conversation, history.page, wanted, READ_BYTES)
        .await
        .map_err(|error| failed("read history", &error))?;
    let logged = logged.into_iter().filter_map(|envelope| envelope.event.into_message());
    let (messages, more) = page(history, stored.into_iter().chain(logged));
    let messages = messages.iter().map(|message| reply::stored(message, &Default::default(), "sent")).collect();
    Ok(reply::history(reply::HistoryReply { messages, has_more: more, ..Default::default() }))
}

/// The page among `found`, oldest first, and whether there are more on its far side.
fn page(history: &History, found: impl Iterator<Item = Message>) -> (Vec<Message>, bool) {
    let wanted = |seq: Seq| match history.page {
        Page::Newest | Page::Around(_) | Page::Numbered(_) => true, // UNFINISHED
        Page::Before(before) => seq < before,
        Page::After(after) => seq > after,
    };
    let mut by_place = BTreeMap::new();
    for message in found.filter(|message| wanted(message.seq)) {
        // Both have it when the worker wrote it between the two readings.
        let place = (message.seq, message.body.id);
        let newer = by_place.get(&place).is_none_or(|known: &Message| known.version < message.version);
        if newer {
            by_place.insert(place, message);
        }
    }
    let limit = usize::try_from(history.limit).unwrap_or(usize::MAX);
    let found = by_place.len();
    let mut bytes = 0;
    let mut fits = |message: &Message| {
        let fits = bytes < PAGE_BYTES;
        bytes += message.body.content.as_str().len();
        fits
    };
    let messages = by_place.into_values();
    let messages: Vec<Message> = match history.page {
        Page::After(_) => messages.take(limit).take_while(&mut fits).collect(),
        Page::Newest | Page::Before(_) | Page::Around(_) | Page::Numbered(_) => {
            let mut newest_first: Vec<Message> = messages.rev().take(limit).take_while(&mut fits).collect();
            newest_first.reverse();
            newest_first
        }
    };
    let more = found > messages.len();
    (messages, more)
}

#[cfg(test)]
mod tests {
    use parlance_domain::{
        command::Order,
        id::{ConversationId, MessageId, UserId},
        message::{Content, MessageBody, MessageType},
        time::Timestamp,
        user::Profile,
        version::Version,
    };

    use super::*;

    fn message(seq: u8) -> Message {
        let sender = Profile::unknown(UserId::new("u").unwrap());
        let body = MessageBody {
            id: MessageId::new(1, [seq; 8], 0),
            sender,
            kind: MessageType::default(),
            content: Content::new("x".to_owned()).unwrap(),
            attachments: Default::default(),
            metadata: Default::default(),
            reply_to: None,
            client_id: None,
            notify: Default::default(),
        };
        Message {
            conversation: ConversationId::new("c").unwrap(),
            seq: Seq(seq.into()),
            version: Version::new(1, seq.into()),
            created_rev: seq.into(),
            created_at: Timestamp(0),
            origin: None,
            edited_at: None,
            deleted_at: None,
            body,
        }
    }

    fn seqs(page_of: Page, limit: u64, stored: &[u8], logged: &[u8]) -> (Vec<u64>, bool) {
        let history = History { conversation: ConversationId::new("c").unwrap(), page: page_of, limit, order: Order::OldestFirst };
        let found = stored.iter().chain(logged).map(|seq| message(*seq));
        let (messages, more) = page(&history, found);
        (messages.iter().map(|message| message.seq.0).collect(), more)
    }

    #[test]
    fn what_both_have_is_in_the_page_once() {
        assert_eq!(seqs(Page::Newest, 10, &[1, 2, 3], &[5, 4, 3]), (vec![1, 2, 3, 4, 5], false));
    }

    #[test]
    fn the_newest_page_ends_at_the_newest_and_knows_of_more() {
        assert_eq!(seqs(Page::Newest, 2, &[1, 2, 3], &[4]), (vec![3, 4], true));
        assert_eq!(seqs(Page::Before(Seq(4)), 2, &[1, 2, 3], &[4]), (vec![2, 3], true));
        assert_eq!(seqs(Page::After(Seq(1)), 2, &[2, 3], &[4]), (vec![2, 3], true));
        assert_eq!(seqs(Page::After(Seq(3)), 2, &[], &[4]), (vec![4], false));
    }

    #[test]
    fn a_page_ends_when_it_has_its_bytes() {
        let large = |seq| {
            let mut message = message(seq);
            message.body.content = Content::new("x".repeat(600_000)).unwrap();
            message
        };
        let seqs = |page_of| {
            let history =
                History { conversation: ConversationId::new("c").unwrap(), page: page_of, limit: 10, order: Order::OldestFirst };
            let (messages, more) = page(&history, (1..=5).map(large));
            (messages.iter().map(|message| message.seq.0).collect::<Vec<_>>(), more)
        };
        assert_eq!(seqs(Page::After(Seq(0))), (vec![1, 2], true));
        assert_eq!(seqs(Page::Newest), (vec![4, 5], true));
    }
}
