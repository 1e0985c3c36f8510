//! `stats.get`: how many sockets, users and rooms all gateways have, for backends.

use parlance_domain::rejection::Rejection;
use serde_json::Value;

use super::{Actor, failed};
use crate::{app::App, dialect::view::reply};

/// # Errors
/// `forbidden` without a service key; `unavailable`.
pub(super) async fn apply(app: &App, actor: &Actor) -> Result<Value, Rejection> {
    actor.only_backends()?;
    let cluster = app.stats.read().await.map_err(|error| failed("read what gateways have", &error))?;
    Ok(reply::stats(&cluster))
}
