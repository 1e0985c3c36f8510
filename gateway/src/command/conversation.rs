//! Conversations and their participants: changed in Postgres, in one transaction with an event in the outbox, and
//! then appended. A worker finishes what a crash between the two leaves.

use futures_util::FutureExt;
use parlance_broker::append::{Append, Appended};
use parlance_domain::{
    conversation::{Conversation, Title},
    id::{ConversationId, UserId},
    message::Metadata,
    rejection::{Code, Rejection},
};
use parlance_store::{
    conversation::{Creation, NewConversation},
    outbox::{FlushError, OutboxRow},
    participant::Change,
};

use super::{Actor, append, failed};
use crate::app::App;

/// The role of a participant of whom nothing else was said.
const ROLE: &str = "member";

/// What a conversation shall be.
#[derive(Debug, Clone)]
pub struct CreateConversation {
    /// Its id; one is made when there is none.
    pub id: Option<ConversationId>,
    /// Its name.
    pub title: Option<Title>,
    /// The application's own fields.
    pub metadata: Metadata,
    /// Who takes part.
    pub participants: Vec<UserId>,
}

/// Creates a conversation; says whether it is new.
///
/// # Errors
/// `forbidden` without a service key; `conflict` when there is another one with this id; `unavailable`.
pub async fn create(
    app: &App,
    actor: &Actor,
    command: CreateConversation,
) -> Result<(bool, Conversation), Rejection> {
    only_for_backends(actor)?;
    let id = match command.id {
        Some(id) => id,
        None => made_id()?,
    };
    let CreateConversation { title, metadata, participants, .. } = command;
    let new = NewConversation { id, title, metadata, participants };
    let creation = app
        .store
        .create_conversation(&new, None)
        .await
        .map_err(|error| failed("create a conversation", &error))?;
    let (is_new, conversation) = match creation {
        Creation::Created(conversation) => (true, conversation),
        Creation::Exists(conversation) => (false, conversation),
        Creation::Conflict => return Err(Code::Conflict.into()),
    };
    flush(app, &conversation.id).await?;
    Ok((is_new, conversation))
}

/// Makes somebody take part; says whether that changed anything.
///
/// # Errors
/// `forbidden` without a service key; `not_found`; `unavailable`.
pub async fn add_participant(
    app: &App,
    actor: &Actor,
    conversation: &ConversationId,
    user: &UserId,
) -> Result<bool, Rejection> {
    only_for_backends(actor)?;
    let change = app
        .store
        .add_participant(conversation, user, ROLE, None)
        .await
        .map_err(|error| failed("add a participant", &error))?;
    announce(app, conversation, change).await
}

/// Makes somebody take part no longer; says whether that changed anything.
///
/// # Errors
/// `forbidden` without a service key; `not_found`; `unavailable`.
pub async fn remove_participant(
    app: &App,
    actor: &Actor,
    conversation: &ConversationId,
    user: &UserId,
) -> Result<bool, Rejection> {
    only_for_backends(actor)?;
    let change = app
        .store
        .remove_participant(conversation, user, None)
        .await
        .map_err(|error| failed("remove a participant", &error))?;
    announce(app, conversation, change).await
}

async fn announce(app: &App, conversation: &ConversationId, change: Change) -> Result<bool, Rejection> {
    match change {
        Change::NoConversation => Err(Rejection::with(Code::NotFound, "there is no such conversation")),
        // Even what changed nothing may find the event of a crashed gateway's change.
        Change::Nothing | Change::Done => {
            flush(app, conversation).await?;
            Ok(change == Change::Done)
        }
    }
}

/// Appends what waits in the outbox for this conversation.
async fn flush(app: &App, conversation: &ConversationId) -> Result<(), Rejection> {
    let appending = app.clone();
    let append = move |row| append_waiting(appending.clone(), row);
    // Boxed, because the compiler cannot see through the closure that such a future may be sent.
    match app.store.flush_outbox(conversation, append).boxed().await {
        Ok(_) => Ok(()),
        // The change is committed, and a worker appends its event: the command is done.
        Err(FlushError::Append(rejection)) => {
            tracing::warn!(%rejection, %conversation, "an event stays in the outbox for a worker");
            Ok(())
        }
        Err(FlushError::Store(error)) => Err(failed("empty the outbox", &error)),
    }
}

async fn append_waiting(app: App, row: OutboxRow) -> Result<(), Rejection> {
    let OutboxRow { id, conversation, kind, body, origin, .. } = row;
    let append = Append::from_outbox(app.broker.keys(), id, conversation, kind, body, origin);
    match append::place(&app, &append).await? {
        Appended::Now(_) | Appended::Before { .. } => Ok(()),
        Appended::Overloaded => Err(Code::Overloaded.into()),
        Appended::Reauthorize(_) | Appended::Stale => Err(Code::Internal.into()),
    }
}

fn only_for_backends(actor: &Actor) -> Result<(), Rejection> {
    if actor.service { Ok(()) } else { Err(Rejection::with(Code::Forbidden, "this needs a service key")) }
}

fn made_id() -> Result<ConversationId, Rejection> {
    let id = format!("{:032x}", rand::random::<u128>());
    ConversationId::new(id).map_err(|error| failed("make an id", &error))
}
