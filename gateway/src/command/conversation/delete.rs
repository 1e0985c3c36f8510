//! `conversation.delete`: the conversation with everything in it. From then on nobody takes part; the id can be created
//! again, and then begins without what was there before.

use parlance_domain::{id::ConversationId, rejection::Rejection};
use parlance_store::conversation::Used;
use serde_json::Value;

use super::{
    super::{Actor, failed, persisted},
    flush, unknown,
};
use crate::{app::App, dialect::view::reply, membership::Policy};

/// # Errors
/// `forbidden` without a service key; `not_found`; `unavailable`.
pub(in crate::command) async fn apply(
    app: &App,
    actor: &Actor,
    id: &ConversationId,
) -> Result<Value, Rejection> {
    actor.only_backends()?;
    let mut deleted = delete(app, id).await?;
    if !deleted && is_used(app, id).await? {
        persisted::wait(app, id).await?;
        deleted = delete(app, id).await?;
    }
    // What was deleted before may be found with the event of a crashed gateway.
    flush(app, id).await?;
    if deleted { Ok(reply::nothing()) } else { Err(unknown()) }
}

async fn delete(app: &App, id: &ConversationId) -> Result<bool, Rejection> {
    let used = match app.membership.policy() {
        Policy::Members => Used::OnlyWhenCreated,
        Policy::Open | Policy::Token => Used::WithoutCreation,
    };
    let deleted = app.store.delete_conversation(id, used, None).await;
    deleted.map_err(|error| failed("delete a conversation", &error))
}

/// Whether it is used although nobody created it, so that Postgres may not know of it yet.
async fn is_used(app: &App, id: &ConversationId) -> Result<bool, Rejection> {
    if app.membership.policy() == Policy::Members {
        return Ok(false);
    }
    let state = app.broker.state(id).await.map_err(|error| failed("read a state", &error))?;
    Ok(state.is_some_and(|state| state.heads.version.rev > 0))
}
