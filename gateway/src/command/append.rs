//! Appending on behalf of somebody: authorised, and authorised again when who may do what has changed meanwhile.

use parlance_broker::{
    BrokerError,
    append::{Append, Appended, Floors},
};
use parlance_domain::{
    id::ConversationId,
    rejection::{Code, Rejection},
};
use parlance_store::StoreError;
use std::time::{Duration, Instant};

use super::{Actor, failed};
use crate::app::App;

/// How often an append is authorised anew before it is given up.
const ATTEMPTS: u32 = 4;
/// When a client should try again what was refused as `overloaded`.
const OVERLOAD_RETRY: Duration = Duration::from_secs(1);

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

/// Appends for a user who must be allowed to write. Answers [`Appended::Now`] or [`Appended::Before`].
///
/// # Errors
/// `not_a_participant`, `overloaded`, `unavailable`.
pub(super) async fn authorized(app: &App, actor: &Actor, append: &Append) -> Result<Appended, Rejection> {
    let mut append = append.clone();
    for _ in 0..ATTEMPTS {
        append.acl = app.membership.authorize(actor.user_id()?, &append.conversation).await?;
        match place(app, &append).await? {
            Appended::Reauthorize(_) => app.membership.forget(&append.conversation),
            Appended::Overloaded => return Err(Rejection::new(Code::Overloaded).after(OVERLOAD_RETRY)),
            appended => return Ok(appended),
        }
    }
    Err(Code::Unavailable.into())
}

/// Appends without a user's authorisation: what a backend or the outbox does.
///
/// # Errors
/// `overloaded`, `unavailable`.
pub(super) async fn place(app: &App, append: &Append) -> Result<Appended, Rejection> {
    if app.pressure.is_high() {
        return Ok(Appended::Overloaded);
    }
    let started = Instant::now();
    let floors = || floors(app, &append.conversation);
    let appended = app.appender.append::<AppendError, _>(append, floors).await?;
    metrics::histogram!(crate::metrics::APPEND_SECONDS.name).record(started.elapsed());
    Ok(appended)
}

/// What the numbers of a conversation are at the least: what Postgres has, and what this gateway has seen.
async fn floors(app: &App, conversation: &ConversationId) -> Result<Floors, AppendError> {
    let stored = app.store.heads(conversation).await?.unwrap_or_default();
    Ok(Floors { stored, seen: app.fanout.seen(conversation).await })
}
