//! What a batch knows of a conversation.

use parlance_domain::{
    time::Timestamp,
    version::{Heads, Version},
};

/// What a batch knows of a conversation. Everything in it only rises.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ConversationRow {
    /// Its newest numbers.
    pub(crate) heads: Heads,
    /// The event that last changed its title or fields; zeros when none did.
    pub(crate) state: Version,
    /// The event that last deleted it, with everything up to there; 0 when none did.
    pub(crate) deleted_rev: u64,
    /// When something was last said in it, or when it was created.
    pub(crate) active_at: Option<Timestamp>,
}

impl ConversationRow {
    /// These numbers were given out.
    pub(super) fn raise(&mut self, heads: Heads) {
        self.heads.version = self.heads.version.max(heads.version);
        self.heads.seq = self.heads.seq.max(heads.seq);
    }

    /// An event announced its title and fields.
    pub(super) fn stamp(&mut self, version: Version) {
        self.state = self.state.max(version);
    }

    /// An event deleted it.
    pub(super) fn delete(&mut self, rev: u64) {
        self.deleted_rev = self.deleted_rev.max(rev);
    }

    /// Something happened that puts it first in lists.
    pub(super) fn active(&mut self, at: Timestamp) {
        self.active_at = self.active_at.max(Some(at));
    }
}
