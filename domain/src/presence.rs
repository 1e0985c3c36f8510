//! Presence: whether a user is connected, and what he lets others see of that.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    id::{SessionId, UserId},
    rejection::Rejection,
    time::Timestamp,
    user::Profile,
};

/// What others see of a user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// He is there.
    Online,
    /// He is connected and does something else.
    Away,
    /// He is there and does not want to be disturbed.
    Busy,
    /// He is not connected, or does not want to be seen.
    #[default]
    Offline,
}

impl Status {
    /// Every status.
    pub const ALL: &[Status] = &[Status::Online, Status::Away, Status::Busy, Status::Offline];

    /// The status as clients and Redis write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Online => "online",
            Status::Away => "away",
            Status::Busy => "busy",
            Status::Offline => "offline",
        }
    }

    /// The status with this name.
    ///
    /// # Errors
    /// `invalid_payload` when there is none.
    pub fn parse(word: &str) -> Result<Self, Rejection> {
        let found = Self::ALL.iter().copied().find(|status| status.as_str() == word);
        found.ok_or_else(|| Rejection::invalid("status", "is none of online, away, busy, offline"))
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The presence of a user, on all his devices together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Whose.
    pub user: UserId,
    /// What others see.
    pub status: Status,
    /// Whether he has a socket, which a status of his choice does not tell.
    pub connected: bool,
    /// Since when, in milliseconds since the Unix epoch by the clock of Redis; a newer presence of the same user has a
    /// larger one. 0 when it is not known.
    #[serde(with = "milliseconds")]
    pub at: Timestamp,
    /// The session with which it began, when one came or went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
}

impl Presence {
    /// Of a user of whom nothing is known.
    pub fn unknown(user: UserId) -> Self {
        Self { user, status: Status::Offline, connected: false, at: Timestamp(0), session: None }
    }

    /// When the user was last seen: null while others see that he is there, and when it is not known.
    pub fn last_seen(&self) -> Option<Timestamp> {
        (self.status == Status::Offline && self.at.0 > 0).then_some(self.at)
    }

    /// `{userId, status, connected, sessionId, lastSeen, at}`. Of one who hides it does not tell that he is connected.
    pub fn view(&self) -> Value {
        let is_hidden = self.connected && self.status == Status::Offline;
        json!({
            "userId": self.user,
            "status": self.status,
            "connected": self.connected && !is_hidden,
            "sessionId": self.session.as_ref().filter(|_| !is_hidden),
            "lastSeen": self.last_seen(),
            "at": (self.at.0 > 0).then_some(self.at),
        })
    }
}

/// Somebody came into a conversation, or went: with his first socket there and with his last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Who. Of one who went because his gateway died, only the id is known.
    pub user: Profile,
}

/// Points in time as numbers, as Redis has them.
mod milliseconds {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::time::Timestamp;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
    pub(super) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(at.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_presence_reads_back_and_says_when_its_user_was_last_seen() {
        let mut presence = Presence {
            status: Status::Busy,
            connected: true,
            at: Timestamp(1_769_851_800_007),
            session: SessionId::new("s1"),
            ..Presence::unknown(UserId::new("ann").unwrap())
        };
        let text = serde_json::to_string(&presence).unwrap();
        assert_eq!(
            text,
            r#"{"user":"ann","status":"busy","connected":true,"at":1769851800007,"session":"s1"}"#
        );
        assert_eq!(serde_json::from_str::<Presence>(&text).unwrap(), presence);
        assert_eq!(presence.last_seen(), None);
        let view = presence.view();
        assert_eq!((&view["connected"], &view["sessionId"]), (&json!(true), &json!("s1")));
        presence.status = Status::Offline;
        assert_eq!(presence.view()["lastSeen"], "2026-01-31T09:30:00.007Z");
        let view = presence.view();
        assert_eq!((&view["connected"], &view["sessionId"]), (&Value::Bool(false), &Value::Null), "he hides");
        assert_eq!(Presence::unknown(UserId::new("ann").unwrap()).last_seen(), None);
    }

    #[test]
    fn a_status_is_one_of_four_words() {
        for status in Status::ALL {
            assert_eq!(Status::parse(status.as_str()), Ok(*status));
        }
        assert!(Status::parse("Online").is_err() && Status::parse("").is_err());
    }
}
