//! Calls: who rings whom, who answers, and how it ends; one file a command. A call is changed with a compare-and-set,
//! so that of two who answer or end it at once, the second decides on what the first has done.

pub(super) mod answer;
pub(super) mod end;
pub(super) mod get;
pub(crate) mod list;
pub(super) mod signal;
pub(super) mod start;

use parlance_broker::{
    append::{Append, Appended, Object},
    replica::Written,
};
use parlance_domain::{
    call::{Call, CallBody, CallStatus, MAX_CALL_PARTICIPANTS},
    event::EventKind,
    id::{CallId, ConversationId},
    rejection::{Code, Rejection},
    version::Version,
};

use super::{Actor, Answer, append, failed, internal};
use crate::{app::App, dialect::view::reply};

/// How often a change is decided again because another one came first. A call has no more events than this.
const ATTEMPTS: usize = MAX_CALL_PARTICIPANTS + 2;
/// Changes a call as `decide` says of its state, and answers with the call.
async fn change(
    app: &App,
    actor: &Actor,
    id: CallId,
    kind: EventKind,
    decide: impl Fn(&Call) -> Result<CallBody, Rejection> + Send + Sync,
    answer: Answer,
) {
    match place_change(app, actor, id, kind, decide).await {
        Ok((call, written)) => append::acknowledge(app, written, reply::call(&call), answer),
        Err(rejection) => answer(Err(rejection)),
    }
}

/// # Errors
/// `not_found`, also for a call in a conversation of others; what `decide` refuses; what an append can be refused for.
async fn place_change(
    app: &App,
    actor: &Actor,
    id: CallId,
    kind: EventKind,
    decide: impl Fn(&Call) -> Result<CallBody, Rejection> + Send + Sync,
) -> Result<(Call, Option<Written>), Rejection> {
    let mut call = visible(app, actor, id).await?;
    for _ in 0..ATTEMPTS {
        let body = decide(&call)?;
        let append = to_append(app, actor, &call.conversation, kind, &body, Some(call.version))?;
        // Who may not be in the conversation any more is told what he would have been told at first.
        let (appended, written) = append::authorized(app, actor, &append).await.map_err(hide)?;
        if let Some(changed) = state_after(&append, appended, body)? {
            return Ok((changed, written));
        }
        call = current(app, id).await?;
    }
    Err(Code::Unavailable.into())
}

/// The call after its event; `None` when the state that the event was decided on is over.
fn state_after(append: &Append, appended: Appended, body: CallBody) -> Result<Option<Call>, Rejection> {
    match appended {
        Appended::Stale => Ok(None),
        Appended::Now(header) | Appended::Before { header, .. } => {
            Ok(Some(Call::after(append.conversation.clone(), &header, body)))
        }
        Appended::Reauthorize(_) | Appended::Overloaded => Err(internal("an append ended without a place")),
    }
}

fn to_append(
    app: &App,
    actor: &Actor,
    conversation: &ConversationId,
    kind: EventKind,
    body: &CallBody,
    expected: Option<Version>,
) -> Result<Append, Rejection> {
    let once = append::once(app, kind, conversation, actor.user_id()?, body.id.to_string())?;
    let text = serde_json::to_string(body).map_err(|error| failed("encode a call", &error))?;
    Ok(Append {
        conversation: conversation.clone(),
        kind,
        object: Some(Object::of_call(body.id, expected, kind, &text)),
        body: text,
        origin: actor.origin(),
        trace: actor.trace.clone(),
        acl: None,
        once,
    })
}

/// A call in its newest state: Redis knows which that is while Postgres may not have it. One that went with its
/// conversation is not found, whoever still has it.
async fn current(app: &App, id: CallId) -> Result<Call, Rejection> {
    let known = app.broker.call(id).await.map_err(|error| failed("read an object", &error))?;
    let (call, is_known) = match known {
        Some(call) => (call, true),
        None => (stored(app, id).await?.ok_or_else(unknown)?, false),
    };
    let standing = app.broker.standing(&call.conversation).await;
    let standing = standing.map_err(|error| failed("read a state", &error))?;
    // A Redis that has gone back in time may have lost what Postgres has.
    let call = if is_known && call.version.epoch < standing.epoch {
        stored(app, id).await?.filter(|stored| stored.version > call.version).unwrap_or(call)
    } else {
        call
    };
    if call.version > standing.deleted { Ok(call) } else { Err(unknown()) }
}

async fn stored(app: &App, id: CallId) -> Result<Option<Call>, Rejection> {
    app.store.call(id).await.map_err(|error| failed("read a call", &error))
}

/// A call of a conversation that the actor is in. Whoever is not is not told that there is such a call.
async fn visible(app: &App, actor: &Actor, id: CallId) -> Result<Call, Rejection> {
    let asker = actor.asker()?;
    let call = current(app, id).await?;
    app.membership.authorize(asker, &call.conversation).await.map_err(hide)?;
    Ok(call)
}

/// # Errors
/// `conflict` when nothing can happen to the call any more.
fn not_over(call: &Call) -> Result<(), Rejection> {
    match call.status {
        CallStatus::Ringing | CallStatus::Ongoing => Ok(()),
        CallStatus::Ended => Err(Rejection::with(Code::Conflict, "the call has ended already")),
        CallStatus::Missed => Err(Rejection::with(Code::Conflict, "the call was missed")),
    }
}

fn unknown() -> Rejection {
    Rejection::with(Code::NotFound, "there is no such call")
}

fn hide(rejection: Rejection) -> Rejection {
    if rejection.code == Code::NotAParticipant { unknown() } else { rejection }
}
