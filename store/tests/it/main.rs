//! The store against a real Postgres.

#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod conversations;
mod database;
mod messages;
mod outbox;
mod participants;
mod schema;
mod users;
