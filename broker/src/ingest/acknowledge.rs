//! Acknowledging: the caller of `acknowledge.lua`.

use parlance_domain::version::Version;

use super::{EntryId, GROUP, StreamKind};
use crate::{broker::Broker, error::BrokerError, objects::ObjectId, partition::Partition, script::Script};

const SOURCE: &str =
    concat!(include_str!("../../lua/low_water.lua"), include_str!("../../lua/acknowledge.lua"));

/// How long an object lives on when its newest state is in Postgres.
const OBJECT_SECONDS: u64 = 3_600;

/// How many entries one run of the script takes; more would hold up everybody else for too long.
const ENTRIES_A_RUN: usize = 500;

/// An entry that is in Postgres, or parked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Persisted {
    /// Its id.
    pub id: EntryId,
    /// Its size, from [`super::Entry::size`].
    pub size: u64,
    /// The object that it created or changed, and the version that it gave it.
    pub object: Option<(ObjectId, Version)>,
}

/// What was taken out of a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Acknowledged {
    /// How many entries. Those that somebody else acknowledged before are not among them.
    pub entries: u64,
    /// Their size in bytes.
    pub bytes: u64,
}

/// Acknowledges entries.
#[derive(Debug, Clone)]
pub struct Acknowledger {
    broker: Broker,
    script: Script,
}

impl Acknowledger {
    /// An acknowledger for every partition.
    pub fn new(broker: Broker) -> Self {
        Self { broker, script: Script::new("acknowledge", SOURCE) }
    }

    /// Takes entries out of their stream, which tells everybody that they are persisted.
    ///
    /// # Errors
    /// When Redis is away. To repeat it does no harm.
    pub async fn acknowledge(
        &self,
        partition: Partition,
        stream: StreamKind,
        entries: &[Persisted],
    ) -> Result<Acknowledged, BrokerError> {
        let mut sum = Acknowledged::default();
        for some in entries.chunks(ENTRIES_A_RUN) {
            let one = self.run(partition, stream, some).await?;
            sum.entries += one.entries;
            sum.bytes += one.bytes;
        }
        Ok(sum)
    }

    async fn run(
        &self,
        partition: Partition,
        stream: StreamKind,
        entries: &[Persisted],
    ) -> Result<Acknowledged, BrokerError> {
        let keys = self.broker.keys();
        let mark = match stream {
            StreamKind::Ingest => keys.persisted(partition),
            StreamKind::Receipts => stream.size_key(keys, partition),
        };
        let mut names = vec![stream.key(keys, partition), stream.size_key(keys, partition), mark];
        let mut arguments = vec![GROUP.to_owned(), entries.len().to_string(), OBJECT_SECONDS.to_string()];
        for entry in entries {
            arguments.extend([entry.id.to_string(), entry.size.to_string()]);
        }
        // An id that carries another partition names a key that this script must not touch.
        let objects = entries.iter().filter_map(|entry| entry.object);
        for (id, version) in objects.filter(|(id, _)| id.partition() == partition.0) {
            names.extend(keys.object(id));
            arguments.extend([version.epoch.to_string(), version.rev.to_string()]);
        }
        let answer = self.script.run(self.broker.client(), names, arguments).await?;
        let [entries, bytes] = answer
            .convert::<Vec<u64>>()
            .ok()
            .and_then(|numbers| <[u64; 2]>::try_from(numbers).ok())
            .ok_or_else(|| {
                BrokerError::Unexpected(String::from("acknowledge.lua answered no two numbers"))
            })?;
        Ok(Acknowledged { entries, bytes })
    }
}
