//! Reading what a room has missed: from the hot log, and what that has no longer from Postgres.

use std::time::{Duration, Instant};

use parlance_broker::{BrokerError, append::Floors, heads::State, log::IngestMark};
use parlance_chassis::backoff::Backoff;
use parlance_domain::{
    entry::Envelope,
    id::ConversationId,
    rejection::{Code, Rejection},
    version::{Heads, Version},
};
use parlance_store::StoreError;

use super::{Shared, order::Repair};
use crate::metrics::{PARKED_CONVERSATIONS, REPAIR_SECONDS, REPAIRS};

mod by_state;

/// How many events one reading of the hot log takes.
const PAGE: u64 = 256;

/// A reading that did not succeed; it is tried again.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error(transparent)]
    Redis(#[from] BrokerError),
    #[error(transparent)]
    Postgres(#[from] StoreError),
}

fn backoff() -> Backoff {
    Backoff::new(Duration::from_millis(50), Duration::from_secs(2))
}

/// Subscribes and reads the state, in this order: what is published after the reading is heard.
///
/// # Errors
/// `unavailable` when Redis is away, or when it does not know the conversation and Postgres is away.
pub(super) async fn subscribe(shared: &Shared, id: &ConversationId) -> Result<State, Rejection> {
    let unavailable = |error: ReadError| {
        tracing::warn!(%error, conversation = %id, "failed to subscribe");
        Rejection::from(Code::Unavailable)
    };
    shared.subscriber.subscribe(id).await.map_err(|error| unavailable(error.into()))?;
    state(shared, id, Heads::default()).await.map_err(unavailable)
}

/// Subscribes again after a break, however long that takes; then the newest version that Redis knows, `None` when it does
/// not know the conversation any more.
pub(super) async fn resubscribe(shared: &Shared, id: &ConversationId) -> Option<Version> {
    let mut backoff = backoff();
    loop {
        let outcome = match shared.subscriber.subscribe(id).await {
            Ok(()) => shared.broker.state(id).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(state) => {
                tracing::debug!(conversation = %id, "subscribed again");
                return state.map(|state| state.heads.version);
            }
            Err(error) => tracing::debug!(%error, conversation = %id, "failed to subscribe again"),
        }
        tokio::time::sleep(backoff.next_delay()).await;
    }
}

/// What follows `heads`; tries until it knows.
pub(super) async fn find(shared: &Shared, id: &ConversationId, heads: Heads) -> Repair {
    let _noted = Noted::begin();
    let mut backoff = backoff();
    loop {
        match find_once(shared, id, heads).await {
            Ok(found) => return found,
            Err(error) => tracing::debug!(%error, conversation = %id, "failed to repair a gap"),
        }
        tokio::time::sleep(backoff.next_delay()).await;
    }
}

/// A repair that is under way: as long, its conversation is parked.
struct Noted {
    begun: Instant,
}

impl Noted {
    fn begin() -> Self {
        metrics::counter!(REPAIRS.name).increment(1);
        metrics::gauge!(PARKED_CONVERSATIONS.name).increment(1.0);
        Self { begun: Instant::now() }
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        metrics::gauge!(PARKED_CONVERSATIONS.name).decrement(1.0);
        metrics::histogram!(REPAIR_SECONDS.name).record(self.begun.elapsed());
    }
}

async fn find_once(shared: &Shared, id: &ConversationId, heads: Heads) -> Result<Repair, ReadError> {
    let (target, mark) = {
        let _permit = shared.repairs.acquire().await;
        let state = state(shared, id, heads).await?;
        let target = match compare(&state, heads.version) {
            Step::Known(found) => return Ok(found),
            Step::InLog => {
                let events = shared.broker.log_after(id, heads.version.rev, PAGE).await?;
                let following = following(events, heads.version);
                if !following.is_empty() {
                    return Ok(Repair::Events(following));
                }
                // The log has no longer what follows.
                state.heads
            }
            Step::OfOldEpoch(version) => Heads { version, seq: heads.seq },
        };
        // What Postgres has is complete up to the target as soon as everything that waits now has left the stream.
        (target, shared.broker.ingest_tail(id).await?)
    };
    if let Some(mark) = mark {
        wait_until_persisted(shared, id, &mark).await?;
    }
    let _permit = shared.repairs.acquire().await;
    Ok(by_state::read(shared, id, heads, target).await?)
}

/// Where what follows a position is found.
#[derive(Debug, PartialEq)]
enum Step {
    /// The state alone tells.
    Known(Repair),
    /// In the hot log, if that still goes back so far.
    InLog,
    /// Up to this version of an epoch that is over, of which the hot log has nothing: in Postgres.
    OfOldEpoch(Version),
}

fn compare(state: &State, position: Version) -> Step {
    let newest = state.heads.version;
    if newest.epoch == position.epoch {
        return if newest.rev <= position.rev { Step::Known(Repair::CaughtUp) } else { Step::InLog };
    }
    // One epoch after the other, as far as it is remembered how far each holds.
    let next = position.epoch + 1;
    match state.epoch_start(next) {
        Some(start) if position.rev == start => Step::Known(Repair::NewEpoch(next)),
        // What was appended at the end of the old epoch may never have been published.
        Some(start) if position.rev < start => Step::OfOldEpoch(Version::new(position.epoch, start)),
        _ => Step::Known(Repair::Resync(state.heads)),
    }
}

/// The events that follow the position without a hole.
fn following(events: Vec<Envelope>, position: Version) -> Vec<Envelope> {
    let expected = (position.rev + 1..).map(|rev| Version::new(position.epoch, rev));
    events
        .into_iter()
        .zip(expected)
        .take_while(|(event, next)| event.header.version == *next)
        .map(|(event, _)| event)
        .collect()
}

async fn wait_until_persisted(
    shared: &Shared,
    id: &ConversationId,
    mark: &IngestMark,
) -> Result<(), BrokerError> {
    let mut backoff = backoff();
    while !shared.broker.is_persisted(id, mark).await? {
        tokio::time::sleep(backoff.next_delay()).await;
    }
    Ok(())
}

/// The state of a conversation, made from Postgres and what this gateway has seen when Redis does not know it.
async fn state(shared: &Shared, id: &ConversationId, seen: Heads) -> Result<State, ReadError> {
    if let Some(state) = shared.broker.state(id).await? {
        return Ok(state);
    }
    let stored = shared.store.heads(id).await?.unwrap_or_default();
    Ok(shared.broker.load_state(id, Floors { stored, seen }).await?)
}

#[cfg(test)]
mod tests {
    use parlance_broker::append::Acl;
    use parlance_domain::version::Seq;

    use super::*;

    /// Where what follows `position` is found in a conversation that is at rev 20, where epoch 2 started at 7 and epoch
    /// 3 at 9.
    fn step(epoch: u64, position: Version) -> Step {
        let heads = Heads { version: Version::new(epoch, 20), seq: Seq(20) };
        let epoch_starts = vec![Version::new(2, 7), Version::new(3, 9)];
        compare(&State { heads, epoch_starts, acl: Acl::default() }, position)
    }

    #[test]
    fn in_one_epoch_the_newest_rev_tells() {
        assert_eq!(step(3, Version::new(3, 20)), Step::Known(Repair::CaughtUp));
        assert_eq!(step(3, Version::new(3, 15)), Step::InLog);
    }

    #[test]
    fn what_an_old_epoch_still_holds_is_read_before_the_next_one() {
        assert_eq!(step(3, Version::new(1, 6)), Step::OfOldEpoch(Version::new(1, 7)));
        assert_eq!(step(3, Version::new(1, 7)), Step::Known(Repair::NewEpoch(2)));
        assert_eq!(step(3, Version::new(2, 7)), Step::OfOldEpoch(Version::new(2, 9)));
        assert_eq!(step(3, Version::new(2, 9)), Step::Known(Repair::NewEpoch(3)));
    }

    #[test]
    fn what_may_be_lost_is_read_anew() {
        assert!(matches!(step(3, Version::new(1, 8)), Step::Known(Repair::Resync(_))));
        assert!(
            matches!(step(5, Version::new(3, 9)), Step::Known(Repair::Resync(_))),
            "epoch 4 is forgotten"
        );
    }
}
