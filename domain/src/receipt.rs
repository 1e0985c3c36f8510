//! Receipts: how far a user has been delivered and has read a conversation. Cursors only move forward.

use serde::{Deserialize, Serialize};

use crate::{
    id::{MessageId, SessionId, UserId},
    version::Seq,
};

/// Which of a user's two cursors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReceiptKind {
    /// The user's client has it.
    Delivered,
    /// The user has seen it; what is read is delivered too.
    Read,
}

/// What a receipt is for: everything up to a place, or up to the newest of some messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiptTarget {
    /// Up to this place.
    Seq(Seq),
    /// Up to the newest of these; 1 to [`MAX_RECEIPT_MESSAGES`] of one conversation.
    Messages(Vec<MessageId>),
}

/// The most messages that one receipt can name.
pub const MAX_RECEIPT_MESSAGES: usize = 500;

/// A user's cursors in a conversation. 0 is before the first message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Whose.
    #[serde(rename = "u")]
    pub user: UserId,
    /// Delivered up to here.
    #[serde(rename = "d", default)]
    pub delivered: Seq,
    /// Read up to here.
    #[serde(rename = "r", default)]
    pub read: Seq,
    /// The message that was read or delivered last, when the client named messages.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageId>,
    /// The connection that moved it last, which need not be told.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<SessionId>,
}

impl Cursor {
    /// A cursor of `user` that has not moved.
    pub fn start(user: UserId) -> Self {
        Self { user, delivered: Seq(0), read: Seq(0), message: None, origin: None }
    }

    /// Moves one cursor to `seq` if that is forward. What is read counts as delivered.
    pub fn advance(&mut self, kind: ReceiptKind, seq: Seq) {
        self.delivered = self.delivered.max(seq);
        if kind == ReceiptKind::Read {
            self.read = self.read.max(seq);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_only_moves_forward_and_reading_delivers() {
        let mut cursor = Cursor::start(UserId::new("u").unwrap());
        cursor.advance(ReceiptKind::Read, Seq(5));
        cursor.advance(ReceiptKind::Delivered, Seq(3));
        assert_eq!((cursor.delivered, cursor.read), (Seq(5), Seq(5)));
        cursor.advance(ReceiptKind::Delivered, Seq(9));
        assert_eq!((cursor.delivered, cursor.read), (Seq(9), Seq(5)));
    }
}
