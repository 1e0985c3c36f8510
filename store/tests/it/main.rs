//! The store against a real Postgres.

mod conversations;
mod database;
mod messages;
mod outbox;
mod participants;
mod schema;
mod users;
