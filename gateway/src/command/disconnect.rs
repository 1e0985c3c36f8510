//! `user.disconnect`: an operator's kick. Every socket that the user has on any gateway gets a Socket.IO DISCONNECT, after
//! which clients do not come back by themselves. Their tokens stay valid.

use parlance_domain::{id::UserId, rejection::Rejection, user_event::UserEvent};
use serde_json::Value;

use super::{Actor, failed};
use crate::{app::App, dialect::view::reply};

pub(super) async fn apply(app: &App, actor: &Actor, user: &UserId) -> Result<Value, Rejection> {
    actor.only_backends()?;
    let published = app.broker.publish_to_user(user, &UserEvent::Disconnect).await;
    published.map_err(|error| failed("disconnect a user", &error))?;
    Ok(reply::nothing())
}
