//! `[postgres]`: the database and how long it may take.

use std::time::Duration;

use crate::config::{Invalid, Reader, Setting, parse, well_known};
use crate::secret::Secret;

const URL: Setting =
    Setting::new("postgres.url", "The Postgres database: `postgres://user:password@host:5432/database`.")
        .secret_url()
        .env(well_known::DATABASE_URL);
const POOL_SIZE: Setting =
    Setting::new("postgres.pool_size", "How many connections a process opens at the most.").default("10");
const STATEMENT_DEADLINE: Setting =
    Setting::new("postgres.statement_deadline", "After how long a statement is given up.").default("5s");

/// The database, and what it is allowed to cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresSection {
    /// With credentials.
    pub url: Secret,
    /// Connections of this process at the most.
    pub pool_size: u32,
    /// After how long a statement is given up.
    pub statement_deadline: Duration,
}

impl PostgresSection {
    /// What can be set here.
    pub const SETTINGS: &'static [Setting] = &[URL, POOL_SIZE, STATEMENT_DEADLINE];

    /// Reads the section.
    ///
    /// # Errors
    /// When something in it is wrong.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let url = reader.require(&URL, parse::secret_url(&["postgres", "postgresql"]));
        let pool_size = reader.require(&POOL_SIZE, parse::number(1..=1_000));
        let bounds = Duration::from_millis(100)..=Duration::from_secs(600);
        let statement_deadline = reader.require(&STATEMENT_DEADLINE, parse::duration(bounds));
        Ok(Self { url: url?, pool_size: pool_size?, statement_deadline: statement_deadline? })
    }
}
