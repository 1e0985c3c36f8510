//! `session.authenticate`: lets the socket's session last as long as a newer token of the same user, whose claims count
//! from then on.

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
    let stored = app.store.upsert_user_claims(&identity.user).await;
    // A role that the newer token has not any more must not outlive the older one.
    socket.renew(stored.unwrap_or_else(|error| {
        tracing::warn!(%error, user = %socket.user, "failed to store a user's claims");
        identity.user
    }));
    app.expiry.watch(socket, identity.expires_at);
    // It may have been forgotten just before.
    if socket.has_ended() {
        app.expiry.forget(socket.key);
    }
    Ok(reply::authenticated(identity.expires_at))
}
