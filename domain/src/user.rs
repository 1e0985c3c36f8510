//! Who somebody is: to the others in a conversation, and to the backends that know more.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{id::UserId, message::Metadata, time::Timestamp};

/// The longest name, in bytes.
pub const MAX_NAME_BYTES: usize = 256;
/// The longest user name, in bytes.
pub const MAX_USERNAME_BYTES: usize = 128;
/// The longest address of a picture, in bytes.
pub const MAX_AVATAR_BYTES: usize = 2_048;
/// The longest address of e-mail, in bytes.
pub const MAX_EMAIL_BYTES: usize = 320;
/// The longest role, in bytes.
pub const MAX_USER_ROLE_BYTES: usize = 64;

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

/// Everything that is known of a user. Others see the [`Profile`] of it.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// The user's id.
    pub id: UserId,
    /// The name to show.
    pub name: Option<String>,
    /// What the user is called in the application, for those who look him up there.
    pub username: Option<String>,
    /// Where a picture is.
    pub avatar: Option<String>,
    /// Where e-mail reaches him.
    pub email: Option<String>,
    /// The role that the application gave the user.
    pub role: Option<String>,
    /// The application's own fields.
    pub metadata: Metadata,
}

impl User {
    /// The user of whom no more is known than what others see.
    pub fn of(profile: Profile) -> Self {
        let Profile { id, name, avatar, role } = profile;
        Self {
            id,
            name: Some(name),
            username: None,
            avatar,
            email: None,
            role,
            metadata: Metadata::default(),
        }
    }

    /// What others see.
    pub fn profile(&self) -> Profile {
        Profile {
            id: self.id.clone(),
            name: self.name.clone().unwrap_or_else(|| self.id.as_str().to_owned()),
            avatar: self.avatar.clone(),
            role: self.role.clone(),
        }
    }

    /// The user as backends and he himself read him; `updated_at` is when something of it last changed.
    pub fn view(&self, updated_at: Option<Timestamp>) -> Value {
        json!({
            "id": self.id,
            "name": self.name.as_deref().unwrap_or(self.id.as_str()),
            "username": self.username,
            "avatar": self.avatar,
            "email": self.email,
            "role": self.role,
            "metadata": self.metadata,
            "updatedAt": updated_at,
        })
    }
}
