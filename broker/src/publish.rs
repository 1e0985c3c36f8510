//! Publishing what has no place in a conversation's order: for those who are there now.

use fred::interfaces::PubsubInterface;
use parlance_domain::{entry::Header, id::ConversationId};

use crate::{broker::Broker, error::BrokerError};

impl Broker {
    /// Publishes header and body on the conversation's channel.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn publish(&self, id: &ConversationId, header: &Header, body: &str) -> Result<(), BrokerError> {
        let _: i64 = self.client().spublish(self.keys().channel(id), format!("{header}\n{body}")).await?;
        Ok(())
    }
}
