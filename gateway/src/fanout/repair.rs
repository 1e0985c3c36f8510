//! Reading what a room has missed: from the hot log, and what that has no longer from Postgres.

use std::time::Duration;

use parlance_broker::{BrokerError, append::Floors, heads::State, log::IngestMark};
use parlance_chassis::backoff::Backoff;
use parlance_domain::{
    conversation::ParticipantChange,
    entry::{Envelope, Header},
    event::{Event, EventKind},
    id::ConversationId,
    message::Message,
    rejection::{Code, Rejection},
    version::{Heads, Seq, Version},
};
use parlance_store::{StoreError, participant::ParticipantState};

use super::{Shared, order::Repair};

/// How many events one reading takes.
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

/// Subscribes again after a break, however long that takes; then the newest version that Redis knows.
pub(super) async fn resubscribe(shared: &Shared, id: &ConversationId) -> Version {
    let mut backoff = backoff();
    loop {
        let outcome = match shared.subscriber.subscribe(id).await {
            Ok(()) => shared.broker.state(id).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(state) => return state.map(|state| state.heads.version).unwrap_or_default(),
            Err(error) => tracing::debug!(%error, conversation = %id, "failed to subscribe again"),
        }
        tokio::time::sleep(backoff.next_delay()).await;
    }
}

/// What follows `heads`; tries until it knows.
pub(super) async fn find(shared: &Shared, id: &ConversationId, heads: Heads) -> Repair {
    metrics::counter!(crate::metrics::REPAIRS.name).increment(1);
    let mut backoff = backoff();
    loop {
        match find_once(shared, id, heads).await {
            Ok(found) => return found,
            Err(error) => tracing::debug!(%error, conversation = %id, "failed to repair a gap"),
        }
        tokio::time::sleep(backoff.next_delay()).await;
    }
}

async fn find_once(shared: &Shared, id: &ConversationId, heads: Heads) -> Result<Repair, ReadError> {
    let (newest, mark) = {
        let _permit = shared.repairs.acquire().await;
        let state = state(shared, id, heads).await?;
        if let Some(found) = compare(&state, heads) {
            return Ok(found);
        }
        let events = shared.broker.log_after(id, heads.version.rev, PAGE).await?;
        let following = following(events, heads.version);
        if !following.is_empty() {
            return Ok(Repair::Events(following));
        }
        // The log has no longer what follows. What Postgres has is complete up to `newest` as soon as
        // everything that waits now has left the stream.
        (state.heads, shared.broker.ingest_tail(id).await?)
    };
    if let Some(mark) = mark {
        wait_until_persisted(shared, id, &mark).await?;
    }
    let _permit = shared.repairs.acquire().await;
    Ok(by_state(shared, id, heads.version, newest).await?)
}

/// What the state alone tells.
fn compare(state: &State, heads: Heads) -> Option<Repair> {
    let (newest, position) = (state.heads.version, heads.version);
    if newest.epoch == position.epoch {
        return (newest.rev <= position.rev).then_some(Repair::CaughtUp);
    }
    // Only of the epoch right before it is known how far it holds.
    let still_true = newest.epoch == position.epoch + 1 && position.rev <= state.epoch_start;
    Some(if still_true { Repair::NewEpoch(newest.epoch) } else { Repair::Resync(state.heads) })
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

/// What changed after `position` and up to `newest`, from the rows of Postgres.
async fn by_state(
    shared: &Shared,
    id: &ConversationId,
    position: Version,
    newest: Heads,
) -> Result<Repair, StoreError> {
    let messages = shared.store.messages_since(id, position, PAGE).await?;
    let participants = shared.store.participants_since(id, position, PAGE).await?;
    // A full page may go on: only up to where both are complete is known what there is.
    let last = |full: bool, version: Option<Version>| version.filter(|_| full).unwrap_or(newest.version);
    let complete = last(is_full(messages.len()), messages.last().map(|message| message.version))
        .min(last(is_full(participants.len()), participants.last().map(|state| state.version)))
        .min(newest.version);
    let mut events: Vec<Envelope> = messages.into_iter().map(|message| message_event(id, message)).collect();
    events.extend(participants.into_iter().map(|state| participant_event(id, state)));
    events.retain(|event| event.header.version <= complete);
    events.sort_by_key(|event| event.header.version);
    let seq = events.iter().map(|event| event.header.seq).max().unwrap_or_default();
    let seq = if complete == newest.version { newest.seq } else { seq };
    Ok(Repair::State { events, heads: Heads { version: complete, seq } })
}

fn is_full(found: usize) -> bool {
    found as u64 >= PAGE
}

fn message_event(id: &ConversationId, message: Message) -> Envelope {
    let header = Header {
        kind: EventKind::MessageCreated,
        version: message.version,
        seq: message.seq,
        at: message.created_at,
        origin: None,
    };
    Envelope { conversation: id.clone(), header, event: Event::MessageCreated(Box::new(message)) }
}

fn participant_event(id: &ConversationId, state: ParticipantState) -> Envelope {
    let change = ParticipantChange { participant: state.participant };
    let (kind, event) = if state.member {
        (EventKind::ParticipantAdded, Event::ParticipantAdded(change))
    } else {
        (EventKind::ParticipantRemoved, Event::ParticipantRemoved(change))
    };
    let header = Header { kind, version: state.version, seq: Seq(0), at: state.at, origin: None };
    Envelope { conversation: id.clone(), header, event }
}

/// The state of a conversation, made from Postgres and what this gateway has seen when Redis does not know it.
async fn state(shared: &Shared, id: &ConversationId, seen: Heads) -> Result<State, ReadError> {
    if let Some(state) = shared.broker.state(id).await? {
        return Ok(state);
    }
    let stored = shared.store.heads(id).await?.unwrap_or_default();
    Ok(shared.broker.load_state(id, Floors { stored, seen }).await?)
}
