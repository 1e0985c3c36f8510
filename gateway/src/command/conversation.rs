//! Conversations and their participants: changed in Postgres, in one transaction with an event in the outbox, and then
//! appended. A worker finishes what a crash between the two leaves.
//!
//! What all these commands need is here; each has a file of its own.

pub(super) mod create;
pub(super) mod delete;
pub(super) mod get;
pub(super) mod update;

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::FutureExt;
use parlance_broker::append::{Append, Appended};
use parlance_domain::{
    id::ConversationId,
    rejection::{Code, Rejection},
    user_event::ConversationEvent,
    version::Seq,
};
use parlance_store::outbox::{FlushError, OutboxRow};

use super::{Actor, append, failed};
use crate::{app::App, dialect::EventName};

/// Events that got their place, for those whom they concern.
type Happened = Arc<Mutex<Vec<ConversationEvent>>>;

/// Appends what waits in the outbox for this conversation, and tells those concerned.
///
/// # Errors
/// `unavailable` when Postgres does not answer: it is not known whether anything waits.
pub(super) async fn flush(app: &App, conversation: &ConversationId) -> Result<(), Rejection> {
    // Before the event leaves the outbox: who finds it there after a crash notes the same.
    if app.dialects.speak_of(EventName::ConversationActivity) {
        let noted = app.store.note_activity(conversation).await;
        noted.map_err(|error| failed("note what happened in a conversation", &error))?;
    }
    let happened = Happened::default();
    let (appending, placed) = (app.clone(), happened.clone());
    let append = move |row| append_waiting(appending.clone(), placed.clone(), row);
    // Boxed, because the compiler cannot see through the closure that such a future may be sent.
    let outcome = app.store.flush_outbox(conversation, append).boxed().await;
    let happened = mem::take(&mut *happened.lock().unwrap_or_else(PoisonError::into_inner));
    for event in happened {
        app.broker.tell_concerned(event).await;
    }
    match outcome {
        Ok(_) => Ok(()),
        // The change is committed, and a worker appends its event: the command is done.
        Err(FlushError::Append(rejection)) => {
            tracing::warn!(%rejection, %conversation, "an event stays in the outbox for a worker");
            Ok(())
        }
        Err(FlushError::Store(error)) => Err(failed("empty the outbox", &error)),
    }
}

async fn append_waiting(app: App, happened: Happened, row: OutboxRow) -> Result<(), Rejection> {
    let OutboxRow { id, conversation, kind, body, origin, .. } = row;
    let append = Append::from_outbox(app.broker.keys(), id, conversation, kind, body, origin);
    match append::place(&app, &append).await? {
        Appended::Now(header) | Appended::Before { header, .. } => {
            let Append { conversation, body, .. } = append;
            let event = ConversationEvent { conversation, header: header.to_string(), body };
            happened.lock().unwrap_or_else(PoisonError::into_inner).push(event);
            Ok(())
        }
        Appended::Overloaded => Err(Code::Overloaded.into()),
        Appended::Reauthorize(_) | Appended::Stale => Err(Code::Internal.into()),
    }
}

/// Whether a message is still in its conversation, and did not go when that was deleted.
///
/// # Errors
/// `not_found`; `unavailable`.
pub(super) async fn still_has(
    app: &App,
    conversation: &ConversationId,
    message: Seq,
) -> Result<(), Rejection> {
    let deleted = app.broker.deleted_seq(conversation).await;
    let deleted = deleted.map_err(|error| failed("read what was deleted", &error))?;
    if message > deleted { Ok(()) } else { Err(super::change::unknown()) }
}

/// Whether the actor may read about a conversation. Others are not told that it is there.
///
/// # Errors
/// `not_found`; `unavailable`.
pub(super) async fn may_read(
    app: &App,
    actor: &Actor,
    conversation: &ConversationId,
) -> Result<(), Rejection> {
    if actor.reads_everything() {
        return Ok(());
    }
    match app.membership.authorize(actor.asker()?, conversation).await {
        Ok(_) => Ok(()),
        Err(rejection) if rejection.code == Code::NotAParticipant => Err(unknown()),
        Err(rejection) => Err(rejection),
    }
}

pub(super) fn unknown() -> Rejection {
    Rejection::with(Code::NotFound, "there is no such conversation")
}
