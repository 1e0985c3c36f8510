//! Objects: where a message or a call is, known from its id alone before Postgres has it.

mod id;

pub use id::ObjectId;

use fred::interfaces::HashesInterface;
use futures_util::{StreamExt, TryStreamExt, stream};
use parlance_domain::{
    id::{ConversationId, MessageId, UserId},
    message::Place,
    version::{Seq, Version},
};

use crate::{broker::Broker, error::BrokerError, heads::parse_version, metrics::begin};

/// How many objects are asked for at the same time.
const IN_FLIGHT: usize = 128;

/// What Redis knows of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageObject {
    /// Where it is.
    pub place: Place,
    /// The newest state of the message itself, reactions left aside.
    pub version: Version,
    /// Whether it was taken back.
    pub deleted: bool,
}

impl Broker {
    /// The places of those of the messages that Redis knows.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn objects(&self, ids: &[MessageId]) -> Result<Vec<Place>, BrokerError> {
        let objects = stream::iter(ids.to_vec()).map(|id| self.object(id)).buffered(IN_FLIGHT);
        objects.try_filter_map(async |object| Ok(object.map(|object| object.place))).try_collect().await
    }

    /// What Redis knows of a message; `None` when it knows nothing, because Postgres has it.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn object(&self, id: MessageId) -> Result<Option<MessageObject>, BrokerError> {
        const FIELDS: [&str; 5] = ["conv", "seq", "state", "sender", "deleted"];
        let Some(key) = self.keys().object(id) else { return Ok(None) };
        let values: Vec<Option<String>> =
            begin("object").end(self.client().hmget(key, FIELDS.to_vec()).await)?;
        let [Some(conversation), Some(seq), Some(state), Some(sender), deleted] = values.as_slice() else {
            return Ok(None);
        };
        let malformed = || BrokerError::Unexpected(format!("the object of message {id}"));
        let conversation = ConversationId::new(conversation).map_err(|_| malformed())?;
        let seq = Seq(seq.parse().map_err(|_| malformed())?);
        let sender = UserId::new(sender).map_err(|_| malformed())?;
        let place = Place { id, conversation, seq, sender };
        let version = parse_version(state).ok_or_else(malformed)?;
        Ok(Some(MessageObject { place, version, deleted: deleted.is_some() }))
    }
}
