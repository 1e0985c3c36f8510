//! How far users got in a conversation.

use parlance_domain::{receipt::Cursor, time::Timestamp, version::Seq};

/// How far somebody got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct CursorRow {
    pub(crate) delivered: Mark,
    pub(crate) read: Mark,
}

/// One cursor, and when it got there first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) seq: Seq,
    pub(crate) at: Timestamp,
}

impl CursorRow {
    /// Both cursors, forward only.
    pub(super) fn advance(&mut self, cursor: &Cursor, at: Timestamp) {
        self.delivered.advance(cursor.delivered, at);
        self.read.advance(cursor.read, at);
    }
}

impl Mark {
    /// Forward only. Of two that got to the same place the earlier counts, so that the order does not matter.
    fn advance(&mut self, seq: Seq, at: Timestamp) {
        if seq > self.seq || (seq == self.seq && at < self.at) {
            *self = Self { seq, at };
        }
    }
}
