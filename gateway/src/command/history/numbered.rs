//! Numbered pages: the n-th so many messages, counted in the order of the page.
//!
//! A page that reaches its bytes ends early; the cursor in its answer reads on where it ended, which the next number
//! does not.

use std::collections::HashMap;

use parlance_domain::{
    command::{History, Order},
    id::MessageId,
    message::Message,
    rejection::Rejection,
};
use parlance_store::message::numbered::{Key, Numbered, Numbers};

use super::{READ_BYTES, cut::Room, logged::Logged};
use crate::{app::App, command::failed};

/// A numbered page.
#[derive(Debug, Default)]
pub(super) struct NumberedPage {
    /// In the order of the page.
    pub(super) messages: Vec<Message>,
    /// Whether there are more.
    pub(super) more: bool,
    /// How many messages the conversation has.
    pub(super) total: u64,
}

/// Reads the page with this number, from 1.
pub(super) async fn read(
    app: &App,
    history: &History,
    logged: &Logged,
    number: u64,
) -> Result<NumberedPage, Rejection> {
    let numbers = Numbers {
        skip: number.saturating_sub(1).saturating_mul(history.limit),
        limit: history.limit,
        newest_first: history.order == Order::NewestFirst,
    };
    let keys: Vec<Key> = logged.messages().into_keys().collect();
    let numbered = if logged.is_complete() {
        of_log(keys, numbers)
    } else {
        let numbered = app.store.numbered(&history.conversation, &keys, numbers, READ_BYTES).await;
        numbered.map_err(|error| failed("read history", &error))?
    };
    Ok(page(numbered, numbers, logged))
}

fn of_log(mut keys: Vec<Key>, numbers: Numbers) -> Numbered {
    let total = keys.len() as u64;
    if numbers.newest_first {
        keys.reverse();
    }
    let count = |number| usize::try_from(number).unwrap_or(usize::MAX);
    let keys = keys.into_iter().skip(count(numbers.skip)).take(count(numbers.limit)).collect();
    Numbered { keys, stored: Vec::new(), total }
}

/// The newest state of each message, as far as the bytes go.
fn page(numbered: Numbered, numbers: Numbers, logged: &Logged) -> NumberedPage {
    let logged = logged.messages();
    let Numbered { keys, stored, total } = numbered;
    let mut stored: HashMap<MessageId, Message> =
        stored.into_iter().map(|message| (message.body.id, message)).collect();
    let mut room = Room::new(numbers.limit);
    let mut messages: Vec<Message> = Vec::with_capacity(keys.len());
    for key in keys {
        let message = match (logged.get(&key), stored.remove(&key.1)) {
            (Some(logged), Some(stored)) if logged.version < stored.version => stored,
            (Some(logged), _) => (*logged).clone(),
            (None, Some(stored)) => stored,
            // Beyond the bytes that were read.
            (None, None) => break,
        };
        if room.is_full() {
            break;
        }
        room.take(&message);
        messages.push(message);
    }
    let read = numbers.skip.saturating_add(messages.len() as u64);
    NumberedPage { more: read < total, messages, total }
}
