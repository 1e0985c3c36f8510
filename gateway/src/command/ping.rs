//! `ping`: answers with the gateway's time, so that a client can measure the way and the difference.

use parlance_domain::{rejection::Rejection, time::Timestamp};
use serde_json::Value;

use crate::{app::App, dialect::view::reply};

pub(super) fn apply(app: &App) -> Result<Value, Rejection> {
    Ok(reply::ping(Timestamp(app.clock.now_ms())))
}
