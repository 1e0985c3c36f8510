//! Reads what the scripts of presence answer.

use parlance_domain::{
    id::{ConversationId, SessionId, UserId},
    presence::{Presence, Status},
    time::Timestamp,
};

use super::{ConnectedSession, Step, Transition};
use crate::{error::BrokerError, lease::LeaseId};

/// `status connected at session`.
pub(super) const PRESENCE_WORDS: usize = 4;

/// What a step answers; `None` when it could not be made.
pub(super) fn step(user: &UserId, answer: &[String]) -> Result<Option<Step>, BrokerError> {
    let malformed = || unexpected(answer);
    let (first, rest) = answer.split_first().ok_or_else(malformed)?;
    if first == "none" {
        return Ok(None);
    }
    let (words, conversations) = rest.split_at_checked(PRESENCE_WORDS).ok_or_else(malformed)?;
    let presence = presence(user, words)?;
    match first.as_str() {
        "same" => Ok(Some(Step::Same(presence))),
        "moved" => {
            let conversations = conversations.iter().map(ConversationId::new).collect::<Result<_, _>>();
            let conversations = conversations.map_err(|_| malformed())?;
            Ok(Some(Step::Moved(Transition { presence, conversations })))
        }
        _ => Err(malformed()),
    }
}

/// The presence that [`PRESENCE_WORDS`] words tell.
pub(super) fn presence(user: &UserId, words: &[String]) -> Result<Presence, BrokerError> {
    let malformed = || unexpected(words);
    let [status, connected, at, session] = words else { return Err(malformed()) };
    Ok(Presence {
        user: user.clone(),
        status: Status::parse(status).map_err(|_| malformed())?,
        connected: connected == "1",
        at: time(at).ok_or_else(malformed)?,
        session: SessionId::new(session),
    })
}

/// `session lease since dialect`.
pub(super) fn session(words: &[String]) -> Result<(ConnectedSession, LeaseId), BrokerError> {
    let parse = || {
        let [session, lease, since, dialect] = words else { return None };
        let session =
            ConnectedSession { id: SessionId::new(session)?, dialect: dialect.clone(), since: time(since)? };
        Some((session, LeaseId::parse(lease)?))
    };
    parse().ok_or_else(|| unexpected(words))
}

/// `user time`.
pub(super) fn seen(words: &[String]) -> Result<(UserId, Timestamp), BrokerError> {
    let parse = || {
        let [user, at] = words else { return None };
        Some((UserId::new(user).ok()?, time(at)?))
    };
    parse().ok_or_else(|| unexpected(words))
}

/// The user of this name.
pub(super) fn user(name: &String) -> Result<UserId, BrokerError> {
    UserId::new(name).map_err(|_| unexpected(std::slice::from_ref(name)))
}

/// That something was done.
pub(super) fn done(answer: &[String]) -> Result<(), BrokerError> {
    if answer.first().is_some_and(|first| first == "ok") { Ok(()) } else { Err(unexpected(answer)) }
}

pub(super) fn unexpected(answer: &[String]) -> BrokerError {
    BrokerError::Unexpected(format!("{answer:?} of a presence"))
}

fn time(digits: &str) -> Option<Timestamp> {
    digits.parse().ok().map(Timestamp)
}
