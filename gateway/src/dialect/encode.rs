//! A canonical event becomes the events that a dialect's clients get. To be done once for all sockets of a
//! dialect.

use std::sync::Arc;

use super::{
    Audience, ClientEvent, Dialect, Frame,
    template::{Data, Template, render},
};

/// A compiled outbound rule.
#[derive(Debug)]
pub(super) struct Outbound {
    pub(super) event: Arc<str>,
    pub(super) audience: Audience,
    pub(super) payload: Option<Template>,
}

impl Dialect {
    /// The frames for an event, in the order of the file; none when the dialect does not speak of it.
    pub fn encode(&self, event: &ClientEvent) -> Vec<Frame> {
        let data = Data::new(&event.fields, &self.notation);
        let rules = self.outbound.get(&event.name).map(Vec::as_slice);
        rules
            .unwrap_or_default()
            .iter()
            .map(|rule| Frame {
                event: Arc::clone(&rule.event),
                payload: rule.payload.as_ref().and_then(|payload| render(payload, data)),
                audience: rule.audience,
            })
            .collect()
    }
}
