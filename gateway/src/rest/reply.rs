//! What an answer shows of a command's reply.

use axum::http::StatusCode;
use parlance_domain::rejection::{Code, Rejection};
use serde_json::Value;

/// The one field of a reply that the answer consists of.
///
/// # Errors
/// `internal` when the reply has no such field.
pub(super) fn part(mut reply: Value, name: &str) -> Result<Value, Rejection> {
    let part = reply.get_mut(name).map(Value::take);
    part.ok_or_else(|| Rejection::with(Code::Internal, format!("the reply has no {name}")))
}

/// The status of an answer that shows what was written: 201 when the reply says that it is new.
pub(super) fn status(is_new: Option<&Value>) -> StatusCode {
    if is_new == Some(&Value::Bool(true)) { StatusCode::CREATED } else { StatusCode::OK }
}
