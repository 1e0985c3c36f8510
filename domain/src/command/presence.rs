//! The commands about who is there.

use serde_json::Value;

use crate::{
    command::{Fields, limit},
    id::{ConversationId, UserId},
    presence::Status,
    rejection::Rejection,
};

/// The presence of how many users one command reads.
pub const MAX_PRESENCES: usize = 500;
/// How many members of a conversation one command reads, and how many a page of users has.
pub const MAX_MEMBERS: u64 = 500;

/// `presence.get`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetPresence {
    /// Of whom, in the order of the answer.
    pub users: Vec<UserId>,
}

/// `presence.list`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPresence {
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// At most this many.
    pub limit: u64,
}

/// `member.list`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListMembers {
    /// Of which conversation.
    pub conversation: ConversationId,
    /// At most this many.
    pub limit: u64,
}

pub(super) fn status(fields: &mut Fields) -> Result<Status, Rejection> {
    let word = fields.text("status")?.ok_or_else(|| Rejection::invalid("status", "is missing"))?;
    Status::parse(&word)
}

impl GetPresence {
    pub(super) fn parse(fields: &mut Fields) -> Result<Self, Rejection> {
        let items = fields.list("users")?.ok_or_else(|| Rejection::invalid("users", "is missing"))?;
        if items.is_empty() || items.len() > MAX_PRESENCES {
            return Err(Rejection::invalid("users", "are not 1 to 500 ids"));
        }
        let id = |item: Value| match item {
            Value::String(text) => UserId::new(text).map_err(|problem| Rejection::invalid("users", problem)),
            _ => Err(Rejection::invalid("users", "has something that is no text")),
        };
        Ok(Self { users: items.into_iter().map(id).collect::<Result<_, _>>()? })
    }
}

impl ListPresence {
    pub(super) fn parse(fields: &mut Fields) -> Result<Self, Rejection> {
        Ok(Self { cursor: fields.text("cursor")?, limit: limit(fields, 100, MAX_MEMBERS)? })
    }
}

impl ListMembers {
    pub(super) fn parse(fields: &mut Fields) -> Result<Self, Rejection> {
        Ok(Self { conversation: fields.required("conversation")?, limit: limit(fields, 100, MAX_MEMBERS)? })
    }
}
