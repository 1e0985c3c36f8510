//! The worker against a real Redis and a real Postgres.

#[path = "../../../store/tests/it/database.rs"]
mod database;
mod entries;
mod proxy;
mod world;

mod cli;
mod dead_letters;
mod low_water;
mod order;
mod outage;
mod outbox;
mod persisting;
mod settling;
mod takeover;
