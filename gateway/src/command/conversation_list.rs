//! `conversation.list`: a user's conversations with what one wants to see of each at a glance: the newest message, and
//! how many are unread.
//!
//! Which conversations, in which order, and how far they were read is what Postgres says. The newest message and the
//! unread ones are exact: what the worker has not written yet is counted too.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use parlance_domain::{
    command::ListConversations,
    id::{ConversationId, MessageId, UserId},
    message::Message,
    rejection::{Code, Rejection},
};
use parlance_store::list::{Joined, Listed, Unread};
use serde_json::Value;

use super::{
    Actor, Answer, failed,
    history::{
        PAGE_BYTES,
        logged::{Logged, key},
    },
    page::Cursor,
    query,
};
use crate::{app::App, auth::Grants, dialect::view::reply, membership::Policy};

/// Unread messages are counted up to here.
const MAX_UNREAD: u64 = 1_000;
/// How many hot logs are read at the same time.
const IN_FLIGHT: usize = 8;
/// No activity is later than the end of the year 9999, and none is earlier than 1970.
const LATEST_US: i64 = 253_402_300_799_999_999;

pub(super) fn apply(app: &App, actor: &Actor, list: ListConversations, answer: Answer) {
    let (task, reader) = (app.clone(), actor.clone());
    query::beside(app, actor, async move { read(&task, &reader, list).await }, answer);
}

async fn read(app: &App, actor: &Actor, list: ListConversations) -> Result<Value, Rejection> {
    let user = whose(actor, list.user)?;
    let after = list.cursor.as_deref().map(place).transpose()?;
    // One more than asked for tells whether there are more.
    let only = granted(app, actor);
    let joined = app.store.joined(&user, only.as_deref(), after.as_ref(), list.limit + 1).await;
    let mut joined = joined.map_err(|error| failed("list conversations", &error))?;
    let limit = usize::try_from(list.limit).unwrap_or(usize::MAX);
    let mut more = joined.len() > limit;
    joined.truncate(limit);
    // The logs first: what they have no longer by then was in Postgres before.
    let fresh = fresh(app, &user, &joined).await?;
    let listed = stored(app, &user, &joined, &fresh).await?;
    more |= listed.len() < joined.len();
    let last = listed
        .last()
        .and_then(|last| joined.iter().find(|joined| joined.conversation == last.conversation.id));
    let next = last.filter(|_| more).map(cursor);
    let of: HashMap<&ConversationId, &Joined> =
        joined.iter().map(|joined| (&joined.conversation, joined)).collect();
    let view = |listed: Listed| {
        let joined = of.get(&listed.conversation.id)?;
        let fresh = fresh.get(&listed.conversation.id)?;
        Some(fresh.view(joined, listed))
    };
    let listed: Vec<Value> = listed.into_iter().filter_map(view).collect();
    Ok(reply::conversations(&listed, next.as_deref()))
}

/// A user has a list of his own; a backend reads anybody's.
fn whose(actor: &Actor, named: Option<UserId>) -> Result<UserId, Rejection> {
    match named {
        Some(user) if actor.service || *actor.user_id()? == user => Ok(user),
        Some(_) => Err(Rejection::with(Code::Forbidden, "this is the list of another user")),
        None => Ok(actor.user_id()?.clone()),
    }
}

/// The conversations that the list is of, when it is the actor's token that says which he may use.
fn granted(app: &App, actor: &Actor) -> Option<Vec<ConversationId>> {
    match &actor.grants {
        Grants::Only(listed) if app.membership.policy() == Policy::Token => {
            Some(listed.iter().cloned().collect())
        }
        _ => None,
    }
}

fn cursor(joined: &Joined) -> String {
    Cursor::encode(&(joined.active_at.timestamp_micros(), &joined.conversation))
}

/// The place that a cursor names.
fn place(cursor: &str) -> Result<(DateTime<Utc>, ConversationId), Rejection> {
    let (us, id): (i64, ConversationId) = Cursor::decode(cursor)?;
    let active_at =
        Some(us).filter(|us| (0..=LATEST_US).contains(us)).and_then(DateTime::from_timestamp_micros);
    let active_at = active_at.ok_or_else(|| Rejection::invalid("cursor", "is none that an answer gave"))?;
    Ok((active_at, id))
}

/// What Postgres may not have of a conversation.
struct Fresh {
    /// Its newest message, if that is there.
    last: Option<Message>,
    /// The messages of others that were not read, whether they were taken back since or not.
    others: Vec<MessageId>,
    /// How many of them are still there.
    unread: u64,
    /// The messages in Postgres do not count: the conversation was deleted, and made anew.
    complete: bool,
}

impl Fresh {
    fn of(user: &UserId, joined: &Joined, logged: &Logged) -> Self {
        let messages = logged.messages();
        let is_other = |message: &&Message| message.seq > joined.read && message.body.sender.id != *user;
        let others: Vec<&Message> = messages.values().copied().filter(is_other).collect();
        Self {
            last: messages.values().next_back().map(|last| (*last).clone()),
            others: others.iter().map(|message| message.body.id).collect(),
            unread: others.iter().filter(|message| message.deleted_at.is_none()).count() as u64,
            complete: logged.is_complete(),
        }
    }

    fn view(&self, joined: &Joined, listed: Listed) -> Value {
        let Listed { conversation, last: stored, unread } = listed;
        let stored = stored.filter(|_| !self.complete);
        let newest = |message: &&Message| (key(message), message.version);
        let last = self.last.iter().chain(&stored).max_by_key(newest);
        let unread = if self.complete { 0 } else { unread } + self.unread;
        let unread = unread.min(MAX_UNREAD);
        reply::listed(&conversation, &joined.role, last, unread, joined.read.0)
    }
}

/// What Postgres may not have of each conversation, in their order until the newest messages have the bytes of a page.
async fn fresh(
    app: &App,
    user: &UserId,
    joined: &[Joined],
) -> Result<HashMap<ConversationId, Fresh>, Rejection> {
    let read = |joined: Joined| async move {
        let logged = Logged::read(app, &joined.conversation).await?;
        Ok::<_, Rejection>((Fresh::of(user, &joined, &logged), joined.conversation))
    };
    let mut found = stream::iter(joined.to_vec()).map(read).buffered(IN_FLIGHT).boxed();
    let (mut fresh, mut bytes) = (HashMap::new(), 0);
    while let Some((found, conversation)) = found.try_next().await? {
        bytes += found.last.as_ref().map_or(0, |last| last.body.content.as_str().len());
        fresh.insert(conversation, found);
        if bytes >= PAGE_BYTES {
            break;
        }
    }
    Ok(fresh)
}

/// What Postgres has of those conversations whose log was read.
async fn stored(
    app: &App,
    user: &UserId,
    joined: &[Joined],
    fresh: &HashMap<ConversationId, Fresh>,
) -> Result<Vec<Listed>, Rejection> {
    let joined: Vec<Joined> =
        joined.iter().filter(|joined| fresh.contains_key(&joined.conversation)).cloned().collect();
    let except: Vec<MessageId> = fresh.values().flat_map(|fresh| &fresh.others).copied().collect();
    let unread = Unread { user, except: &except, most: MAX_UNREAD };
    let listed = app.store.listed(&joined, unread, PAGE_BYTES as u64).await;
    listed.map_err(|error| failed("list conversations", &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Identity;

    #[test]
    fn a_cursor_reads_back_and_no_other_text_is_one() {
        let joined = Joined {
            conversation: ConversationId::new("c").unwrap(),
            role: Default::default(),
            read: Default::default(),
            active_at: DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap(),
        };
        assert_eq!(place(&cursor(&joined)), Ok((joined.active_at, joined.conversation)));
        for wrong in [
            Cursor::encode(&(-1, "c")),
            Cursor::encode(&(i64::MAX, "c")),
            Cursor::encode(&(1, "")),
            Cursor::encode(&(1, "a\0")),
            Cursor::encode(&(1.5, "c")),
            Cursor::encode(&"c"),
            "made up".to_owned(),
        ] {
            assert_eq!(place(&wrong).unwrap_err().code, Code::InvalidPayload, "{wrong}");
        }
    }

    #[test]
    fn a_list_is_ones_own_unless_a_backend_asks() {
        let user = |id: &str| UserId::new(id).unwrap();
        let ann = || Identity::claimed(user("ann"));
        let code = |actor: Actor, named: Option<&str>| {
            whose(&actor, named.map(user)).map_err(|rejection| rejection.code)
        };
        assert_eq!(code(Actor::user(ann()), None), Ok(user("ann")));
        assert_eq!(code(Actor::user(ann()), Some("ann")), Ok(user("ann")));
        assert_eq!(code(Actor::user(ann()), Some("bob")), Err(Code::Forbidden));
        assert_eq!(code(Actor::service(None), Some("bob")), Ok(user("bob")));
        assert_eq!(code(Actor::service(Some(ann().user)), None), Ok(user("ann")));
        assert_eq!(code(Actor::service(None), None), Err(Code::Forbidden));
    }
}
