//! The store against a real Postgres.

#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod activity;
mod calls;
mod changes;
mod conversations;
mod database;
mod list;
mod messages;
mod notifications;
mod outbox;
mod participants;
mod receipts;
mod schema;
mod users;
