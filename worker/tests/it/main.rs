//! The worker against a real Redis and a real Postgres.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking"
)]

#[path = "../../../store/tests/it/database.rs"]
mod database;
mod entries;
mod proxy;
#[expect(dead_code, reason = "the broker's tests do more with it")]
#[path = "../../../broker/tests/it/server.rs"]
mod server;
mod world;

mod cli;
mod dead_letters;
mod low_water;
mod order;
mod outage;
mod outbox;
mod persisting;
mod settling;
mod status;
mod takeover;
