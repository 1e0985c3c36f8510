//! `conversation.update`: another title, other fields. What is so already is told to nobody.

use parlance_domain::{command::UpdateConversation, rejection::Rejection};
use parlance_store::conversation::Update;
use serde_json::Value;

use super::{
    super::{Actor, failed},
    flush, unknown,
};
use crate::{app::App, dialect::view::reply};

/// # Errors
/// `forbidden` without a service key; `not_found`; `unavailable`.
pub(in crate::command) async fn apply(
    app: &App,
    actor: &Actor,
    update: UpdateConversation,
) -> Result<Value, Rejection> {
    actor.only_backends()?;
    let UpdateConversation { conversation: id, title, metadata } = update;
    let update = app.store.update_conversation(&id, title.as_ref(), metadata.as_ref(), None).await;
    match update.map_err(|error| failed("change a conversation", &error))? {
        Update::NoConversation => Err(unknown()),
        // Even what changed nothing may find the event of a crashed gateway's change.
        Update::Done(conversation) | Update::Nothing(conversation) => {
            flush(app, &id).await?;
            Ok(reply::conversation(&conversation))
        }
    }
}
