//! `participant.add`, `participant.remove` and `participant.list`: who takes part in a conversation, and as what.

use parlance_domain::{
    command::{AddParticipant, ListParticipants},
    id::{ConversationId, UserId},
    rejection::Rejection,
};
use parlance_store::participant::{ListedParticipant, Removal};
use serde_json::Value;

use super::{
    Actor, Answer,
    conversation::{flush, may_read, unknown},
    failed,
    page::{self, Cursor},
    query,
};
use crate::{app::App, dialect::view::reply};

/// Makes somebody take part, or be something else there.
///
/// # Errors
/// `forbidden` without a service key; `not_found`; `unavailable`.
pub(super) async fn add(app: &App, actor: &Actor, add: AddParticipant) -> Result<Value, Rejection> {
    actor.only_backends()?;
    let AddParticipant { conversation, user, role } = add;
    let added = app.store.add_participant(&conversation, &user, role.as_ref(), None).await;
    let added = added.map_err(|error| failed("add a participant", &error))?.ok_or_else(unknown)?;
    // Even what changed nothing may find the event of a crashed gateway's change.
    flush(app, &conversation).await?;
    let change = added.participant;
    Ok(reply::added(&conversation, &change.participant, &change.role, added.is_new))
}

/// Makes somebody take part no longer.
///
/// # Errors
/// `forbidden` without a service key; `not_found` when there is no such conversation; `unavailable`.
pub(super) async fn remove(
    app: &App,
    actor: &Actor,
    conversation: &ConversationId,
    user: &UserId,
) -> Result<Value, Rejection> {
    actor.only_backends()?;
    let removal = app.store.remove_participant(conversation, user, None).await;
    match removal.map_err(|error| failed("remove a participant", &error))? {
        Removal::NoConversation => Err(unknown()),
        Removal::Done | Removal::Nothing => {
            flush(app, conversation).await?;
            Ok(reply::nothing())
        }
    }
}

/// Reads who takes part, in the order of the ids.
pub(super) fn list(app: &App, actor: &Actor, list: ListParticipants, answer: Answer) {
    let (task, reader) = (app.clone(), actor.clone());
    query::beside(app, actor, async move { read(&task, &reader, list).await }, answer);
}

/// # Errors
/// `not_found`, also when the reader takes no part; `invalid_payload` for a cursor of nobody's; `unavailable`.
async fn read(app: &App, actor: &Actor, list: ListParticipants) -> Result<Value, Rejection> {
    let after: Option<UserId> = list.cursor.as_deref().map(Cursor::decode).transpose()?;
    may_read(app, actor, &list.conversation).await?;
    let found = app.store.participants(&list.conversation, after.as_ref(), list.limit + 1).await;
    let mut found = found.map_err(|error| failed("read participants", &error))?;
    if found.is_empty() && after.is_none() {
        there(app, &list.conversation).await?;
    }
    let next = page::cut(&mut found, list.limit, |last| last.participant.id.clone());
    let found: Vec<Value> = found.iter().map(view).collect();
    Ok(reply::participants(&found, next.as_deref()))
}

/// A conversation in which nobody takes part may be none.
pub(super) async fn there(app: &App, conversation: &ConversationId) -> Result<(), Rejection> {
    let stored = app.store.conversation(conversation).await;
    let stored = stored.map_err(|error| failed("read a conversation", &error))?;
    if stored.is_some_and(|stored| !stored.deleted) { Ok(()) } else { Err(unknown()) }
}

fn view(one: &ListedParticipant) -> Value {
    reply::participant(&one.participant, &one.role, one.joined_at, one.delivered.0, one.read.0)
}
