//! Tests of the gateway against what it talks to.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking"
)]

mod app;
mod client;
#[path = "../../../store/tests/it/database.rs"]
mod database;
mod lock;
mod proxy;

mod acknowledgement;
mod auth;
mod cli;
mod dialect;
mod disturbance;
mod drain;
mod history;
mod joining;
mod limits;
mod listener;
mod ordering;
mod receipts;
mod repair;
mod rest;
mod sending;
mod unavailable;
mod wire;
