//! `session.list`: which sockets a user has, on all gateways. For backends.

use parlance_domain::{id::UserId, rejection::Rejection};
use serde_json::Value;

use super::{Actor, Answer, failed, query};
use crate::{app::App, dialect::view::reply};

pub(super) fn apply(app: &App, actor: &Actor, user: UserId, answer: Answer) {
    if let Err(rejection) = actor.only_backends() {
        return answer(Err(rejection));
    }
    let task = app.clone();
    query::beside(app, actor, async move { read(&task, &user).await }, answer);
}

/// # Errors
/// `unavailable`.
async fn read(app: &App, user: &UserId) -> Result<Value, Rejection> {
    // He may have connected here a moment ago.
    app.presence.settled(user).await?;
    let sessions = app.presence.presences().sessions(user).await;
    Ok(reply::sessions(&sessions.map_err(|error| failed("read sessions", &error))?))
}
