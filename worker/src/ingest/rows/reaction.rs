//! Whether somebody's reaction to a message is there.

use parlance_domain::{id::ConversationId, reaction::ReactionUpdate, time::Timestamp, version::Version};

/// The reaction that an event added or removed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ReactionRow<'a> {
    pub(crate) conversation: &'a ConversationId,
    pub(crate) update: &'a ReactionUpdate,
    pub(crate) at: Timestamp,
    pub(crate) version: Version,
}
