//! A canonical event becomes the events that a dialect's clients get. To be done once for all sockets of a
//! dialect.

use std::sync::Arc;

use super::{
    Audience, ClientEvent, Dialect, EventName, Frame,
    template::{Condition, Data, Source, Template, render},
};

/// A compiled outbound rule.
#[derive(Debug)]
pub(super) struct Outbound {
    pub(super) event: Arc<str>,
    pub(super) audience: Audience,
    pub(super) condition: Condition,
    /// The list for each item of which there is one event.
    pub(super) each: Option<Source>,
    pub(super) payload: Option<Template>,
}

impl Dialect {
    /// The frames for an event, in the order of the file; none when the dialect does not speak of it, or not of one like
    /// this.
    pub fn encode(&self, event: &ClientEvent) -> Vec<Frame> {
        let data = Data::new(&event.fields, &self.notation);
        let mut frames = Vec::new();
        for rule in self.rules_on(event.name).iter().filter(|rule| rule.condition.holds(data)) {
            match &rule.each {
                None => frames.push(rule.frame(data)),
                Some(list) => frames.extend(data.items(list).map(|item| rule.frame(item))),
            }
        }
        frames
    }

    /// Whether its clients can be told of such an event.
    pub fn speaks_of(&self, event: EventName) -> bool {
        !self.rules_on(event).is_empty()
    }

    /// Whether what its clients are told of such an event goes by this field of it, or has all of them (`{$}`).
    pub fn reads(&self, event: EventName, field: &str) -> bool {
        self.rules_on(event).iter().any(|rule| rule.reads(field))
    }

    fn rules_on(&self, event: EventName) -> &[Outbound] {
        self.outbound.get(&event).map(Vec::as_slice).unwrap_or_default()
    }
}

impl Outbound {
    fn frame(&self, data: Data<'_>) -> Frame {
        Frame {
            event: Arc::clone(&self.event),
            payload: self.payload.as_ref().and_then(|payload| render(payload, data)),
            audience: self.audience,
        }
    }

    fn reads(&self, field: &str) -> bool {
        self.condition.reads(field)
            || self.each.as_ref().is_some_and(|list| list.reads(field))
            || self.payload.as_ref().is_some_and(|payload| payload.reads(field))
    }

    /// Whether some event would make both send the same name twice.
    pub(super) fn repeats(&self, other: &Self) -> bool {
        let (mine, others) = (&self.condition, &other.condition);
        self.event == other.event
            && self.each == other.each
            && (mine.is_same(others) || mine.is_always_true() || others.is_always_true())
    }
}
