//! What rows of Postgres tell those who missed the events that made them: each thing that changed is told in its state
//! now, as the event that changed it last. A message that was created meanwhile is told as created, whatever happened to
//! it since.

use parlance_domain::{
    call::{Call, CallStatus},
    conversation::{Conversation, DeletedConversation, ParticipantChange},
    entry::{Envelope, Header},
    event::{Event, EventKind},
    id::ConversationId,
    message::Message,
    time::Timestamp,
    version::{Heads, Seq, Version},
};
use parlance_store::{
    StoreError,
    changes::{Bounds, Changed, Changes, Deletion, ReactionState},
    participant::ParticipantState,
};

use super::super::{Shared, order::Repair};

/// How much of each kind of row one reading takes.
const BOUNDS: Bounds = Bounds { rows: 256, bytes: 4 * 1024 * 1024 };

/// What changed after `position` and up to `newest`, from the rows of Postgres. Both are of one epoch.
pub(super) async fn read(
    shared: &Shared,
    id: &ConversationId,
    position: Heads,
    newest: Heads,
) -> Result<Repair, StoreError> {
    let changes = shared.store.changes_since(id, position, newest.version, BOUNDS).await?;
    Ok(tell(id, position.version, newest, changes))
}

fn tell(id: &ConversationId, position: Version, newest: Heads, changes: Changes) -> Repair {
    let Changes { messages, participants, reactions, calls, conversation, deleted } = changes;
    // A reading that did not get to the end: only up to where each is complete is known what there is.
    let ends = [messages.until, participants.until, reactions.until, calls.until];
    let complete = ends.into_iter().flatten().fold(newest.version, Version::min);
    let telling = Telling { id, position, complete };
    let mut events: Vec<Envelope> = Vec::new();
    // Of what one event changed, the conversation comes first.
    events.extend(deleted.and_then(|deletion| telling.deletion(deletion)));
    events.extend(conversation.and_then(|(now, version)| telling.conversation(now, version)));
    events.extend(messages.rows.into_iter().filter_map(|message| telling.message(message)));
    events.extend(telling.up_to(participants, |row| row.version).map(|row| telling.participant(row)));
    events.extend(telling.up_to(reactions, |row| row.version).map(|row| telling.reaction(row)));
    events.extend(telling.up_to(calls, |row| row.version).map(|row| telling.call(row)));
    events.sort_by_key(|event| event.header.version);
    let known = if complete == newest.version { newest.seq } else { Seq(0) };
    let seq = events.iter().map(|event| event.header.seq).fold(known, Seq::max);
    Repair::State { events, heads: Heads { version: complete, seq } }
}

/// Who is told what: those who have everything up to `position`, and get everything up to `complete`.
struct Telling<'a> {
    id: &'a ConversationId,
    position: Version,
    complete: Version,
}

impl Telling<'_> {
    fn up_to<T>(&self, changed: Changed<T>, version: impl Fn(&T) -> Version) -> impl Iterator<Item = T> {
        let complete = self.complete;
        changed.rows.into_iter().filter(move |row| version(row) <= complete)
    }

    fn event(&self, kind: EventKind, version: Version, at: Timestamp, event: Event) -> Envelope {
        let header = Header { version, ..Header::transient(kind, at, None) };
        Envelope { conversation: self.id.clone(), header, event }
    }

    fn deletion(&self, Deletion { rev, at }: Deletion) -> Option<Envelope> {
        let version = Version::new(self.complete.epoch, rev);
        let event = Event::ConversationDeleted(DeletedConversation::default());
        (version <= self.complete).then(|| self.event(EventKind::ConversationDeleted, version, at, event))
    }

    fn conversation(&self, now: Conversation, version: Version) -> Option<Envelope> {
        if version > self.complete {
            return None;
        }
        let now = Box::new(now);
        Some(match now.updated_at_ms {
            Some(ms) => {
                let event = Event::ConversationUpdated(now);
                self.event(EventKind::ConversationUpdated, version, Timestamp(ms), event)
            }
            None => {
                let at = Timestamp(now.created_at_ms);
                self.event(EventKind::ConversationCreated, version, at, Event::ConversationCreated(now))
            }
        })
    }

    fn message(&self, message: Message) -> Option<Envelope> {
        let is_new = message.created_rev > self.position.rev;
        if message.version > self.complete {
            // It was changed after that, which will be told; that it is there has to be told now.
            let created = Version::new(self.complete.epoch, message.created_rev);
            let told = is_new && created <= self.complete;
            return told.then(|| self.message_as(EventKind::MessageCreated, created, message));
        }
        let kind = match (message.deleted_at, message.edited_at) {
            (Some(_), _) => EventKind::MessageDeleted,
            (None, Some(_)) if !is_new => EventKind::MessageEdited,
            _ => EventKind::MessageCreated,
        };
        let version = message.version;
        Some(self.message_as(kind, version, message))
    }

    fn message_as(&self, kind: EventKind, version: Version, message: Message) -> Envelope {
        let (seq, origin) = (message.seq, message.origin.clone());
        let message = Box::new(Message { version, ..message });
        let (at, event) = match kind {
            EventKind::MessageDeleted => (message.deleted_at, Event::MessageDeleted(message)),
            EventKind::MessageEdited => (message.edited_at, Event::MessageEdited(message)),
            _ => (Some(message.created_at), Event::MessageCreated(message)),
        };
        let header = Header { kind, version, seq, at: at.unwrap_or_default(), origin, trace: None };
        Envelope { conversation: self.id.clone(), header, event }
    }

    fn participant(&self, state: ParticipantState) -> Envelope {
        let change = ParticipantChange { participant: state.participant, role: state.role };
        let (kind, event) = if state.member {
            (EventKind::ParticipantAdded, Event::ParticipantAdded(change))
        } else {
            (EventKind::ParticipantRemoved, Event::ParticipantRemoved(change))
        };
        self.event(kind, state.version, state.at, event)
    }

    fn reaction(&self, state: ReactionState) -> Envelope {
        let event = Event::ReactionUpdated(Box::new(state.update));
        self.event(EventKind::ReactionUpdated, state.version, state.at, event)
    }

    fn call(&self, call: Call) -> Envelope {
        let version = call.version;
        let joined = call.participants.iter().map(|participant| participant.joined_at).max();
        let call = Box::new(call);
        match call.status {
            CallStatus::Ringing => {
                let at = call.started_at;
                self.event(EventKind::CallStarted, version, at, Event::CallStarted(call))
            }
            CallStatus::Ongoing => {
                let at = joined.unwrap_or(call.started_at);
                self.event(EventKind::CallAnswered, version, at, Event::CallAnswered(call))
            }
            CallStatus::Ended | CallStatus::Missed => {
                let at = call.ended_at.unwrap_or(call.started_at);
                self.event(EventKind::CallEnded, version, at, Event::CallEnded(call))
            }
        }
    }
}

#[cfg(test)]
mod tests;
