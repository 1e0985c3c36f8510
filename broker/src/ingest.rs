//! The consuming side of the streams: reading what was appended, taking over what dead consumers left, and
//! acknowledging what is persisted.
//!
//! An entry leaves its stream only through [`Acknowledger::acknowledge`]; until then it is pending for one consumer
//! of the group, and comes back when that one dies. What the entries mean is the worker's business.

mod acknowledge;
mod consumer;
mod entry;
mod reply;
mod settle;
mod status;

pub use acknowledge::{Acknowledged, Acknowledger, Persisted};
pub use consumer::{ClaimCursor, Consumer, Delivery};
pub use entry::{Entry, EntryId};
pub use settle::Settler;
pub use status::{ConsumerStatus, StreamStatus};

use crate::{keys::Keys, partition::Partition};

/// The consumer group of every stream.
pub const GROUP: &str = "persist";

/// Which of a partition's streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StreamKind {
    /// Durable events.
    Ingest,
    /// Moved cursors.
    Receipts,
}

impl StreamKind {
    /// Both streams.
    pub const ALL: [StreamKind; 2] = [StreamKind::Ingest, StreamKind::Receipts];

    /// The stream's name, for people and in dead letters.
    pub fn as_str(self) -> &'static str {
        match self {
            StreamKind::Ingest => "ingest",
            StreamKind::Receipts => "receipts",
        }
    }

    fn key(self, keys: &Keys, partition: Partition) -> String {
        match self {
            StreamKind::Ingest => keys.ingest(partition),
            StreamKind::Receipts => keys.receipts(partition),
        }
    }

    fn size_key(self, keys: &Keys, partition: Partition) -> String {
        match self {
            StreamKind::Ingest => keys.ingest_size(partition),
            StreamKind::Receipts => keys.receipts_size(partition),
        }
    }
}
