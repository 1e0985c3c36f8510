//! Appending: the caller of `append.lua`, which alone gives events their numbers.

pub mod reaction;

use std::{fmt, future::Future, time::Duration};

use parlance_domain::{
    entry::Header,
    event::EventKind,
    id::{ConversationId, SessionId},
    trace::TraceParent,
    version::{Heads, Version},
};

use crate::{
    broker::Broker,
    error::BrokerError,
    heads::parse_version,
    keys::Keys,
    objects::ObjectId,
    replica::{History, Written},
    script::{Script, words},
};

/// Who may do what in a conversation, at one moment: the version of the event that last changed it. The default is
/// older than every one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Acl(pub Version);

impl fmt::Display for Acl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0.epoch, self.0.rev)
    }
}

/// What the numbers of a conversation are at the least.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Floors {
    /// The heads in Postgres; zeros for a conversation that is new.
    pub stored: Heads,
    /// The newest numbers that this process has seen itself; zeros when it has seen none.
    pub seen: Heads,
}

impl Floors {
    /// The form that `state.lua` reads.
    pub(crate) fn encode(floors: Option<Self>) -> String {
        let Some(Self { stored, seen }) = floors else {
            return String::new();
        };
        let heads = |heads: Heads| format!("{} {} {}", heads.version.epoch, heads.version.rev, heads.seq.0);
        format!("{} {}", heads(stored), heads(seen))
    }
}

/// An event to be appended.
#[derive(Debug, Clone)]
pub struct Append {
    /// Where it happens.
    pub conversation: ConversationId,
    /// What happens.
    pub kind: EventKind,
    /// The full new state of what it changes, as JSON.
    pub body: String,
    /// The connection that it comes from.
    pub origin: Option<SessionId>,
    /// The trace of the command, if it is traced.
    pub trace: Option<TraceParent>,
    /// What it was authorised under; `None` when the caller needs no authorisation.
    pub acl: Option<Acl>,
    /// What makes a repetition of this command recognisable.
    pub once: Once,
    /// The object that it creates or changes.
    pub object: Option<Object>,
}

impl Append {
    /// How long an event of the outbox is recognised when it is appended again.
    const OUTBOX_KEEP: Duration = Duration::from_secs(24 * 3600);

    /// An event from the outbox in Postgres, whose row's id makes a repetition recognisable.
    pub fn from_outbox(
        keys: &Keys,
        row_id: i64,
        conversation: ConversationId,
        kind: EventKind,
        body: String,
        origin: Option<SessionId>,
    ) -> Self {
        let key = keys.once_outbox(&conversation, row_id);
        let once = Once { key, keep: Self::OUTBOX_KEEP, mark: String::from("outbox") };
        Self { conversation, kind, body, origin, trace: None, acl: None, once, object: None }
    }
}

/// The idempotency of a command.
#[derive(Debug, Clone)]
pub struct Once {
    /// The key, from [`crate::keys::Keys::once`].
    pub key: String,
    /// How long a repetition is recognised.
    pub keep: Duration,
    /// What a repetition is answered with beside the first one's header: a word without spaces.
    pub mark: String,
}

/// The object of a message or a call in Redis.
#[derive(Debug, Clone)]
pub struct Object {
    /// Of what.
    pub id: ObjectId,
    /// The state that a change was decided on, reactions left aside; `None` when the event creates the object.
    pub expected: Option<Version>,
    /// What is known of it beside its numbers.
    pub fields: Vec<(&'static str, String)>,
}

/// What became of an append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// It has its place.
    Now(Header),
    /// It had happened before: the first one's mark and header.
    Before {
        /// [`Once::mark`] of the first one.
        mark: String,
        /// Its numbers.
        header: Header,
    },
    /// It was authorised under an acl that is over; this is the one in force.
    Reauthorize(Acl),
    /// The object has changed since the state that the change was decided on, or may have.
    Stale,
    /// The ingest stream is full.
    Overloaded,
}

/// What one run of the script answers.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Placed(Appended, History),
    Refused(Appended),
}

/// Bounds of what waits in Redis.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The most entries in one partition's stream.
    pub entries: u64,
    /// The most bytes in one partition's stream.
    pub bytes: u64,
}

/// How many durable events a conversation's hot log keeps, if they fit in [`LOG_BYTES`].
pub const LOG_ENTRIES: u64 = 256;
/// How many bytes a conversation's hot log keeps.
pub const LOG_BYTES: u64 = 1024 * 1024;

const SOURCE: &str = concat!(
    include_str!("../lua/state.lua"),
    include_str!("../lua/reactions.lua"),
    include_str!("../lua/append.lua")
);

/// Appends events.
#[derive(Debug, Clone)]
pub struct Appender {
    broker: Broker,
    script: Script,
    bounds: Bounds,
}

impl Appender {
    /// An appender that lets up to `bounds` wait in each partition's ingest stream.
    pub fn new(broker: Broker, bounds: Bounds) -> Self {
        Self { broker, script: Script::new("append", SOURCE), bounds }
    }

    /// Appends. When Redis does not know the conversation, or may have gone back in time, `floors` is asked
    /// for what the numbers are at the least, and the append is repeated with them.
    ///
    /// # Errors
    /// What `floors` fails with; and when Redis is away, where it is unknown whether the event was appended:
    /// the same [`Once`] finds out.
    pub async fn append<E, F>(&self, append: &Append, floors: impl Fn() -> F + Send) -> Result<Appended, E>
    where
        E: From<BrokerError>,
        F: Future<Output = Result<Floors, E>> + Send,
    {
        Ok(self.append_written(append, floors).await?.0)
    }

    /// Appends like [`Appender::append`], and says where the event is now, which
    /// [`ReplicaGate::confirm`](crate::replica::ReplicaGate::confirm) needs; `None` when it got no place.
    ///
    /// # Errors
    /// As [`Appender::append`].
    pub async fn append_written<E, F>(
        &self,
        append: &Append,
        floors: impl Fn() -> F + Send,
    ) -> Result<(Appended, Option<Written>), E>
    where
        E: From<BrokerError>,
        F: Future<Output = Result<Floors, E>> + Send,
    {
        match read_answer(&self.run_with_floors(append, &[String::new()], floors).await?)? {
            Answer::Placed(appended, history) => {
                Ok((appended, Some(self.written(&append.conversation, history))))
            }
            Answer::Refused(appended) => Ok((appended, None)),
        }
    }

    fn written(&self, conversation: &ConversationId, history: History) -> Written {
        Written { partition: self.broker.keys().partitions().of(conversation.as_str()), history }
    }

    /// Runs the script, and again with floors when it asks for them. `decision` is what it decides itself, see
    /// `append.lua`.
    async fn run_with_floors<E, F>(
        &self,
        append: &Append,
        decision: &[String],
        floors: impl Fn() -> F + Send,
    ) -> Result<Vec<String>, E>
    where
        E: From<BrokerError>,
        F: Future<Output = Result<Floors, E>> + Send,
    {
        let needs_floors =
            |answer: &[String]| matches!(answer, [word] if word == "unknown" || word == "verify");
        let mut answer = self.run(append, decision, None).await?;
        if needs_floors(&answer) {
            answer = self.run(append, decision, Some(floors().await?)).await?;
        }
        if needs_floors(&answer) {
            return Err(unexpected("append.lua wanted floors that it had been given").into());
        }
        Ok(answer)
    }

    async fn run(
        &self,
        append: &Append,
        decision: &[String],
        floors: Option<Floors>,
    ) -> Result<Vec<String>, BrokerError> {
        let keys = self.broker.keys();
        let id = &append.conversation;
        let partition = keys.partitions().of(id.as_str());
        let mut names = vec![
            keys.state(id),
            keys.log(id),
            keys.ingest(partition),
            keys.ingest_size(partition),
            keys.persisted(partition),
            keys.unsettled(partition),
            append.once.key.clone(),
        ];
        let object = append.object.as_ref().and_then(|object| Some((keys.object(object.id)?, object)));
        if let Some((key, _)) = &object {
            names.push(key.clone());
        }
        let arguments = self.arguments(append, decision, floors, object.map(|(_, object)| object));
        words(self.script.run(self.broker.client(), names, arguments).await?)
    }

    fn arguments(
        &self,
        append: &Append,
        decision: &[String],
        floors: Option<Floors>,
        object: Option<&Object>,
    ) -> Vec<String> {
        let flag = |yes: bool| if yes { "1" } else { "0" }.to_owned();
        let expected = object.and_then(|object| object.expected);
        let mut arguments = vec![
            append.kind.as_str().to_owned(),
            self.broker.keys().channel(&append.conversation),
            append.conversation.as_str().to_owned(),
            append.body.clone(),
            source(append),
            flag(append.kind == EventKind::MessageCreated),
            append.acl.map(|acl| acl.to_string()).unwrap_or_default(),
            flag(append.kind.changes_membership()),
            append.once.keep.as_secs().max(1).to_string(),
            append.once.mark.clone(),
            self.bounds.entries.to_string(),
            self.bounds.bytes.to_string(),
            LOG_ENTRIES.to_string(),
            LOG_BYTES.to_string(),
            Floors::encode(floors),
            expected.map(|Version { epoch, rev }| format!("{epoch}:{rev}")).unwrap_or_default(),
        ];
        arguments.extend_from_slice(decision);
        for (name, value) in object.iter().flat_map(|object| &object.fields) {
            arguments.extend([(*name).to_owned(), value.clone()]);
        }
        arguments
    }
}

/// The end of the header.
fn source(append: &Append) -> String {
    let origin = append.origin.as_ref().map_or("-", SessionId::as_str);
    append.trace.as_ref().map_or_else(|| origin.to_owned(), |trace| format!("{origin} {trace}"))
}

fn unexpected(answer: &str) -> BrokerError {
    BrokerError::Unexpected(answer.to_owned())
}

fn read_header(line: &str) -> Result<Header, BrokerError> {
    Header::parse(line).map_err(|error| BrokerError::Unexpected(error.to_string()))
}

/// What is kept of a command: its mark and its header.
fn read_kept(kept: &str) -> Result<Appended, BrokerError> {
    let (mark, header) = kept.split_once(' ').ok_or_else(|| unexpected(kept))?;
    Ok(Appended::Before { mark: mark.to_owned(), header: read_header(header)? })
}

fn read_acl(text: &str) -> Result<Acl, BrokerError> {
    Ok(Acl(parse_version(text).ok_or_else(|| unexpected(text))?))
}

fn read_answer(words: &[String]) -> Result<Answer, BrokerError> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Ok(match words.as_slice() {
        ["ok", header, _ingest_id, history] => {
            Answer::Placed(Appended::Now(read_header(header)?), History::new(history))
        }
        ["repeat", kept, history] => Answer::Placed(read_kept(kept)?, History::new(history)),
        ["reauthorize", acl] => Answer::Refused(Appended::Reauthorize(read_acl(acl)?)),
        ["stale"] => Answer::Refused(Appended::Stale),
        ["overloaded"] => Answer::Refused(Appended::Overloaded),
        other => return Err(unexpected(&other.join(" "))),
    })
}
