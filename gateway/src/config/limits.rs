//! `[limits]`: how much is too much.

use parlance_chassis::config::{Invalid, Reader, Setting, parse};

const EVENTS_PER_SECOND: Setting = Setting::new(
    "limits.events_per_second",
    "How many events a socket may send in a second, in the long run. Those beyond it are answered `rate_limited`.",
)
.default("10");
const EVENTS_BURST: Setting =
    Setting::new("limits.events_burst", "How many events a socket may send at once after a pause.")
        .default("20");
const JOINED_CONVERSATIONS: Setting = Setting::new(
    "limits.joined_conversations",
    "How many conversations a socket may have joined at the same time.",
)
.default("1000");
const INGEST_ENTRIES: Setting = Setting::new(
    "limits.ingest_entries",
    "How many events may wait in one partition of Redis to be persisted. Beyond it commands are answered \
     `overloaded`.",
)
.default("200000");
const INGEST_BYTES: Setting =
    Setting::new("limits.ingest_bytes", "How many bytes of such events may wait in one partition.")
        .default("64MiB");
const RECEIPTS_ENTRIES: Setting = Setting::new(
    "limits.receipts_entries",
    "How many receipts may wait in one partition of Redis to be persisted.",
)
.default("200000");
const RECEIPTS_BYTES: Setting =
    Setting::new("limits.receipts_bytes", "How many bytes of receipts may wait in one partition.")
        .default("32MiB");

/// How much is too much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitsSection {
    /// Of one socket, at least 1.
    pub events_per_second: u32,
    /// Of one socket, at least 1.
    pub events_burst: u32,
    /// Of one socket.
    pub joined_conversations: usize,
    /// Of one partition's ingest stream.
    pub ingest_entries: u64,
    /// Of one partition's ingest stream.
    pub ingest_bytes: u64,
    /// Of one partition's receipts stream.
    pub receipts_entries: u64,
    /// Of one partition's receipts stream.
    pub receipts_bytes: u64,
}

impl LimitsSection {
    /// What can be set here.
    pub const SETTINGS: &'static [Setting] = &[
        EVENTS_PER_SECOND,
        EVENTS_BURST,
        JOINED_CONVERSATIONS,
        INGEST_ENTRIES,
        INGEST_BYTES,
        RECEIPTS_ENTRIES,
        RECEIPTS_BYTES,
    ];

    /// Reads the section.
    ///
    /// # Errors
    /// When something in it is wrong.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let entries = || parse::number(1..=1_000_000_000_u64);
        // The largest message must fit: a megabyte of content, each byte of which JSON may write as six.
        let bytes = || parse::byte_size(8 << 20..=1 << 40);
        let events_per_second = reader.require(&EVENTS_PER_SECOND, parse::number(1..=1_000_000));
        let events_burst = reader.require(&EVENTS_BURST, parse::number(1..=1_000_000));
        let joined_conversations = reader.require(&JOINED_CONVERSATIONS, parse::number(1..=100_000));
        let ingest_entries = reader.require(&INGEST_ENTRIES, entries());
        let ingest_bytes = reader.require(&INGEST_BYTES, bytes());
        let receipts_entries = reader.require(&RECEIPTS_ENTRIES, entries());
        let receipts_bytes = reader.require(&RECEIPTS_BYTES, bytes());
        Ok(Self {
            events_per_second: events_per_second?,
            events_burst: events_burst?,
            joined_conversations: joined_conversations?,
            ingest_entries: ingest_entries?,
            ingest_bytes: ingest_bytes?,
            receipts_entries: receipts_entries?,
            receipts_bytes: receipts_bytes?,
        })
    }
}
