//! `[redis]`: the server, and the layout of what stands in it.

use std::time::Duration;

use crate::config::{Invalid, Problem, Raw, Reader, Setting, parse, well_known};
use crate::secret::Secret;

const URL: Setting = Setting::new(
    "redis.url",
    "The Redis server, sentinels or cluster: `redis://user:password@host:6379/0`, `redis-sentinel://…`, `redis-cluster://…`.",
)
.secret_url()
.env(well_known::REDIS_URL);
const PREFIX: Setting = Setting::new(
    "redis.prefix",
    "What every key and channel begins with, so that one Redis serves several installations.",
)
.default("parlance:");
const PARTITIONS: Setting = Setting::new(
    "redis.partitions",
    "Into how many partitions conversations are divided. Recorded at the first start; all processes must agree.",
)
.default("16");
const COMMAND_DEADLINE: Setting =
    Setting::new("redis.command_deadline", "After how long a command is given up.").default("2s");

const MOST_PREFIX_BYTES: usize = 64;

/// The server, and the layout of what stands in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisSection {
    /// With credentials.
    pub url: Secret,
    /// What every key and channel begins with. Has no braces, which would be a hash tag.
    pub prefix: String,
    /// 1 to 1024.
    pub partitions: u16,
    /// After how long a command is given up.
    pub command_deadline: Duration,
}

impl RedisSection {
    /// What can be set here.
    pub const SETTINGS: &'static [Setting] = &[URL, PREFIX, PARTITIONS, COMMAND_DEADLINE];

    /// Reads the section.
    ///
    /// # Errors
    /// When something in it is wrong.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let url = reader.require(&URL, parse::secret_url(&["redis", "redis-sentinel", "redis-cluster"]));
        let prefix = reader.require(&PREFIX, prefix);
        let partitions = reader.require(&PARTITIONS, parse::number(1..=1_024));
        let bounds = Duration::from_millis(50)..=Duration::from_secs(60);
        let command_deadline = reader.require(&COMMAND_DEADLINE, parse::duration(bounds));
        Ok(Self { url: url?, prefix: prefix?, partitions: partitions?, command_deadline: command_deadline? })
    }
}

fn prefix(raw: &Raw) -> Result<String, Problem> {
    let text = parse::text(0..=MOST_PREFIX_BYTES)(raw)?;
    if text.chars().all(|c| c.is_ascii_alphanumeric() || ":._-".contains(c)) {
        return Ok(text);
    }
    Err(Problem::new("holds a character that a prefix may not have").hint("use letters, digits and : . _ -"))
}
