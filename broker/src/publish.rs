//! Publishing what has no place in a conversation's order: for those who are there now.

use fred::{interfaces::PubsubInterface, types::Value};
use parlance_domain::{
    entry::Header,
    id::{ConversationId, UserId},
    user_event::UserEvent,
};

use crate::{broker::Broker, error::BrokerError, metrics::begin};

impl Broker {
    /// Publishes header and body on the conversation's channel.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn publish(&self, id: &ConversationId, header: &Header, body: &str) -> Result<(), BrokerError> {
        let _: i64 = begin("publish")
            .end(self.client().spublish(self.keys().channel(id), format!("{header}\n{body}")).await)?;
        Ok(())
    }

    /// Publishes an event on a user's channel, for all sockets of the user that are connected now.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn publish_to_user(&self, user: &UserId, event: &UserEvent) -> Result<(), BrokerError> {
        let text =
            serde_json::to_string(event).map_err(|error| BrokerError::Unexpected(error.to_string()))?;
        let _: i64 = begin("publish_to_user")
            .end(self.client().spublish(self.keys().user_channel(user), text).await)?;
        Ok(())
    }

    /// Publishes what a Socket.IO adapter says to others, on one of their channels ([`Keys::cluster_prefix`]).
    ///
    /// [`Keys::cluster_prefix`]: crate::keys::Keys::cluster_prefix
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn publish_to_cluster(&self, channel: &str, payload: Vec<u8>) -> Result<(), BrokerError> {
        let _: i64 = begin("publish_to_cluster")
            .end(self.client().spublish(channel, Value::Bytes(payload.into())).await)?;
        Ok(())
    }

    /// How many processes listen on such a channel.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn count_cluster(&self, channel: &str) -> Result<u16, BrokerError> {
        let (_, count): (String, u16) =
            begin("count_cluster").end(self.client().pubsub_shardnumsub(channel).await)?;
        Ok(count)
    }
}
