//! `session.authenticate`: lets the socket's session last as long as a newer token of the same user.

use parlance_domain::rejection::{Code, Rejection};
use serde_json::Value;

use super::Actor;
use crate::{app::App, dialect::view::reply};

pub(super) async fn apply(app: &App, actor: &Actor, token: &str) -> Result<Value, Rejection> {
    let socket = actor.socket.as_ref();
    let socket = socket.ok_or_else(|| Rejection::with(Code::Forbidden, "only a socket has a session"))?;
    let identity = app.auth.verify(token, &app.clock)?;
    if identity.user.id != socket.user {
        return Err(Rejection::with(Code::Forbidden, "the token is another user's"));
    }
    if let Err(error) = app.store.upsert_user_claims(&identity.user).await {
        tracing::warn!(%error, user = %socket.user, "failed to store a user's claims");
    }
    app.expiry.watch(socket, identity.expires_at);
    Ok(reply::authenticated(identity.expires_at))
}
