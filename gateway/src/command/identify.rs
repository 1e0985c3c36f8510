//! `session.identify`: says whose the session is. A session has one user as long as it lasts: its own is confirmed, another
//! is refused.

use parlance_domain::{
    id::UserId,
    rejection::{Code, Rejection},
};
use serde_json::Value;

use super::Actor;
use crate::dialect::view::reply;

pub(super) fn apply(actor: &Actor, user: &UserId) -> Result<Value, Rejection> {
    let socket = actor.socket.as_ref();
    let socket = socket.ok_or_else(|| Rejection::with(Code::Forbidden, "only a socket has a session"))?;
    if socket.user != *user {
        return Err(Rejection::with(Code::Forbidden, "the session is another user's"));
    }
    Ok(reply::identified(user))
}
