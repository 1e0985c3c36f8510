//! The numbers that order a conversation: `seq` for its messages, `(epoch, rev)` for all its durable events.
//! Only the append script assigns them.

use serde::{Deserialize, Serialize};

/// The place of a message among its conversation's messages: 1, 2, 3… without holes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

/// The state of a conversation, or of one thing in it, after an event: newer is greater.
///
/// `rev` counts the durable events (clients see it as the *offset*). `epoch` rises when Redis may have gone
/// back in time, so that a number given twice can be told apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Version {
    /// Which life of the numbering this is, from 1.
    pub epoch: u64,
    /// The number of the event in its conversation, from 1.
    pub rev: u64,
}

impl Version {
    /// The version `rev` of `epoch`.
    pub fn new(epoch: u64, rev: u64) -> Self {
        Self { epoch, rev }
    }
}

/// The newest numbers of a conversation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heads {
    /// The newest durable event.
    pub version: Version,
    /// The newest message, 0 when there is none.
    pub seq: Seq,
}
