//! Who is in a call.

use parlance_domain::{call::CallParticipant, id::ConversationId, version::Version};

/// Somebody who was in a call after an event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CallParticipantRow<'a> {
    pub(crate) conversation: &'a ConversationId,
    pub(crate) participant: &'a CallParticipant,
    pub(crate) version: Version,
}
