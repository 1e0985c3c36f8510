//! What has an object in Redis.

use std::fmt;

use parlance_domain::id::{CallId, MessageId};

/// What an object in Redis is about: something that commands change before Postgres has it, found from its id alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ObjectId {
    /// A message, with the reactions to it.
    Message(MessageId),
    /// A call.
    Call(CallId),
}

impl ObjectId {
    /// The partition that the id carries. An id that somebody invented may carry any number.
    pub fn partition(self) -> u16 {
        match self {
            ObjectId::Message(id) => id.partition(),
            ObjectId::Call(id) => id.partition(),
        }
    }
}

impl From<MessageId> for ObjectId {
    fn from(id: MessageId) -> Self {
        Self::Message(id)
    }
}

impl From<CallId> for ObjectId {
    fn from(id: CallId) -> Self {
        Self::Call(id)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ObjectId::Message(id) => id.fmt(f),
            ObjectId::Call(id) => id.fmt(f),
        }
    }
}
