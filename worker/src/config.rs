//! The worker's configuration.

mod calls;
mod ingest;
mod notifications;

use parlance_broker::BrokerConfig;
use parlance_chassis::config::{
    ConfigErrors, Invalid, Reader, Schema, Sources, read,
    sections::{
        AdminSection, LogSection, PostgresSection, PresenceSection, RedisSection, ShutdownSection,
        TracesSection,
    },
};
use parlance_store::StoreConfig;

pub use calls::CallsSection;
pub use ingest::IngestSection;
pub use notifications::NotificationsSection;

/// Everything that can be set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What is logged and how.
    pub log: LogSection,
    /// Where traces go.
    pub traces: TracesSection,
    /// Where probes and metrics are served.
    pub admin: AdminSection,
    /// The streams.
    pub redis: RedisSection,
    /// The database.
    pub postgres: PostgresSection,
    /// How entries are gathered and written.
    pub ingest: IngestSection,
    /// When a call is ended that nobody ends.
    pub calls: CallsSection,
    /// How participants are notified of messages.
    pub notifications: NotificationsSection,
    /// When gateways count as dead.
    pub presence: PresenceSection,
    /// How long the process may take to end.
    pub shutdown: ShutdownSection,
}

impl Settings {
    /// All settings of the worker.
    pub fn schema() -> Schema {
        Schema::new(&[
            LogSection::SETTINGS,
            TracesSection::SETTINGS,
            AdminSection::SETTINGS,
            RedisSection::SETTINGS,
            PostgresSection::SETTINGS,
            IngestSection::SETTINGS,
            CallsSection::SETTINGS,
            NotificationsSection::SETTINGS,
            PresenceSection::SETTINGS,
            ShutdownSection::SETTINGS,
        ])
        .beside(&["auth", "drain", "gateway", "limits", "server", "socket", "uploads"])
    }

    /// Reads and checks the configuration.
    ///
    /// # Errors
    /// All mistakes in it.
    pub fn read(sources: &Sources) -> Result<Self, ConfigErrors> {
        read(&Self::schema(), sources, Self::read_sections)
    }

    fn read_sections(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let log = LogSection::read(reader);
        let traces = TracesSection::read(reader);
        let admin = AdminSection::read(reader);
        let redis = RedisSection::read(reader);
        let postgres = PostgresSection::read(reader);
        let ingest = IngestSection::read(reader);
        let calls = CallsSection::read(reader);
        let notifications = NotificationsSection::read(reader);
        let presence = PresenceSection::read(reader);
        let shutdown = ShutdownSection::read(reader);
        Ok(Self {
            log: log?,
            traces: traces?,
            admin: admin?,
            redis: redis?,
            postgres: postgres?,
            ingest: ingest?,
            calls: calls?,
            notifications: notifications?,
            presence: presence?,
            shutdown: shutdown?,
        })
    }

    /// How to reach Redis.
    pub fn broker(&self) -> BrokerConfig {
        BrokerConfig {
            url: self.redis.url.expose().to_owned(),
            prefix: self.redis.prefix.clone(),
            partitions: self.redis.partitions,
            deadline: self.redis.command_deadline,
        }
    }

    /// How to reach Postgres.
    pub fn store(&self) -> StoreConfig {
        StoreConfig {
            url: self.postgres.url.expose().to_owned(),
            name: "parlance-worker",
            connections: self.postgres.pool_size,
            deadline: self.postgres.statement_deadline,
        }
    }
}

#[cfg(test)]
mod tests {
    use parlance_chassis::config::Environment;

    use super::*;

    #[test]
    fn the_declarations_have_no_flaws() {
        assert_eq!(Settings::schema().flaws(), Vec::<String>::new());
    }

    #[test]
    fn the_defaults_need_only_the_two_urls() {
        let pairs = [("REDIS_URL", "redis://h:6379"), ("DATABASE_URL", "postgres://u:p@h/d")];
        let settings = Settings::read(&Sources::new(None, Environment::from_pairs(pairs))).unwrap();
        assert_eq!((settings.ingest.batch_entries, settings.ingest.writers), (1_000, 2));
        let missing = Settings::read(&Sources::new(None, Environment::default())).unwrap_err();
        assert_eq!(missing.0.len(), 2, "{missing}");
    }
}
