//! `conversation.get`: what a conversation is and who takes part in it.

use parlance_domain::{id::ConversationId, rejection::Rejection};
use parlance_store::conversation::StoredConversation;
use serde_json::Value;

use super::{
    super::{Actor, Answer, failed, query},
    may_read, unknown,
};
use crate::{app::App, dialect::view::reply, membership::Policy};

pub(in crate::command) fn apply(app: &App, actor: &Actor, id: ConversationId, answer: Answer) {
    let (task, reader) = (app.clone(), actor.clone());
    query::beside(app, actor, async move { read(&task, &reader, &id).await }, answer);
}

/// # Errors
/// `not_found`, also when the reader takes no part in it; `unavailable`.
async fn read(app: &App, actor: &Actor, id: &ConversationId) -> Result<Value, Rejection> {
    may_read(app, actor, id).await?;
    let stored = app.store.conversation(id).await;
    let stored = stored.map_err(|error| failed("read a conversation", &error))?;
    let is_open = app.membership.policy() != Policy::Members;
    let there = stored.filter(|stored| !stored.deleted || (is_open && is_used_again(stored)));
    there.map(|stored| reply::conversation(&stored.conversation)).ok_or_else(unknown)
}

fn is_used_again(stored: &StoredConversation) -> bool {
    stored.deleted_rev > 0 && stored.heads.version.rev > stored.deleted_rev
}
