//! `presence.set`, `presence.get` and `presence.list`: what others see of a user, and who is online.
//!
//! Whether a user who lets others see him as offline is connected, is told to nobody.

use parlance_broker::partition::Partition;
use parlance_domain::{
    command::{GetPresence, ListPresence},
    id::UserId,
    presence::{Presence, Status},
    rejection::{Code, Rejection},
};
use serde_json::Value;

use super::{Actor, Answer, failed, page::Cursor, query};
use crate::{app::App, config::PresenceReaders, dialect::view::reply};

/// Lets others see this of the user until he has no socket any more.
///
/// # Errors
/// `rate_limited` when he does so too often; `conflict` when he has none now; `unavailable`.
pub(super) async fn set(app: &App, actor: &Actor, status: Status) -> Result<Value, Rejection> {
    let user = actor.user_id()?;
    if !actor.service {
        app.limits.status(user)?;
    }
    app.presence.settled(user).await?;
    let set = app.presence.presences().set_status(user, status).await;
    let set = set.map_err(|error| failed("choose a status", &error))?;
    let Some((presence, transition)) = set else {
        return Err(Rejection::with(Code::Conflict, "the user is not connected"));
    };
    if let Some(transition) = transition {
        app.presence.announce(&transition).await;
    }
    Ok(reply::presence_set(&presence))
}

/// Reads what others see of users.
pub(super) fn get(app: &App, actor: &Actor, get: GetPresence, answer: Answer) {
    let is_self = |user: &UserId| actor.profile.as_ref().is_some_and(|profile| profile.id == *user);
    let only_backends = app.config.gateway.presence_readers == PresenceReaders::Backends;
    if only_backends
        && !get.users.iter().all(is_self)
        && let Err(rejection) = actor.only_backends()
    {
        return answer(Err(rejection));
    }
    let task = app.clone();
    query::beside(app, actor, async move { Ok(reply::presences(&read(&task, &get.users).await?)) }, answer);
}

/// # Errors
/// `unavailable`.
async fn read(app: &App, users: &[UserId]) -> Result<Vec<Presence>, Rejection> {
    let found = app.presence.presences().get(users).await;
    let mut found = found.map_err(|error| failed("read presences", &error))?;
    let is_unknown = |presence: &Presence| presence.status == Status::Offline && presence.at.0 == 0;
    let unknown: Vec<UserId> =
        found.iter().filter(|one| is_unknown(one)).map(|one| one.user.clone()).collect();
    if unknown.is_empty() {
        return Ok(found);
    }
    match app.store.last_seen(&unknown).await {
        Ok(last_seen) => {
            for presence in found.iter_mut().filter(|presence| is_unknown(presence)) {
                presence.at = last_seen.get(&presence.user).copied().unwrap_or_default();
            }
        }
        // Who is online is known all the same.
        Err(error) => tracing::warn!(%error, "failed to read when users were last seen"),
    }
    Ok(found)
}

/// Reads who is online.
pub(super) fn list(app: &App, actor: &Actor, list: ListPresence, answer: Answer) {
    if let Err(rejection) = actor.only_backends() {
        return answer(Err(rejection));
    }
    let task = app.clone();
    query::beside(app, actor, async move { read_page(&task, list).await }, answer);
}

/// # Errors
/// `invalid_payload` for a cursor that no answer gave; `unavailable`.
async fn read_page(app: &App, ListPresence { cursor, limit }: ListPresence) -> Result<Value, Rejection> {
    let after = cursor.as_deref().map(|cursor| place(app, cursor)).transpose()?;
    let presences = app.presence.presences();
    let page = presences.online(after.as_ref(), limit).await;
    let page = page.map_err(|error| failed("read who is online", &error))?;
    let found = presences.get(&page.users).await;
    let mut found = found.map_err(|error| failed("read presences", &error))?;
    // Who went offline between the two readings.
    found.retain(|presence| presence.status != Status::Offline);
    let next = page.next.map(|(partition, user)| Cursor::encode(&(partition.0, user)));
    Ok(reply::online(&found, page.total, next.as_deref()))
}

/// The place that a cursor names.
fn place(app: &App, cursor: &str) -> Result<(Partition, UserId), Rejection> {
    let (partition, user): (u16, UserId) = Cursor::decode(cursor)?;
    let partition = app.broker.keys().partitions().get(partition);
    let partition = partition.ok_or_else(|| Rejection::invalid("cursor", "is none that an answer gave"))?;
    Ok((partition, user))
}
