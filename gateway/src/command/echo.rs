//! `echo`: answers with what it was given.

use parlance_domain::rejection::Rejection;
use serde_json::{Map, Value};

pub(super) fn apply(payload: Value) -> Result<Value, Rejection> {
    Ok(Value::Object(Map::from_iter([("echo".to_owned(), payload)])))
}
