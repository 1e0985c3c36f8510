//! `member.list`: who is in a conversation now, on whatever gateway.

use parlance_domain::{command::ListMembers, rejection::Rejection};
use serde_json::Value;

use super::{Actor, Answer, conversation::may_read, failed, participant, query};
use crate::{app::App, dialect::view::reply, membership::Policy};

pub(super) fn apply(app: &App, actor: &Actor, list: ListMembers, answer: Answer) {
    let (task, reader) = (app.clone(), actor.clone());
    query::beside(app, actor, async move { read(&task, &reader, &list).await }, answer);
}

/// # Errors
/// `not_found`, also when the reader takes no part; `unavailable`.
async fn read(app: &App, actor: &Actor, list: &ListMembers) -> Result<Value, Rejection> {
    let ListMembers { conversation, limit } = list;
    may_read(app, actor, conversation).await?;
    let found = app.members.some(conversation, *limit).await;
    let (mut users, count) = found.map_err(|error| failed("read who is here", &error))?;
    // A backend may ask for one that is none; where conversations appear when they are used, there is no such thing.
    if users.is_empty() && app.membership.policy() == Policy::Members {
        participant::there(app, conversation).await?;
    }
    users.sort_unstable();
    Ok(reply::members(conversation, &users, count.max(users.len() as u64)))
}
