//! The worker against a real Redis and a real Postgres.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking"
)]

#[expect(dead_code, reason = "the broker's tests do more with it")]
#[path = "../../../broker/tests/it/cluster.rs"]
mod cluster;
#[path = "../../../store/tests/it/database.rs"]
mod database;
mod ear;
mod entries;
#[path = "../../../chassis/tests/it/exposition.rs"]
mod exposition;
mod history;
mod proxy;
#[expect(dead_code, reason = "the broker's tests do more with it")]
#[path = "../../../broker/tests/it/server.rs"]
mod server;
mod world;

mod activity;
mod any_order;
mod calls;
mod cli;
mod dead_letters;
mod deletion;
mod low_water;
mod notification_jobs;
mod notifying;
mod order;
mod outage;
mod outbox;
mod persisting;
mod presence;
mod reactions_and_calls;
mod settling;
mod status;
mod takeover;
