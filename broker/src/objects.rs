//! Objects: where a message is, known from its id alone before Postgres has it.

use fred::interfaces::HashesInterface;
use futures_util::{StreamExt, TryStreamExt, stream};
use parlance_domain::{
    id::{ConversationId, MessageId},
    message::Place,
    version::Seq,
};

use crate::{broker::Broker, error::BrokerError};

/// How many objects are asked for at the same time.
const IN_FLIGHT: usize = 128;

impl Broker {
    /// The places of those of the messages that Redis knows.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn objects(&self, ids: &[MessageId]) -> Result<Vec<Place>, BrokerError> {
        let places = stream::iter(ids.to_vec()).map(|id| self.object(id)).buffered(IN_FLIGHT);
        places.try_filter_map(async |place| Ok(place)).try_collect().await
    }

    async fn object(&self, id: MessageId) -> Result<Option<Place>, BrokerError> {
        let Some(key) = self.keys().object(id) else {
            return Ok(None);
        };
        let values: Vec<Option<String>> = self.client().hmget(key, vec!["conv", "seq"]).await?;
        let [Some(conversation), Some(seq)] = values.as_slice() else {
            return Ok(None);
        };
        let malformed = || BrokerError::Unexpected(format!("the object of message {id}"));
        let conversation = ConversationId::new(conversation).map_err(|_| malformed())?;
        Ok(Some(Place { id, conversation, seq: Seq(seq.parse().map_err(|_| malformed())?) }))
    }
}
