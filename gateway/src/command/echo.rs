//! `echo`: answers with what it was given.

use parlance_domain::rejection::Rejection;
use serde_json::Value;

use crate::dialect::view::reply;

pub(super) fn apply(payload: &Value) -> Result<Value, Rejection> {
    Ok(reply::echo(payload))
}
