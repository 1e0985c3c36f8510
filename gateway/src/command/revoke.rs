//! `user.revoke`: tokens of a user that were issued before a moment are refused from now on, by every gateway, and the
//! sockets that live by them are disconnected for good.

use parlance_domain::{command::RevokeTokens, rejection::Rejection, time::Timestamp};
use serde_json::Value;

use super::{Actor, failed};
use crate::{app::App, auth::MOST_AHEAD, dialect::view::reply};

pub(super) async fn apply(app: &App, actor: &Actor, revoke: RevokeTokens) -> Result<Value, Rejection> {
    actor.only_backends()?;
    let RevokeTokens { user, before } = revoke;
    let now = app.clock.now_ms();
    let before = before.unwrap_or(Timestamp(now));
    // Clocks differ, but nobody is to be locked out for years by a slip.
    if before.0 > now.saturating_add(MOST_AHEAD) {
        return Err(Rejection::invalid("before", "is more than five minutes in the future"));
    }
    let revoked = app.broker.revoke(&user, before, app.auth.revocations_are_kept()).await;
    let before = revoked.map_err(|error| failed("revoke the tokens of a user", &error))?;
    tracing::info!(%user, before = before.to_iso(), "tokens were revoked");
    Ok(reply::revoked(&user, before))
}
