//! `call.get`: a call as it is now.

use parlance_domain::{id::CallId, rejection::Rejection};
use serde_json::Value;

use super::{Actor, current, visible};
use crate::{app::App, dialect::view::reply};

pub(in super::super) async fn apply(app: &App, actor: &Actor, id: CallId) -> Result<Value, Rejection> {
    // A backend that acts for nobody reads everything.
    let of_any_user = actor.reads_everything();
    let call = if of_any_user { current(app, id).await } else { visible(app, actor, id).await };
    Ok(reply::call(&call?))
}
