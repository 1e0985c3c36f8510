//! Reactions to a message: who reacted with which emoji, as every update of them tells it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    id::{ConversationId, MessageId, UserId},
    rejection::Rejection,
    time::Timestamp,
    user::Profile,
    version::{Seq, Version},
};

/// The longest emoji, in bytes: sequences with skin tones and joiners fit, and so do `:shortcodes:`.
pub const MAX_EMOJI_BYTES: usize = 64;
/// How many different emoji one message has.
pub const MAX_EMOJIS: usize = 50;
/// How many reactions one message has, all emoji together.
pub const MAX_REACTIONS: usize = 1_000;

/// What somebody reacts with: an emoji or the application's own word, without spaces.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Emoji(String);

impl Emoji {
    /// Checks `text` and takes it.
    ///
    /// # Errors
    /// `invalid_payload` when it is empty, too long, or has a space or a control character.
    pub fn new(text: impl Into<String>) -> Result<Self, Rejection> {
        let text = text.into();
        let allowed = |c: char| !c.is_whitespace() && !c.is_control();
        if text.is_empty() || text.len() > MAX_EMOJI_BYTES || !text.chars().all(allowed) {
            return Err(Rejection::invalid("emoji", "is no word of at most 64 bytes without spaces"));
        }
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Emoji {
    type Err = Rejection;
    fn from_str(text: &str) -> Result<Self, Rejection> {
        Self::new(text)
    }
}

impl TryFrom<String> for Emoji {
    type Error = Rejection;
    fn try_from(text: String) -> Result<Self, Rejection> {
        Self::new(text)
    }
}

impl From<Emoji> for String {
    fn from(emoji: Emoji) -> Self {
        emoji.0
    }
}

impl fmt::Display for Emoji {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Somebody who reacted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reactor {
    /// Who.
    pub id: UserId,
    /// The name that he had then.
    pub name: String,
}

/// Everybody who reacted to a message with one emoji.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reaction {
    /// With what.
    pub emoji: Emoji,
    /// Who, in the order in which they reacted; never empty.
    pub users: Vec<Reactor>,
}

/// All reactions to a message, the emoji in the order in which each came first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reactions(pub Vec<Reaction>);

impl Reactions {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `[{emoji, count, users: [{id, name}]}]`.
    pub fn view(&self) -> Value {
        let one = |Reaction { emoji, users }: &Reaction| json!({"emoji": emoji, "count": users.len(), "users": users});
        self.0.iter().map(one).collect()
    }
}

/// What a command does to one's reaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReactionChange {
    /// Adds it, or removes it when it is there.
    Toggle,
    /// Adds it.
    Add,
    /// Removes it.
    Remove,
}

impl ReactionChange {
    /// The word that the append script reads.
    pub fn as_str(self) -> &'static str {
        match self {
            ReactionChange::Toggle => "toggle",
            ReactionChange::Add => "add",
            ReactionChange::Remove => "remove",
        }
    }
}

/// `reaction.updated`: one reaction came or went; with all reactions to the message as they are then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReactionUpdate {
    /// To which message.
    pub message: MessageId,
    /// The place of that message.
    pub seq: Seq,
    /// Whose reaction.
    pub user: Profile,
    /// Which.
    pub emoji: Emoji,
    /// Whether it is there now.
    pub active: bool,
    /// All reactions now.
    pub reactions: Reactions,
}

impl ReactionUpdate {
    /// The canonical view.
    pub fn view(&self, conversation: &ConversationId, version: Version, at: Timestamp) -> Value {
        json!({
            "messageId": self.message,
            "conversationId": conversation,
            "seq": self.seq,
            "userId": self.user.id,
            "user": self.user,
            "emoji": self.emoji,
            "active": self.active,
            "reactions": self.reactions.view(),
            "offset": version.rev,
            "epoch": version.epoch,
            "at": at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emoji_is_a_word() {
        for good in ["👍", "👩🏽‍💻", ":+1:", "like"] {
            assert!(Emoji::new(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a\n", "\0", &"x".repeat(65)] {
            assert!(Emoji::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_view_counts() {
        let reactor = |id: &str| Reactor { id: UserId::new(id).unwrap(), name: id.to_uppercase() };
        let reactions = Reactions(vec![Reaction {
            emoji: Emoji::new("👍").unwrap(),
            users: vec![reactor("a"), reactor("b")],
        }]);
        let expected = json!([{"emoji": "👍", "count": 2, "users": [
            {"id": "a", "name": "A"}, {"id": "b", "name": "B"}]}]);
        assert_eq!(reactions.view(), expected);
    }
}
