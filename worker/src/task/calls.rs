//! Ends calls that nobody ended: what rang too long was missed, and what goes on for ever has been forgotten.
//!
//! Postgres says which calls may be overdue, and the call's newest state decides. Workers compete: the append script
//! lets one of them end a call, and none that somebody has answered or ended meanwhile.

use std::{sync::Arc, time::Duration};

use parlance_broker::{
    Broker, BrokerError,
    append::{Append, Appended, Appender, Floors, Object, Once},
};
use parlance_chassis::clock::Clock;
use parlance_domain::{
    call::{Call, CallBody, CallStatus},
    event::EventKind,
    id::{CallId, ClientId, ConversationId, IdError},
    time::Timestamp,
};
use parlance_store::{Store, StoreError, call::Overdue};

use crate::{config::CallsSection, metrics};

/// How often it is looked for them.
pub(crate) const EVERY: Duration = Duration::from_secs(1);

/// How many are read at a time.
const PAGE: u64 = 100;
/// How often a call is decided on again because something else happened to it first.
const ATTEMPTS: u32 = 8;
/// How long the end of a call is recognised when it is appended again.
const KEEP: Duration = Duration::from_secs(60);

/// Ends calls.
pub(crate) struct Overtime {
    broker: Broker,
    store: Store,
    appender: Appender,
    clock: Clock,
    limits: CallsSection,
}

/// Why a call could not be ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OvertimeError {
    #[error(transparent)]
    Broker(#[from] BrokerError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a call cannot be written: {0}")]
    Encoding(#[from] serde_json::Error),
    #[error("a call's id is no word: {0}")]
    Id(#[from] IdError),
    #[error("the append script answered {0:?} to the end of a call")]
    Refused(Appended),
}

impl OvertimeError {
    /// Whether the next call would fail in the same way.
    fn is_outage(&self) -> bool {
        match self {
            OvertimeError::Broker(error) => error.is_retryable(),
            OvertimeError::Store(error) => error.is_retryable(),
            OvertimeError::Encoding(_) | OvertimeError::Id(_) | OvertimeError::Refused(_) => false,
        }
    }
}

impl Overtime {
    pub(crate) fn new(
        broker: Broker,
        store: Store,
        appender: Appender,
        clock: Clock,
        limits: CallsSection,
    ) -> Self {
        Self { broker, store, appender, clock, limits }
    }

    /// Ends the calls that are overdue, and says how many this worker ended. A call that fails does not hold up the
    /// others.
    pub(crate) async fn end(self: Arc<Self>) -> Result<u64, OvertimeError> {
        let mut ended = 0;
        let mut failure = Ok(());
        let mut after = None;
        loop {
            let page = self.store.overdue_calls(self.overdue(), after, PAGE).await?;
            for id in &page {
                match self.end_one(*id).await {
                    Ok(true) => ended += 1,
                    Ok(false) => {}
                    Err(error) if error.is_outage() => return Err(error),
                    Err(error) => failure = Err(error),
                }
            }
            if (page.len() as u64) < PAGE {
                return failure.map(|()| ended);
            }
            after = page.last().copied();
        }
    }

    /// Whether this worker ended it: it may have been answered or ended meanwhile, here or in another one.
    async fn end_one(&self, id: CallId) -> Result<bool, OvertimeError> {
        for _ in 0..ATTEMPTS {
            let Some(call) = self.current(id).await? else { return Ok(false) };
            let Some(status) = due(&call, self.overdue()) else { return Ok(false) };
            let append = self.to_append(&call, status)?;
            match self.appender.append(&append, || self.floors(&call.conversation)).await? {
                Appended::Now(_) => {
                    metrics::calls_ended(status).increment(1);
                    return Ok(true);
                }
                Appended::Before { .. } => return Ok(false),
                Appended::Stale => {}
                refused @ (Appended::Reauthorize(_) | Appended::Overloaded) => {
                    return Err(OvertimeError::Refused(refused));
                }
            }
        }
        Ok(false)
    }

    fn overdue(&self) -> Overdue {
        let now = self.clock.now_ms();
        let ago = |time: Duration| {
            Timestamp(now.saturating_sub(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)))
        };
        Overdue { ringing_since: ago(self.limits.ring_timeout), ongoing_since: ago(self.limits.max_duration) }
    }

    async fn current(&self, id: CallId) -> Result<Option<Call>, OvertimeError> {
        match self.broker.call(id).await? {
            Some(call) => Ok(Some(call)),
            None => Ok(self.store.call(id).await?),
        }
    }

    fn to_append(&self, call: &Call, status: CallStatus) -> Result<Append, OvertimeError> {
        let kind = EventKind::CallEnded;
        let body = serde_json::to_string(&CallBody { status, ..call.body() })?;
        let id = call.id.to_string();
        // Time ends a call once, whichever worker notices.
        let once = ClientId::new(&id)?;
        let key = self.broker.keys().once("call.timeout", &call.conversation, &call.started_by.id, &once);
        Ok(Append {
            conversation: call.conversation.clone(),
            kind,
            object: Some(Object::of_call(call.id, Some(call.version), kind, &body)),
            body,
            origin: None,
            trace: None,
            acl: None,
            once: Once { key, keep: KEEP, mark: id },
        })
    }

    async fn floors(&self, conversation: &ConversationId) -> Result<Floors, OvertimeError> {
        let stored = self.store.heads(conversation).await?.unwrap_or_default();
        Ok(Floors { stored, ..Floors::default() })
    }
}

/// What becomes of a call whose time is over; `None` when it is not, or something else ended it.
fn due(call: &Call, overdue: Overdue) -> Option<CallStatus> {
    match call.status {
        CallStatus::Ringing => (call.started_at < overdue.ringing_since).then_some(CallStatus::Missed),
        CallStatus::Ongoing => {
            let since = call.answered_at.unwrap_or(call.started_at);
            (since < overdue.ongoing_since).then_some(CallStatus::Ended)
        }
        CallStatus::Ended | CallStatus::Missed => None,
    }
}

#[cfg(test)]
mod tests {
    use parlance_domain::{call::CallType, entry::Header, id::UserId, user::Profile};

    use super::*;

    const OVERDUE: Overdue = Overdue { ringing_since: Timestamp(100), ongoing_since: Timestamp(50) };

    fn call(status: CallStatus, started: i64, answered: Option<i64>) -> Call {
        let caller = Profile::unknown(UserId::new("u").unwrap());
        let start = CallBody::start(CallId::new(1, [0; 8], 0), CallType::default(), caller);
        let header = Header::transient(EventKind::CallStarted, Timestamp(started), None);
        let call = Call::after(ConversationId::new("c").unwrap(), &header, start);
        Call { status, answered_at: answered.map(Timestamp), ..call }
    }

    #[test]
    fn what_rang_too_long_was_missed() {
        assert_eq!(due(&call(CallStatus::Ringing, 99, None), OVERDUE), Some(CallStatus::Missed));
        assert_eq!(due(&call(CallStatus::Ringing, 100, None), OVERDUE), None);
    }

    #[test]
    fn a_call_lasts_from_its_first_answer() {
        assert_eq!(due(&call(CallStatus::Ongoing, 1, Some(49)), OVERDUE), Some(CallStatus::Ended));
        assert_eq!(due(&call(CallStatus::Ongoing, 1, Some(50)), OVERDUE), None);
    }

    #[test]
    fn what_is_over_stays_as_it_is() {
        assert_eq!(due(&call(CallStatus::Ended, 1, Some(2)), OVERDUE), None);
        assert_eq!(due(&call(CallStatus::Missed, 1, None), OVERDUE), None);
    }
}
