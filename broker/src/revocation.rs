//! Since when the tokens of a user are in force. What a token is, and when it was issued, is the caller's business.

use std::time::Duration;

use fred::interfaces::KeysInterface;
use parlance_domain::{id::UserId, time::Timestamp, user_event::UserEvent};

use crate::{
    broker::Broker,
    error::BrokerError,
    metrics::begin,
    script::{Script, words},
};

impl Broker {
    /// Revokes the tokens of a user that were issued before a moment: stores it for `ttl`, or for ever, and publishes
    /// [`UserEvent::Revoked`], in one step. Answers with the moment that is in force then, which is never earlier than one
    /// before.
    ///
    /// # Errors
    /// When Redis is away; it may have happened.
    pub async fn revoke(
        &self,
        user: &UserId,
        before: Timestamp,
        ttl: Option<Duration>,
    ) -> Result<Timestamp, BrokerError> {
        let script = Script::new("revoke", include_str!("../lua/revoke.lua"));
        let event = UserEvent::Revoked { before: before.0 };
        let event =
            serde_json::to_string(&event).map_err(|error| BrokerError::Unexpected(error.to_string()))?;
        let ms = |ttl: Duration| i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX).max(1);
        let ttl = ttl.map_or(0, ms);
        let arguments = vec![before.0.to_string(), ttl.to_string(), self.keys().user_channel(user), event];
        let answer = words(script.run(self.client(), vec![self.keys().revoked(user)], arguments).await?)?;
        let moment = answer.first().and_then(|moment| moment.parse().ok());
        moment.map(Timestamp).ok_or_else(|| BrokerError::Unexpected(answer.join(" ")))
    }

    /// The moment before which a user's tokens must have been issued to be revoked, if there is one.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn revoked_before(&self, user: &UserId) -> Result<Option<Timestamp>, BrokerError> {
        let moment: Option<i64> =
            begin("revoked_before").end(self.client().get(self.keys().revoked(user)).await)?;
        Ok(moment.map(Timestamp))
    }
}
