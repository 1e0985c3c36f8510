//! Tests of the gateway against what it talks to.

mod app;
mod client;
#[path = "../../../store/tests/it/database.rs"]
mod database;
mod proxy;

mod cli;
mod dialect;
mod joining;
mod listener;
mod ordering;
mod repair;
mod unavailable;
mod wire;
