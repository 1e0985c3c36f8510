//! `echo`: answers with what it was given.

use parlance_domain::rejection::Rejection;
use serde_json::{Value, json};

pub(super) fn apply(payload: Value) -> Result<Value, Rejection> {
    Ok(json!({ "echo": payload }))
}
