//! `session.authenticate`: lets the socket's session last as long as a newer token of the same user, whose claims count
//! from then on. Under the policy `token` the socket leaves what the newer one does not list.

use parlance_domain::rejection::{Code, Rejection};
use serde_json::Value;

use super::Actor;
use crate::{app::App, dialect::view::reply};

pub(super) async fn apply(app: &App, actor: &Actor, token: &str) -> Result<Value, Rejection> {
    let socket = actor.socket.as_ref();
    let socket = socket.ok_or_else(|| Rejection::with(Code::Forbidden, "only a socket has a session"))?;
    let identity = app.identify(token, socket.dialect.tokens()).await?;
    if identity.user.id != socket.user {
        return Err(Rejection::with(Code::Forbidden, "the token is another user's"));
    }
    let expires_at = identity.expires_at();
    let identity = app.completed(identity).await;
    // A role that the newer token has not any more must not outlive the older one.
    socket.renew(identity);
    app.expiry.watch(socket, expires_at);
    // It may have been forgotten just before.
    if socket.has_ended() {
        app.expiry.forget(socket.key);
    }
    // What was revoked since it was looked at may have been told of the older token.
    app.users.renewed(socket).await;
    let grants = socket.grants();
    let lost = socket.joined_beyond(|conversation| app.membership.are_granted(&grants, conversation));
    app.fanout.expel(socket, lost).await;
    Ok(reply::authenticated(expires_at))
}
