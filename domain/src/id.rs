//! Identifiers, each checked when it is made: one that exists is valid everywhere, in a Redis key and in a
//! Postgres row alike.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The longest user or conversation id, in bytes.
pub const MAX_ID_BYTES: usize = 128;

/// The longest idempotency id (`client_id`) and session id, in bytes.
pub const MAX_CLIENT_ID_BYTES: usize = 128;

/// Why a text is no identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text has no characters.
    #[error("is empty")]
    Empty,
    /// The text is longer than [`MAX_ID_BYTES`].
    #[error("is longer than {MAX_ID_BYTES} bytes")]
    TooLong,
    /// The text has a control character, which neither a log line nor Postgres should be given.
    #[error("has a control character")]
    Control,
    /// The text is no message id that a gateway made (a UUID of version 7).
    #[error("is no message id")]
    NotAMessageId,
    /// The text is no call id that a gateway made (a UUID of version 7).
    #[error("is no call id")]
    NotACallId,
    /// The text is no notification id (a UUID of version 7).
    #[error("is no notification id")]
    NotANotificationId,
    /// The text is no upload id (a UUID of version 7).
    #[error("is no upload id")]
    NotAnUploadId,
    /// The text is no session id.
    #[error("is no session id")]
    NotASessionId,
}

fn check(text: &str, longest: usize) -> Result<(), IdError> {
    if text.is_empty() {
        Err(IdError::Empty)
    } else if text.len() > longest {
        Err(IdError::TooLong)
    } else if text.chars().any(char::is_control) {
        Err(IdError::Control)
    } else {
        Ok(())
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $longest:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks `text` and takes it.
            ///
            /// # Errors
            /// When it is empty, too long, or has a control character.
            pub fn new(text: impl AsRef<str>) -> Result<Self, IdError> {
                let text = text.as_ref();
                check(text, $longest)?;
                Ok(Self(Arc::from(text)))
            }

            /// The text as the application wrote it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.as_ref().to_owned()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

text_id! {
    /// A user, by the application's own id.
    UserId, MAX_ID_BYTES
}
text_id! {
    /// A conversation, by the application's own id or one that a gateway made.
    ConversationId, MAX_ID_BYTES
}
text_id! {
    /// What a client calls a command that it may repeat; unique a user, conversation and command.
    ClientId, MAX_CLIENT_ID_BYTES
}

/// The connection that an event comes from: events "to others" pass it over.
///
/// Its characters are ASCII letters, digits, `-` and `_`, so that it can stand in an event's header.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionId(Arc<str>);

impl SessionId {
    /// Takes `text` when it is a session id.
    pub fn new(text: impl AsRef<str>) -> Option<Self> {
        let text = text.as_ref();
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let valid = !text.is_empty() && text.len() <= MAX_CLIENT_ID_BYTES && text.chars().all(allowed);
        (valid && text != "-").then(|| Self(Arc::from(text)))
    }

    /// An id that nobody can guess, from 16 random bytes.
    pub fn from_random(random: u128) -> Self {
        Self(Arc::from(format!("{random:032x}")))
    }

    /// The text of the id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SessionId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        Self::new(text).ok_or(IdError::NotASessionId)
    }
}

impl From<SessionId> for String {
    fn from(id: SessionId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $error:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// Makes an id from the time in unix milliseconds, eight random bytes and the partition.
            pub fn new(unix_ms: u64, random: [u8; 8], partition: u16) -> Self {
                let [r0, r1, r2, r3, r4, r5, r6, r7] = random;
                let [p0, p1] = partition.to_be_bytes();
                let tail = [r0, r1, r2, r3, r4, r5, r6, r7, p0, p1];
                Self(uuid::Builder::from_unix_timestamp_millis(unix_ms, &tail).into_uuid())
            }

            /// The partition that the id carries. An id that somebody invented may carry any number.
            pub fn partition(self) -> u16 {
                let [.., p0, p1] = *self.0.as_bytes();
                u16::from_be_bytes([p0, p1])
            }

            /// The id as a UUID, as Postgres stores it.
            pub fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl TryFrom<Uuid> for $name {
            type Error = IdError;
            fn try_from(id: Uuid) -> Result<Self, IdError> {
                if id.get_version_num() == 7 { Ok(Self(id)) } else { Err(IdError::$error) }
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                // `Uuid` also reads braces, `urn:uuid:` and hyphenless forms; one id has one spelling here.
                if text.len() != 36 {
                    return Err(IdError::$error);
                }
                Uuid::parse_str(text).map_err(|_| IdError::$error)?.try_into()
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0.as_hyphenated())
            }
        }
    };
}

uuid_id! {
    /// A message: a UUID of version 7 whose last two bytes carry the partition of its conversation, so that the
    /// message's object in Redis is found from the id alone.
    MessageId, NotAMessageId
}
uuid_id! {
    /// A call; its last two bytes carry the partition of its conversation, like those of a message.
    CallId, NotACallId
}
uuid_id! {
    /// A notification. The partition that it carries means nothing.
    NotificationId, NotANotificationId
}
uuid_id! {
    /// An uploaded file. The partition that it carries means nothing.
    UploadId, NotAnUploadId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_refused_when_it_could_not_be_stored_or_keyed() {
        assert_eq!(UserId::new(""), Err(IdError::Empty));
        assert_eq!(UserId::new("a".repeat(129)), Err(IdError::TooLong));
        assert_eq!(UserId::new("a\0b"), Err(IdError::Control));
        assert!(ConversationId::new("a".repeat(128)).is_ok());
    }

    #[test]
    fn a_message_id_carries_its_partition_and_reads_back() {
        let id = MessageId::new(1_700_000_000_000, [7; 8], 513);
        assert_eq!(id.partition(), 513);
        assert_eq!(id.to_string().parse::<MessageId>(), Ok(id));
    }

    #[test]
    fn a_message_id_has_one_spelling() {
        let id = MessageId::new(1_700_000_000_000, [7; 8], 1);
        assert!(format!("{{{id}}}").parse::<MessageId>().is_err());
        assert!("67e55044-10b1-426f-9247-bb680e5fe0c8".parse::<MessageId>().is_err(), "version 4");
    }

    #[test]
    fn a_session_id_fits_in_a_header() {
        assert!(SessionId::new("AbC-1_2").is_some());
        for bad in ["", "-", "a b", "é", "a\n"] {
            assert!(SessionId::new(bad).is_none(), "{bad:?}");
        }
    }
}
