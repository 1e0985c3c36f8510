//! The sections that both binaries have. Each is a plain struct with its settings and how it is read.

mod admin;
mod log;
mod postgres;
mod presence;
mod redis;
mod shutdown;
mod traces;

pub use admin::AdminSection;
pub use log::{LogFormat, LogSection};
pub use postgres::PostgresSection;
pub use presence::PresenceSection;
pub use redis::RedisSection;
pub use shutdown::ShutdownSection;
pub use traces::TracesSection;

#[cfg(test)]
mod tests;
