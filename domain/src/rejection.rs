//! What a client is told when a command is not carried out: a stable code, a text that is safe to show,
//! whether the same command can succeed later, and after how long.

use std::{borrow::Cow, fmt, time::Duration};

/// The stable codes. Their texts never change; new ones may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// No token was given.
    TokenMissing,
    /// What was given as a token has not the form of one.
    TokenMalformed,
    /// The token's signature, its algorithm or something that it says is not accepted.
    TokenInvalid,
    /// The token's time is over.
    TokenExpired,
    /// The token was issued before the tokens of its user were revoked.
    TokenRevoked,
    /// A client without a token did not say everything that its application needs to know of it.
    HandshakeIncomplete,
    /// The caller may not do this.
    Forbidden,
    /// The caller is not a participant of the conversation.
    NotAParticipant,
    /// What the command names does not exist.
    NotFound,
    /// What should be created exists already, with other content.
    Conflict,
    /// There is as much of something as there may be.
    LimitReached,
    /// An argument is missing, of the wrong type, or out of bounds.
    InvalidPayload,
    /// No command has this event's name.
    UnknownEvent,
    /// The content has no visible character.
    ContentBlank,
    /// The content is larger than [`crate::message::MAX_CONTENT_BYTES`].
    ContentTooLarge,
    /// More commands than allowed in this time.
    RateLimited,
    /// The server takes no more for now.
    Overloaded,
    /// Something that the answer depends on is away for now.
    Unavailable,
    /// A fault of the server.
    Internal,
}

impl Code {
    /// Every code, in the order of the documentation.
    pub const ALL: &[Code] = &[
        Code::TokenMissing,
        Code::TokenMalformed,
        Code::TokenInvalid,
        Code::TokenExpired,
        Code::TokenRevoked,
        Code::HandshakeIncomplete,
        Code::Forbidden,
        Code::NotAParticipant,
        Code::NotFound,
        Code::Conflict,
        Code::LimitReached,
        Code::InvalidPayload,
        Code::UnknownEvent,
        Code::ContentBlank,
        Code::ContentTooLarge,
        Code::RateLimited,
        Code::Overloaded,
        Code::Unavailable,
        Code::Internal,
    ];

    /// The code as clients read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::TokenMissing => "token_missing",
            Code::TokenMalformed => "token_malformed",
            Code::TokenInvalid => "token_invalid",
            Code::TokenExpired => "token_expired",
            Code::TokenRevoked => "token_revoked",
            Code::HandshakeIncomplete => "handshake_incomplete",
            Code::Forbidden => "forbidden",
            Code::NotAParticipant => "not_a_participant",
            Code::NotFound => "not_found",
            Code::Conflict => "conflict",
            Code::LimitReached => "limit_reached",
            Code::InvalidPayload => "invalid_payload",
            Code::UnknownEvent => "unknown_event",
            Code::ContentBlank => "content_blank",
            Code::ContentTooLarge => "content_too_large",
            Code::RateLimited => "rate_limited",
            Code::Overloaded => "overloaded",
            Code::Unavailable => "unavailable",
            Code::Internal => "internal",
        }
    }

    /// What the code means, for the documentation and as the text when nothing more is known.
    pub fn meaning(self) -> &'static str {
        match self {
            Code::TokenMissing => "no token was given",
            Code::TokenMalformed => "this is no token",
            Code::TokenInvalid => "the token is not valid",
            Code::TokenExpired => "the token has expired",
            Code::TokenRevoked => "the token has been revoked",
            Code::HandshakeIncomplete => "the handshake says too little",
            Code::Forbidden => "this is not allowed",
            Code::NotAParticipant => "you are not a participant in this conversation",
            Code::NotFound => "there is no such thing",
            Code::Conflict => "it exists already and is different",
            Code::LimitReached => "there can be no more of these",
            Code::InvalidPayload => "the arguments do not fit the command",
            Code::UnknownEvent => "there is no such event",
            Code::ContentBlank => "the content is blank",
            Code::ContentTooLarge => "the content is larger than 1,000,000 bytes",
            Code::RateLimited => "too many events, try again later",
            Code::Overloaded => "the server takes no more for now, try again later",
            Code::Unavailable => "the service is not available for now, try again later",
            Code::Internal => "the server failed",
        }
    }

    /// How long to wait before a retry, when nothing more is known.
    fn retry_after(self) -> Option<Duration> {
        (self == Code::Overloaded).then_some(Duration::from_secs(1))
    }

    /// Whether the same command can succeed later without being changed.
    pub fn retryable(self) -> bool {
        matches!(self, Code::RateLimited | Code::Overloaded | Code::Unavailable | Code::Internal)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refused command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Rejection {
    /// The stable code.
    pub code: Code,
    /// A text for a person, without secrets and without what others wrote.
    pub message: Cow<'static, str>,
    /// How long to wait before a retry, when that is known.
    pub retry_after: Option<Duration>,
}

impl Rejection {
    /// A rejection with the code's own text.
    pub fn new(code: Code) -> Self {
        Self::with(code, code.meaning())
    }

    /// A rejection with a text of its own.
    pub fn with(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), retry_after: code.retry_after() }
    }

    /// An argument that does not fit: `field` as the canonical vocabulary names it, and what is wrong.
    pub fn invalid(field: &str, problem: impl fmt::Display) -> Self {
        Self::with(Code::InvalidPayload, format!("{field} {problem}"))
    }

    /// The same, to be tried again after `wait`.
    #[must_use]
    pub fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }
}

impl From<Code> for Rejection {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_code_has_its_own_text() {
        let texts: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), Code::ALL.len());
    }
}
