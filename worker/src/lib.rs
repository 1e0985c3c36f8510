//! The worker: takes what the gateways appended out of Redis and writes it to Postgres.
//!
//! Entries are read by one reader a partition, gathered to batches by a few writers, written in one transaction a
//! batch, and acknowledged after its commit ([`ingest`]). Workers simply compete: a row changes only to a newer
//! version, so any number of them may write the same entry in any order. Beside that run small tasks that keep
//! Redis tidy and finish what a crash left ([`task`]).

pub mod app;
pub mod cli;
pub mod config;
pub mod dead_letter;
pub mod ingest;
pub mod metrics;
pub mod task;
