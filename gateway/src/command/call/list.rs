//! A page of a conversation's calls, newest first: from Postgres, and what is not persisted yet from the hot log.

use std::collections::BTreeMap;

use parlance_domain::{
    call::Call,
    event::Event,
    id::{CallId, ConversationId},
    rejection::Rejection,
};

use super::super::{Actor, failed, history::logged::Logged};
use crate::app::App;

/// Reads the calls before `before`, or the newest; at most `limit`, and whether there are more.
///
/// # Errors
/// `not_a_participant`, `unavailable`.
pub(crate) async fn list(
    app: &App,
    actor: &Actor,
    conversation: &ConversationId,
    before: Option<CallId>,
    limit: usize,
) -> Result<(Vec<Call>, bool), Rejection> {
    if !actor.reads_everything() {
        app.membership.authorize(actor.asker()?, conversation).await?;
    }
    // The log first: what it has no longer by then was in Postgres before.
    let logged = Logged::read(app, conversation).await?;
    let stored = if logged.is_complete() {
        Vec::new()
    } else {
        let stored = app.store.calls(conversation, before, limit as u64 + 1).await;
        stored.map_err(|error| failed("read calls", &error))?
    };
    let logged = logged.envelopes().iter().filter_map(|envelope| match &envelope.event {
        Event::CallStarted(call) | Event::CallAnswered(call) | Event::CallEnded(call) => {
            Some(Call::clone(call))
        }
        _ => None,
    });
    Ok(page(before, limit, stored.into_iter().chain(logged)))
}

/// The page among `found`, newest first, and whether there are more. Each call is taken in its newest state.
fn page(before: Option<CallId>, limit: usize, found: impl Iterator<Item = Call>) -> (Vec<Call>, bool) {
    let mut by_id = BTreeMap::new();
    for call in found.filter(|call| before.is_none_or(|before| call.id < before)) {
        let newer = by_id.get(&call.id).is_none_or(|known: &Call| known.version < call.version);
        if newer {
            by_id.insert(call.id, call);
        }
    }
    let more = by_id.len() > limit;
    (by_id.into_values().rev().take(limit).collect(), more)
}

#[cfg(test)]
mod tests {
    use parlance_domain::{
        call::{CallBody, CallType},
        entry::Header,
        event::EventKind,
        id::UserId,
        time::Timestamp,
        user::Profile,
        version::Version,
    };

    use super::*;

    fn call(n: u8, rev: u64) -> Call {
        let caller = Profile::unknown(UserId::new("u").unwrap());
        let body = CallBody::start(CallId::new(n.into(), [0; 8], 0), CallType::default(), caller);
        let header = Header {
            version: Version::new(1, rev),
            ..Header::transient(EventKind::CallStarted, Timestamp(0), None)
        };
        Call::after(ConversationId::new("c").unwrap(), &header, body)
    }

    fn revs(before: Option<u8>, limit: usize, found: &[(u8, u64)]) -> (Vec<u64>, bool) {
        let before = before.map(|n| call(n, 0).id);
        let (calls, more) = page(before, limit, found.iter().map(|(n, rev)| call(*n, *rev)));
        (calls.iter().map(|call| call.version.rev).collect(), more)
    }

    #[test]
    fn each_call_is_there_once_in_its_newest_state() {
        assert_eq!(revs(None, 10, &[(2, 5), (1, 1), (2, 7), (1, 1), (2, 6)]), (vec![7, 1], false));
    }

    #[test]
    fn a_page_goes_on_before_the_last_one_and_knows_of_more() {
        let found = [(3, 3), (2, 2), (1, 1)];
        assert_eq!(revs(None, 2, &found), (vec![3, 2], true));
        assert_eq!(revs(Some(2), 2, &found), (vec![1], false));
    }
}
