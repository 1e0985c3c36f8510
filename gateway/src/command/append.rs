//! Appending on behalf of somebody: authorised, and authorised again when who may do what has changed meanwhile; and
//! acknowledged when what was appended has the safety that the gateway is configured for.

use parlance_broker::{
    BrokerError,
    append::{
        Acl, Append, Appended, Floors, Once,
        reaction::{Reacted, Reacting},
    },
    replica::{Unconfirmed, Written},
};
use parlance_chassis::traces::SpanKind;
use parlance_domain::{
    event::EventKind,
    id::{ClientId, ConversationId, UserId},
    rejection::{Code, Rejection},
    trace::TraceParent,
};
use parlance_store::StoreError;
use serde_json::Value;
use std::time::{Duration, Instant};

use super::{Actor, Answer, failed};
use crate::app::App;

/// How often an append is authorised anew before it is given up.
const ATTEMPTS: u32 = 4;

/// How long an append is recognised that only the gateway itself repeats.
pub(super) const KEEP_OWN: Duration = Duration::from_secs(60);

/// How many appends may wait for a replica; beyond it commands are refused as `overloaded`.
pub const MOST_WAITING: usize = 50_000;

/// What an acknowledged event survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acknowledgement {
    /// It is in the stream of the Redis that was written to.
    Stream,
    /// At least one replica has it too.
    Replica,
}

#[derive(Debug, thiserror::Error)]
enum AppendError {
    #[error(transparent)]
    Redis(#[from] BrokerError),
    #[error(transparent)]
    Postgres(#[from] StoreError),
}

impl From<AppendError> for Rejection {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Redis(error) => failed("append", &error),
            AppendError::Postgres(error) => failed("read heads", &error),
        }
    }
}

/// What makes a command of a gateway's own recognisable, which it repeats when only the answer of Redis was lost.
pub(super) fn once(
    app: &App,
    kind: EventKind,
    conversation: &ConversationId,
    user: &UserId,
    mark: String,
) -> Result<Once, Rejection> {
    let attempt = ClientId::new(format!("{:032x}", rand::random::<u128>()));
    let attempt = attempt.map_err(|error| failed("name a change", &error))?;
    Ok(Once {
        key: app.broker.keys().once(kind.as_str(), conversation, user, &attempt),
        keep: KEEP_OWN,
        mark,
    })
}

/// Appends for a user who must be allowed to write; he was found to be so a moment ago if there is an acl already. Answers [`Appended::Now`], [`Appended::Before`] or, for what was
/// decided on a state, [`Appended::Stale`], and what [`acknowledge`] needs.
///
/// # Errors
/// `not_a_participant`, `overloaded`, `unavailable`.
pub(super) async fn authorized(
    app: &App,
    actor: &Actor,
    append: &Append,
) -> Result<(Appended, Option<Written>), Rejection> {
    let mut append = append.clone();
    for _ in 0..ATTEMPTS {
        if append.acl.is_none() {
            append.acl = app.membership.authorize(actor.asker()?, &append.conversation).await?;
        }
        match attempt(app, &append).await? {
            (Appended::Reauthorize(_), _) => {
                app.membership.forget(&append.conversation);
                append.acl = None;
                // A Redis that has gone back changes the acl too: what a change was decided on may be of before.
                if append.object.as_ref().is_some_and(|object| object.expected.is_some()) {
                    return Ok((Appended::Stale, None));
                }
            }
            (Appended::Overloaded, _) => return Err(Code::Overloaded.into()),
            placed => return Ok(placed),
        }
    }
    Err(Code::Unavailable.into())
}

/// What became of this append if it was made before, with what [`acknowledge`] needs. It is not made now.
///
/// # Errors
/// `overloaded`, `unavailable`.
pub(super) async fn before(
    app: &App,
    append: &Append,
) -> Result<Option<(Appended, Option<Written>)>, Rejection> {
    // Nothing is appended under the acl of nobody, but a repetition is recognised first.
    let append = Append { acl: Some(Acl::default()), ..append.clone() };
    match attempt(app, &append).await? {
        (Appended::Overloaded, _) => Err(Code::Overloaded.into()),
        placed @ (Appended::Before { .. }, _) => Ok(Some(placed)),
        _ => Ok(None),
    }
}

/// Decides and appends a reaction, authorised by the caller.
///
/// # Errors
/// `unavailable`.
pub(super) async fn react(app: &App, reacting: &Reacting) -> Result<(Reacted, Option<Written>), Rejection> {
    if app.pressure.is_high() {
        return Ok((Reacted::Overloaded, None));
    }
    let started = Instant::now();
    let parent = reacting.append.trace.as_ref().map(TraceParent::as_str);
    let _span = app.traces.resume("append", SpanKind::Producer, parent);
    let floors = || floors(app, &reacting.append.conversation);
    let placed = app.appender.react::<AppendError, _>(reacting, floors).await?;
    metrics::histogram!(crate::metrics::APPEND_SECONDS.name).record(started.elapsed());
    Ok(placed)
}

/// Appends without a user's authorisation, what a backend or the outbox does, and waits until it may be
/// acknowledged.
///
/// # Errors
/// `overloaded`, `unavailable`; it may have been appended nevertheless, which a repetition finds out.
pub(super) async fn place(app: &App, append: &Append) -> Result<Appended, Rejection> {
    let (appended, written) = attempt(app, append).await?;
    confirmed(app, written).await?;
    Ok(appended)
}

/// Answers with `reply` as soon as what was written may be acknowledged. Does not hold up what the actor asks for
/// next.
pub(super) fn acknowledge(app: &App, written: Option<Written>, reply: Value, answer: Answer) {
    if app.replicas.is_none() {
        return answer(Ok(reply));
    }
    let task = app.clone();
    app.lifecycle.spawn_request("acknowledgement", async move {
        let outcome = confirmed(&task, written).await;
        answer(outcome.map(|()| reply));
    });
}

async fn confirmed(app: &App, written: Option<Written>) -> Result<(), Rejection> {
    let (Some(gate), Some(written)) = (&app.replicas, written) else {
        return Ok(());
    };
    gate.confirm(written).await.map_err(|reason| match reason {
        Unconfirmed::Overloaded => Code::Overloaded.into(),
        Unconfirmed::Late(_) | Unconfirmed::OtherHistory | Unconfirmed::Unreachable(_) => {
            Code::Unavailable.into()
        }
    })
}

async fn attempt(app: &App, append: &Append) -> Result<(Appended, Option<Written>), Rejection> {
    if app.pressure.is_high() {
        return Ok((Appended::Overloaded, None));
    }
    let started = Instant::now();
    let parent = append.trace.as_ref().map(TraceParent::as_str);
    let _span = app.traces.resume("append", SpanKind::Producer, parent);
    let floors = || floors(app, &append.conversation);
    let placed = app.appender.append_written::<AppendError, _>(append, floors).await?;
    metrics::histogram!(crate::metrics::APPEND_SECONDS.name).record(started.elapsed());
    Ok(placed)
}

/// What the numbers of a conversation are at the least: what Postgres has, and what this gateway has seen.
async fn floors(app: &App, conversation: &ConversationId) -> Result<Floors, AppendError> {
    let stored = app.store.heads(conversation).await?.unwrap_or_default();
    Ok(Floors { stored, seen: app.fanout.seen(conversation).await })
}
