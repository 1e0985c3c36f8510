//! The broker against a real Redis: `PARLANCE_TEST_REDIS_URL` for most, servers of their own for those that restart,
//! freeze or fill it.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking"
)]

mod cluster;
mod listening;
mod server;
mod world;

mod appending;
mod bounds;
mod call_objects;
mod claims;
mod heads;
mod hot_log;
mod idempotency;
mod layout;
mod lease;
mod lifetimes;
mod members;
mod model;
mod objects;
mod one_shard_away;
mod outage;
mod presence;
mod reactions;
mod receipts;
mod receipts_told;
mod replica;
mod restart;
mod stats;
mod subscribing;
