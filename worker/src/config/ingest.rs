//! `[ingest]`: how entries are gathered and written.

use std::time::Duration;

use parlance_chassis::config::{Invalid, Problem, Reader, Setting, parse};

const BATCH_ENTRIES: Setting =
    Setting::new("ingest.batch_entries", "How many entries one transaction writes at the most.")
        .default("1000");
const BATCH_BYTES: Setting = Setting::new(
    "ingest.batch_bytes",
    "How many bytes of entries one transaction writes; it may be one entry more.",
)
.default("4MiB");
const BATCH_AGE: Setting =
    Setting::new("ingest.batch_age", "How long an entry waits for others to be written with.")
        .default("20ms");
const WRITERS: Setting =
    Setting::new("ingest.writers", "How many transactions are written at the same time.").default("2");
const BUFFER_ENTRIES: Setting =
    Setting::new("ingest.buffer_entries", "How many entries may wait in this process.").default("8000");
const BUFFER_BYTES: Setting = Setting::new(
    "ingest.buffer_bytes",
    "How many bytes of entries this process holds, waiting or being written.",
)
.default("64MiB");
const CLAIM_AFTER: Setting = Setting::new(
    "ingest.claim_after",
    "How long nobody may have worked on an entry before another worker takes it over.",
)
.default("10s");

/// How entries are gathered and written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngestSection {
    /// Entries a transaction at the most.
    pub batch_entries: usize,
    /// Bytes a transaction, plus at the most one entry.
    pub batch_bytes: u64,
    /// How long an entry waits for others.
    pub batch_age: Duration,
    /// Transactions at the same time.
    pub writers: usize,
    /// Entries that wait in this process at the most.
    pub buffer_entries: usize,
    /// Bytes of entries in this process at the most, apart from what was just read.
    pub buffer_bytes: u32,
    /// How long an entry is idle before it is taken over.
    pub claim_after: Duration,
}

impl IngestSection {
    /// What can be set here.
    pub const SETTINGS: &'static [Setting] =
        &[BATCH_ENTRIES, BATCH_BYTES, BATCH_AGE, WRITERS, BUFFER_ENTRIES, BUFFER_BYTES, CLAIM_AFTER];

    /// Reads the section.
    ///
    /// # Errors
    /// When something in it is wrong.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let batch_entries = reader.require(&BATCH_ENTRIES, parse::number(1..=10_000));
        let batch_bytes = reader.require(&BATCH_BYTES, parse::byte_size(1 << 10..=64 << 20));
        let ages = Duration::ZERO..=Duration::from_secs(1);
        let batch_age = reader.require(&BATCH_AGE, parse::duration(ages));
        let writers = reader.require(&WRITERS, parse::number(1..=16));
        let buffer_entries = reader.require(&BUFFER_ENTRIES, parse::number(1..=1_000_000));
        let buffer_bytes = reader.require(&BUFFER_BYTES, |raw| {
            let bytes = parse::byte_size(1 << 20..=1 << 30)(raw)?;
            u32::try_from(bytes).map_err(|_| Problem::new("is out of range"))
        });
        let claims = Duration::from_millis(100)..=Duration::from_secs(3_600);
        let claim_after = reader.require(&CLAIM_AFTER, parse::duration(claims));
        Ok(Self {
            batch_entries: batch_entries?,
            batch_bytes: batch_bytes?,
            batch_age: batch_age?,
            writers: writers?,
            buffer_entries: buffer_entries?,
            buffer_bytes: buffer_bytes?,
            claim_after: claim_after?,
        })
    }
}
