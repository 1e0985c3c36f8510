//! `ping`: answers with the gateway's time, so that a client can measure the way and the difference.

use parlance_domain::{rejection::Rejection, time::Timestamp};
use serde_json::{Value, json};

use crate::app::App;

pub(super) fn apply(app: &App) -> Result<Value, Rejection> {
    Ok(json!({ "time": Timestamp(app.clock.now_ms()) }))
}
