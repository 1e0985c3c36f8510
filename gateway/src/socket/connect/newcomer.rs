//! What a handshake says: who it is, as far as that is believed, and which conversation is meant.

use parlance_domain::{
    id::{ConversationId, UserId},
    rejection::{Code, Rejection},
    user::Profile,
};
use serde_json::Value;

use crate::{
    app::App,
    auth::{Identity, find_token},
    dialect::Dialect,
    membership::{Asker, Policy, Standing},
    socket::wire::Handshake,
};

/// A client that wants to connect.
pub(super) struct Newcomer {
    /// Who it is; `None` when it may say so by its first event.
    pub(super) identity: Option<Identity>,
    /// The conversation that it means whenever it names none.
    pub(super) conversation: Option<ConversationId>,
    /// As what it uses that.
    pub(super) standing: Standing,
}

/// The handshake of a client, and what of it counts.
pub(super) struct Said<'a> {
    pub(super) dialect: &'a Dialect,
    pub(super) handshake: &'a Handshake,
    pub(super) cookies: Option<&'a str>,
    /// The payload of the CONNECT packet.
    pub(super) auth: Option<&'a Value>,
}

impl Newcomer {
    /// What a handshake comes to.
    ///
    /// # Errors
    /// Why nobody is let in.
    pub(super) async fn read(app: &App, said: &Said<'_>) -> Result<Self, Rejection> {
        let Said { dialect, handshake, cookies, auth } = said;
        let Some(token) = find_token(&app.config.auth, *auth, handshake, *cookies) else {
            return Self::without_token(app, said).await;
        };
        let identity = app.identify(&token, dialect.tokens()).await?;
        let claimed = || dialect.claimed_user(*auth, |name| handshake.query_value(name));
        if dialect.user_must_match() && claimed().is_some_and(|claimed| claimed != identity.user.id) {
            return Err(Rejection::with(Code::Forbidden, "the token is another user's"));
        }
        let conversation = said.conversation()?;
        if conversation.is_none() && dialect.needs_conversation(true) {
            return Err(Code::HandshakeIncomplete.into());
        }
        Self::known(app, app.completed(identity).await, conversation).await
    }

    async fn without_token(app: &App, said: &Said<'_>) -> Result<Self, Rejection> {
        let Said { dialect, handshake, auth, .. } = said;
        let is_insecure = app.config.auth.insecure_dialects.iter().any(|name| name == dialect.name());
        // What guards the dialect's own path must not be got past by naming the dialect elsewhere.
        if !is_insecure || !dialect.is_at(handshake.host.as_deref(), &handshake.path) {
            return Err(Code::TokenMissing.into());
        }
        let user = dialect.claimed_user(*auth, |name| handshake.query_value(name));
        let conversation = said.conversation()?;
        let is_complete = conversation.is_some() || !dialect.needs_conversation(false);
        match user {
            Some(user) if is_complete => Self::known(app, claimed(app, user).await, conversation).await,
            None if is_complete && dialect.identifies_by_event() => {
                Ok(Self { identity: None, conversation, standing: Standing::default() })
            }
            // Who says one half of what has to be said forgot the other.
            None if conversation.is_none() || !dialect.needs_conversation(false) => {
                Err(Code::TokenMissing.into())
            }
            _ => Err(Code::HandshakeIncomplete.into()),
        }
    }

    async fn known(
        app: &App,
        identity: Identity,
        conversation: Option<ConversationId>,
    ) -> Result<Self, Rejection> {
        let standing = match &conversation {
            Some(conversation) => standing(app, &identity, conversation).await?,
            None => Standing::default(),
        };
        Ok(Self { identity: Some(identity), conversation, standing })
    }
}

impl Said<'_> {
    fn conversation(&self) -> Result<Option<ConversationId>, Rejection> {
        self.dialect.implied_conversation(self.auth, |name| self.handshake.query_value(name))
    }
}

/// Somebody who says himself who he is, where that is enough. Whoever it is, he gets no role by saying so.
pub(in crate::socket) async fn claimed(app: &App, user: UserId) -> Identity {
    let claimed = Identity::claimed(user);
    let user = app.profile_of(claimed.user.id.clone()).await.unwrap_or_else(|_| claimed.user.clone());
    Identity { user: Profile { role: None, ..user }, ..claimed }
}

/// As what somebody uses the conversation that his handshake implies.
///
/// # Errors
/// `not_found`, `not_a_participant`; `rate_limited` when he joins too often; `unavailable`.
pub(in crate::socket) async fn standing(
    app: &App,
    identity: &Identity,
    conversation: &ConversationId,
) -> Result<Standing, Rejection> {
    app.limits.join(&identity.user.id)?;
    let asker = Asker { user: &identity.user.id, grants: &identity.grants };
    let found = app.membership.standing(asker, conversation).await;
    match found {
        Err(rejection)
            if rejection.code == Code::NotAParticipant && app.membership.policy() == Policy::Members =>
        {
            let stored = app.store.conversation(conversation).await.map_err(|error| {
                tracing::warn!(%error, %conversation, "failed to look up a conversation");
                Rejection::from(Code::Unavailable)
            })?;
            let is_there = stored.is_some_and(|stored| !stored.deleted);
            Err(if is_there { rejection } else { Code::NotFound.into() })
        }
        found => found,
    }
}
