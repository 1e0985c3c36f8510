//! Reading a conversation's hot log, the newest of its durable events.

use fred::{
    interfaces::{KeysInterface, StreamsInterface},
    types::Value,
};
use parlance_domain::{
    entry::{Envelope, Header},
    event::Event,
    id::ConversationId,
    message::Message,
    receipt::Covered,
    version::Seq,
};

use crate::{append::LOG_ENTRIES, broker::Broker, error::BrokerError, metrics::begin};

/// How many entries are asked for at once.
const PAGE: u64 = 64;

/// One event of the hot log.
#[derive(Debug, Clone, PartialEq)]
struct LogEntry {
    envelope: Envelope,
    ingest_id: String,
}

impl Broker {
    /// The events after `rev`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// When Redis is away, or an entry is malformed.
    pub async fn log_after(
        &self,
        id: &ConversationId,
        rev: u64,
        limit: u64,
    ) -> Result<Vec<Envelope>, BrokerError> {
        let start = format!("{}-0", rev.saturating_add(1));
        let entries: Value = begin("log_after")
            .end(self.client().xrange(self.keys().log(id), start, "+", Some(limit)).await)?;
        Ok(read_entries(id, entries)?.into_iter().map(|entry| entry.envelope).collect())
    }

    /// The events that Postgres may not have yet, newest first. What is not among them was in Postgres
    /// before this was asked.
    ///
    /// # Errors
    /// When Redis is away, or an entry is malformed.
    pub async fn log_unpersisted(&self, id: &ConversationId) -> Result<Vec<Envelope>, BrokerError> {
        let partition = self.keys().partitions().of(id.as_str());
        let persisted: Option<String> =
            begin("low_water").end(self.client().get(self.keys().persisted(partition)).await)?;
        let persisted = persisted.as_deref().map(stream_id).unwrap_or_default();
        let mut found = Vec::new();
        let mut end = String::from("+");
        loop {
            let page: Value = begin("log_page")
                .end(self.client().xrevrange(self.keys().log(id), &*end, "-", Some(PAGE)).await)?;
            let entries = read_entries(id, page)?;
            let full = entries.len() as u64 == PAGE;
            for entry in entries {
                if stream_id(&entry.ingest_id) < persisted {
                    return Ok(found);
                }
                end = format!("({}-0", entry.envelope.header.version.rev);
                found.push(entry.envelope);
            }
            if !full {
                return Ok(found);
            }
        }
    }

    /// The messages that were sent beyond a place, newest first, of those that the log still has: at most as many as it
    /// has entries where it is cut.
    ///
    /// # Errors
    /// When Redis is away, or an entry is malformed.
    pub async fn log_messages_above(
        &self,
        id: &ConversationId,
        above: Seq,
    ) -> Result<Vec<Covered>, BrokerError> {
        let mut found = Vec::new();
        let mut end = String::from("+");
        for _ in 0..LOG_ENTRIES / PAGE {
            let page: Value = begin("log_page")
                .end(self.client().xrevrange(self.keys().log(id), &*end, "-", Some(PAGE)).await)?;
            let entries = read_entries(id, page)?;
            let full = entries.len() as u64 == PAGE;
            for LogEntry { envelope, .. } in entries {
                end = format!("({}-0", envelope.header.version.rev);
                let Event::MessageCreated(message) = envelope.event else { continue };
                if message.seq <= above {
                    return Ok(found);
                }
                let Message { seq, body, .. } = *message;
                found.push(Covered { id: body.id, seq, sender: body.sender.id });
            }
            if !full {
                break;
            }
        }
        Ok(found)
    }

    /// The newest entry of the conversation's partition that is not in Postgres yet; `None` when all are.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn ingest_tail(&self, id: &ConversationId) -> Result<Option<IngestMark>, BrokerError> {
        let key = self.keys().ingest(self.keys().partitions().of(id.as_str()));
        let newest: Vec<Row> =
            rows(begin("ingest_tail").end(self.client().xrevrange(key, "+", "-", Some(1)).await)?)?;
        Ok(newest.into_iter().next().map(|(id, _)| IngestMark(id)))
    }

    /// Whether everything up to `mark` has left the stream: entries do so when they are in Postgres, or parked.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn is_persisted(&self, id: &ConversationId, mark: &IngestMark) -> Result<bool, BrokerError> {
        let key = self.keys().ingest(self.keys().partitions().of(id.as_str()));
        let waiting: Vec<Row> =
            rows(begin("ingest_until").end(self.client().xrange(key, "-", mark.0.as_str(), Some(1)).await)?)?;
        Ok(waiting.is_empty())
    }
}

/// A place in an ingest stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IngestMark(String);

/// A stream entry as Redis answers it: id, then names and values.
type Row = (String, Vec<String>);

fn rows(answer: Value) -> Result<Vec<Row>, BrokerError> {
    match answer {
        Value::Null => Ok(Vec::new()),
        answer => {
            answer.convert().map_err(|error| BrokerError::Unexpected(format!("stream entries: {error}")))
        }
    }
}

/// The two numbers of a stream id, which order it.
pub(crate) fn stream_id(text: &str) -> (u64, u64) {
    let (ms, n) = text.split_once('-').unwrap_or((text, "0"));
    (ms.parse().unwrap_or(0), n.parse().unwrap_or(0))
}

fn read_entries(id: &ConversationId, answer: Value) -> Result<Vec<LogEntry>, BrokerError> {
    let malformed = |what: String| BrokerError::Unexpected(format!("hot log entry: {what}"));
    let read = |(entry_id, fields): Row| {
        let [h, header, b, body, i, ingest_id] = fields.as_slice() else {
            return Err(malformed(format!("{entry_id} has {} parts", fields.len())));
        };
        if [h, b, i] != ["h", "b", "i"] {
            return Err(malformed(format!("{entry_id} has other fields")));
        }
        let header = Header::parse(header).map_err(|error| malformed(error.to_string()))?;
        let envelope =
            Envelope::decode(id.clone(), header, body).map_err(|error| malformed(error.to_string()))?;
        Ok(LogEntry { envelope, ingest_id: ingest_id.clone() })
    };
    rows(answer)?.into_iter().map(read).collect()
}
