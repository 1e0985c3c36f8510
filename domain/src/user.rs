//! Who somebody is to the others in a conversation.

use serde::{Deserialize, Serialize};

use crate::id::UserId;

/// A user as other users see them. What is unknown is left out; an unknown name is the id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// The user's id.
    pub id: UserId,
    /// The name to show.
    pub name: String,
    /// Where a picture is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<String>,
    /// The role that the application gave the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

impl Profile {
    /// The profile of a user of whom only the id is known.
    pub fn unknown(id: UserId) -> Self {
        Self { name: id.as_str().to_owned(), id, avatar: None, role: None }
    }
}
