//! The ids in a path, and commands on what they name.

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use parlance_domain::{
    command::{Command, CommandName},
    id::{ConversationId, UserId},
    rejection::Rejection,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::problem::Problem;

/// The conversation that a path names.
#[derive(Debug)]
pub(super) struct ConversationPath(pub(super) ConversationId);

/// The message that a path names, not checked yet.
#[derive(Debug)]
pub(super) struct MessagePath(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for MessagePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Ok(Self(texts(parts, state).await?))
    }
}

/// The message and the emoji that a path names, not checked yet.
#[derive(Debug)]
pub(super) struct ReactionPath(pub(super) String, pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for ReactionPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let (message, emoji) = texts(parts, state).await?;
        Ok(Self(message, emoji))
    }
}

/// The call that a path names, not checked yet.
#[derive(Debug)]
pub(super) struct CallPath(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for CallPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Ok(Self(texts(parts, state).await?))
    }
}

/// The user that a path names.
#[derive(Debug)]
pub(super) struct UserPath(pub(super) UserId);

impl<S: Send + Sync> FromRequestParts<S> for UserPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let user: String = texts(parts, state).await?;
        Ok(Self(UserId::new(user).map_err(|problem| Rejection::invalid("user", problem))?))
    }
}

/// The participant that a path names.
#[derive(Debug)]
pub(super) struct ParticipantPath(pub(super) ConversationId, pub(super) UserId);

impl<S: Send + Sync> FromRequestParts<S> for ConversationPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let conversation: String = texts(parts, state).await?;
        Ok(Self(self::conversation(&conversation)?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ParticipantPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let (conversation, user): (String, String) = texts(parts, state).await?;
        let user = UserId::new(user).map_err(|problem| Rejection::invalid("user", problem))?;
        Ok(Self(self::conversation(&conversation)?, user))
    }
}

/// A command with these fields on what the path names, whose id the command takes in `place`.
///
/// # Errors
/// Those of [`Command::parse`].
pub(super) fn command(
    name: CommandName,
    place: &str,
    id: impl Into<String>,
    mut fields: Map<String, Value>,
) -> Result<Command, Rejection> {
    fields.insert(place.to_owned(), Value::from(id.into()));
    Command::parse(name, fields)
}

fn conversation(text: &str) -> Result<ConversationId, Rejection> {
    ConversationId::new(text).map_err(|problem| Rejection::invalid("conversation", problem))
}

async fn texts<T, S>(parts: &mut Parts, state: &S) -> Result<T, Rejection>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    let path = Path::<T>::from_request_parts(parts, state).await;
    path.map(|Path(texts)| texts)
        .map_err(|_| Rejection::invalid("the path", "is no UTF-8 when it is decoded"))
}
