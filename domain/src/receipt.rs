//! Receipts: how far a user has been delivered and has read a conversation. Cursors only move forward.

mod told;

use serde::{Deserialize, Serialize};

pub use told::{Covered, Reach, Reaches, Receipts};

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

/// What a receipt is for: everything up to a place, up to the newest of some messages, or all there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiptTarget {
    /// Up to this place.
    Seq(Seq),
    /// Up to the newest of these; 1 to [`MAX_RECEIPT_MESSAGES`] of one conversation.
    Messages(Vec<MessageId>),
    /// Up to the newest message of the conversation.
    Newest,
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
    /// The message that was delivered last, when messages were named.
    #[serde(rename = "dm", default, skip_serializing_if = "Option::is_none")]
    pub delivered_message: Option<MessageId>,
    /// The message that was read last, when messages were named.
    #[serde(rename = "rm", default, skip_serializing_if = "Option::is_none")]
    pub read_message: Option<MessageId>,
    /// The connection that moved it last, which need not be told.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<SessionId>,
    /// How far it had been delivered before, when that was looked up.
    #[serde(rename = "df", default, skip_serializing_if = "Option::is_none")]
    pub delivered_before: Option<Seq>,
    /// How far it had been read before, when that was looked up.
    #[serde(rename = "rf", default, skip_serializing_if = "Option::is_none")]
    pub read_before: Option<Seq>,
}

impl Cursor {
    /// A cursor of `user` that has not moved.
    pub fn start(user: UserId) -> Self {
        Self {
            user,
            delivered: Seq(0),
            read: Seq(0),
            delivered_message: None,
            read_message: None,
            origin: None,
            delivered_before: None,
            read_before: None,
        }
    }

    /// How far one of the cursors is.
    pub fn at(&self, kind: ReceiptKind) -> Seq {
        match kind {
            ReceiptKind::Delivered => self.delivered,
            ReceiptKind::Read => self.read,
        }
    }

    /// How far it was before, when that was looked up.
    pub fn before(&self, kind: ReceiptKind) -> Option<Seq> {
        match kind {
            ReceiptKind::Delivered => self.delivered_before,
            ReceiptKind::Read => self.read_before,
        }
    }

    /// Moves one cursor to `seq`, the place of `message` if that is known, when it is forward. What is read counts as
    /// delivered.
    pub fn advance(&mut self, kind: ReceiptKind, seq: Seq, message: Option<MessageId>) {
        advance(&mut self.delivered, &mut self.delivered_message, seq, message);
        if kind == ReceiptKind::Read {
            advance(&mut self.read, &mut self.read_message, seq, message);
        }
    }
}

fn advance(at: &mut Seq, named: &mut Option<MessageId>, seq: Seq, message: Option<MessageId>) {
    if seq > *at {
        (*at, *named) = (seq, message);
    } else if seq == *at {
        *named = named.or(message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_only_moves_forward_and_reading_delivers() {
        let mut cursor = Cursor::start(UserId::new("u").unwrap());
        cursor.advance(ReceiptKind::Read, Seq(5), None);
        cursor.advance(ReceiptKind::Delivered, Seq(3), None);
        assert_eq!((cursor.delivered, cursor.read), (Seq(5), Seq(5)));
        cursor.advance(ReceiptKind::Delivered, Seq(9), None);
        assert_eq!((cursor.delivered, cursor.read), (Seq(9), Seq(5)));
    }

    #[test]
    fn each_cursor_names_the_message_that_it_is_at() {
        let id = |n| Some(MessageId::new(1, [n; 8], 0));
        let mut cursor = Cursor::start(UserId::new("u").unwrap());
        let named = |cursor: &Cursor| (cursor.delivered_message, cursor.read_message);
        cursor.advance(ReceiptKind::Read, Seq(5), id(5));
        cursor.advance(ReceiptKind::Delivered, Seq(7), id(7));
        assert_eq!(named(&cursor), (id(7), id(5)));
        cursor.advance(ReceiptKind::Read, Seq(3), id(3));
        assert_eq!(named(&cursor), (id(7), id(5)), "behind it");
        cursor.advance(ReceiptKind::Read, Seq(8), None);
        assert_eq!(named(&cursor), (None, None), "beyond it, by a place alone");
        cursor.advance(ReceiptKind::Delivered, Seq(8), id(8));
        assert_eq!(named(&cursor), (id(8), None), "the same place by its name");
    }
}
