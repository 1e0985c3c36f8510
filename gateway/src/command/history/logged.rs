//! What Postgres may not have of a conversation yet, from the hot log.
//!
//! It is read before Postgres: what the log has no longer by then was in Postgres before.

use std::collections::BTreeMap;

use parlance_domain::{
    entry::Envelope, event::EventKind, id::ConversationId, message::Message, rejection::Rejection,
    version::Version,
};
use parlance_store::message::{
    numbered::Key,
    page::{Span, Stretch},
};

use crate::{app::App, command::failed};

/// The events of a conversation that may not be in Postgres.
#[derive(Debug, Default)]
pub(in crate::command) struct Logged {
    envelopes: Vec<Envelope>,
    /// The conversation was deleted, and what came after that is all here: Postgres has nothing that counts.
    complete: bool,
}

impl Logged {
    /// Reads them.
    ///
    /// # Errors
    /// `unavailable` while Redis is away.
    pub(in crate::command) async fn read(
        app: &App,
        conversation: &ConversationId,
    ) -> Result<Self, Rejection> {
        let envelopes = app.broker.log_unpersisted(conversation).await;
        envelopes.map(Self::of).map_err(|error| failed("read the hot log", &error))
    }

    /// Nothing of before a deletion counts. What comes after one that is not persisted is not settled either, so the
    /// log still has all of it.
    pub(in crate::command) fn of(mut envelopes: Vec<Envelope>) -> Self {
        let deletions = envelopes.iter().map(|envelope| &envelope.header);
        let deletions = deletions.filter(|header| header.kind == EventKind::ConversationDeleted);
        let deleted: Option<Version> = deletions.map(|header| header.version).max();
        if let Some(deleted) = deleted {
            envelopes.retain(|envelope| envelope.header.version > deleted);
        }
        Self { envelopes, complete: deleted.is_some() }
    }

    /// Whether Postgres need not be asked for messages.
    pub(in crate::command) fn is_complete(&self) -> bool {
        self.complete
    }

    /// The events, in no order.
    pub(in crate::command) fn envelopes(&self) -> &[Envelope] {
        &self.envelopes
    }

    /// The newest state of each message, in the order of the conversation.
    pub(in crate::command) fn messages(&self) -> BTreeMap<Key, &Message> {
        let mut messages: BTreeMap<Key, &Message> = BTreeMap::new();
        for message in self.envelopes.iter().filter_map(|envelope| envelope.event.message()) {
            let known = messages.entry(key(message)).or_insert(message);
            if known.version < message.version {
                *known = message;
            }
        }
        messages
    }

    /// A stretch of Postgres, with what belongs in it from the log.
    pub(super) fn complete(&self, span: Span, stored: Stretch) -> Stretch {
        let in_span = |message: &Message| match span {
            Span::Before(seq) => message.seq < seq,
            Span::After(seq) => message.seq > seq,
        };
        // Beyond what Postgres gave there may be more that is older or newer than what the log has there.
        let end = if stored.more { end(span, &stored) } else { None };
        let is_beyond = |message: &Message| match (span, end) {
            (_, None) => false,
            (Span::Before(_), Some(end)) => message.seq < end,
            (Span::After(_), Some(end)) => message.seq > end,
        };
        let mut messages: BTreeMap<Key, Message> =
            stored.messages.into_iter().map(|message| (key(&message), message)).collect();
        for (key, message) in self.messages() {
            // Both have it when it was changed, or when the worker wrote it between the two readings.
            let is_newer = messages.get(&key).is_none_or(|known| known.version < message.version);
            if in_span(message) && !is_beyond(message) && is_newer {
                messages.insert(key, message.clone());
            }
        }
        Stretch { messages: messages.into_values().collect(), more: stored.more }
    }
}

/// What orders messages.
pub(in crate::command) fn key(message: &Message) -> Key {
    (message.seq, message.body.id)
}

/// The place that is farthest from where the stretch begins.
fn end(span: Span, stretch: &Stretch) -> Option<parlance_domain::version::Seq> {
    let last = match span {
        Span::Before(_) => stretch.messages.first(),
        Span::After(_) => stretch.messages.last(),
    };
    last.map(|message| message.seq)
}
