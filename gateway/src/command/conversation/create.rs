//! `conversation.create`: makes a conversation with its participants. The same again finds it.

use parlance_domain::{
    command::CreateConversation,
    id::ConversationId,
    rejection::{Code, Rejection},
};
use parlance_store::conversation::{Creation, NewConversation};
use serde_json::Value;

use super::{
    super::{Actor, failed},
    flush,
};
use crate::{app::App, dialect::view::reply};

/// # Errors
/// `forbidden` without a service key; `conflict` when there is another one with this id; `unavailable`.
pub(in crate::command) async fn apply(
    app: &App,
    actor: &Actor,
    create: CreateConversation,
) -> Result<Value, Rejection> {
    actor.only_backends()?;
    let CreateConversation { id, title, metadata, participants } = create;
    let id = match id {
        Some(id) => id,
        None => made_id()?,
    };
    let new = NewConversation { id, title, metadata, participants };
    let creation = app.store.create_conversation(&new, None).await;
    let (conversation, is_new) = match creation.map_err(|error| failed("create a conversation", &error))? {
        Creation::Created(conversation) => (conversation, true),
        Creation::Exists(conversation) => (conversation, false),
        Creation::Conflict => return Err(Code::Conflict.into()),
    };
    flush(app, &new.id).await?;
    Ok(reply::created(&conversation, is_new))
}

fn made_id() -> Result<ConversationId, Rejection> {
    let id = format!("{:032x}", rand::random::<u128>());
    ConversationId::new(id).map_err(|error| failed("make an id", &error))
}
