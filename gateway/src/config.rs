//! The configuration of a gateway: which sections it has, and how they are read together. What a section holds, its
//! defaults and bounds stand in the section's own file; where values come from is the chassis' business.

mod auth;
mod drain;
mod gateway;
mod limits;
mod server;
mod socket;
mod uploads;

use std::path::Path;

use parlance_chassis::config::{
    self, ConfigErrors, Environment, Invalid, Problem, Reader, Schema, Sources,
    sections::{
        AdminSection, LogSection, PostgresSection, PresenceSection, RedisSection, ShutdownSection,
        TracesSection,
    },
};

use crate::web::origins::Origins;

pub use auth::AuthSection;
pub use drain::DrainSection;
pub use gateway::{GatewaySection, PresenceReaders};
pub use limits::LimitsSection;
pub use server::ServerSection;
pub use socket::SocketSection;
pub use uploads::UploadsSection;

/// Everything that a gateway is told, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where clients and backends reach it.
    pub server: ServerSection,
    /// Engine.IO and Socket.IO.
    pub socket: SocketSection,
    /// Who somebody is.
    pub auth: AuthSection,
    /// What it does for conversations.
    pub gateway: GatewaySection,
    /// How much is too much.
    pub limits: LimitsSection,
    /// Files.
    pub uploads: UploadsSection,
    /// How long it is believed who is connected.
    pub presence: PresenceSection,
    /// Redis.
    pub redis: RedisSection,
    /// Postgres.
    pub postgres: PostgresSection,
    /// The listener for probes and metrics.
    pub admin: AdminSection,
    /// What is logged.
    pub log: LogSection,
    /// Where traces go.
    pub traces: TracesSection,
    /// How it takes leave of its clients.
    pub drain: DrainSection,
    /// How it ends.
    pub shutdown: ShutdownSection,
}

impl Config {
    /// Every setting of a gateway.
    pub fn schema() -> Schema {
        Schema::new(&[
            ServerSection::SETTINGS,
            SocketSection::SETTINGS,
            AuthSection::SETTINGS,
            GatewaySection::SETTINGS,
            LimitsSection::SETTINGS,
            UploadsSection::SETTINGS,
            PresenceSection::SETTINGS,
            RedisSection::SETTINGS,
            PostgresSection::SETTINGS,
            AdminSection::SETTINGS,
            LogSection::SETTINGS,
            TracesSection::SETTINGS,
            DrainSection::SETTINGS,
            ShutdownSection::SETTINGS,
        ])
        .beside(&["calls", "ingest", "notifications"])
    }

    /// Reads the file at `path`, or the one that the environment names, and the environment.
    ///
    /// # Errors
    /// Every mistake in them.
    pub fn load(path: Option<&Path>, environment: Environment) -> Result<Self, ConfigErrors> {
        Self::from_sources(&Sources::load(path, environment)?)
    }

    /// Reads all sections.
    ///
    /// # Errors
    /// Every mistake in them.
    pub fn from_sources(sources: &Sources) -> Result<Self, ConfigErrors> {
        config::read(&Self::schema(), sources, Self::read)
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let server = ServerSection::read(reader);
        let socket = SocketSection::read(reader);
        let auth = AuthSection::read(reader);
        let gateway = GatewaySection::read(reader);
        let limits = LimitsSection::read(reader);
        let uploads = UploadsSection::read(reader);
        let presence = PresenceSection::read(reader);
        let redis = RedisSection::read(reader);
        let postgres = PostgresSection::read(reader);
        let admin = AdminSection::read(reader);
        let log = LogSection::read(reader);
        let traces = TracesSection::read(reader);
        let drain = DrainSection::read(reader);
        let shutdown = ShutdownSection::read(reader);
        let config = Self {
            server: server?,
            socket: socket?,
            auth: auth?,
            gateway: gateway?,
            limits: limits?,
            uploads: uploads?,
            presence: presence?,
            redis: redis?,
            postgres: postgres?,
            admin: admin?,
            log: log?,
            traces: traces?,
            drain: drain?,
            shutdown: shutdown?,
        };
        config.check(reader)?;
        Ok(config)
    }

    /// What shows only when sections are seen together.
    fn check(&self, reader: &mut Reader<'_>) -> Result<(), Invalid> {
        if self.auth.token_cookie.is_some() && self.server.origins == Origins::Any {
            // Browsers send cookies with a WebSocket handshake from any page.
            let problem =
                Problem::new("would let every web page act for its visitors, while server.origins is *")
                    .hint("list the origins of your own pages in server.origins");
            return Err(reader.refuse(&auth::TOKEN_COOKIE, problem));
        }
        self.drain.check(&self.shutdown, reader)
    }

    /// What an operator should know although the gateway starts with it.
    pub fn warnings(&self) -> Vec<&'static str> {
        self.auth.warnings()
    }
}

#[cfg(test)]
mod tests;
