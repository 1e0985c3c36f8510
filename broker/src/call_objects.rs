//! The objects of calls: unlike that of a message, a call's object is its whole state. It is found, and decided on, from
//! the id alone, whatever became of the hot log, until Postgres has it.

use fred::interfaces::HashesInterface;
use parlance_domain::{
    call::{Call, CallBody},
    entry::Header,
    event::EventKind,
    id::{CallId, ConversationId},
    time::Timestamp,
    version::{Seq, Version},
};

use crate::{append::Object, broker::Broker, error::BrokerError, metrics::begin};

/// What the append script writes itself, then what [`Object::of_call`] adds.
const FIELDS: [&str; 6] = ["conv", "epoch", "rev", "at", "kind", "call"];

impl Object {
    /// The object of a call. `expected` is the version of the state that a change was decided on, `None` for a start;
    /// `body` is the event's.
    pub fn of_call(id: CallId, expected: Option<Version>, kind: EventKind, body: &str) -> Self {
        let fields = vec![("kind", kind.as_str().to_owned()), ("call", body.to_owned())];
        Self { id: id.into(), expected, fields }
    }
}

impl Broker {
    /// A call as Redis knows it; `None` when it knows nothing, because Postgres has it.
    ///
    /// # Errors
    /// When Redis is away, or the object is malformed.
    pub async fn call(&self, id: CallId) -> Result<Option<Call>, BrokerError> {
        let Some(key) = self.keys().object(id) else { return Ok(None) };
        let values: Vec<Option<String>> =
            begin("call_object").end(self.client().hmget(key, FIELDS.to_vec()).await)?;
        let Some(values) = values.into_iter().collect::<Option<Vec<String>>>() else {
            // An id that somebody invented may also be that of a message, whose object has other fields.
            return Ok(None);
        };
        let call =
            read(&values).ok_or_else(|| BrokerError::Unexpected(format!("the object of call {id}")))?;
        Ok(Some(call))
    }
}

fn read(values: &[String]) -> Option<Call> {
    let [conversation, epoch, rev, at, kind, body] = values else { return None };
    let header = Header {
        kind: EventKind::parse(kind)?,
        version: Version::new(epoch.parse().ok()?, rev.parse().ok()?),
        seq: Seq(0),
        at: Timestamp(at.parse().ok()?),
        origin: None,
        trace: None,
    };
    let body: CallBody = serde_json::from_str(body).ok()?;
    Some(Call::after(ConversationId::new(conversation).ok()?, &header, body))
}
