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
mod calls;
mod cli;
mod conversations;
mod custom_events;
mod dialect;
mod disturbance;
mod drain;
mod etag;
mod history;
mod idempotency;
mod joining;
mod limits;
mod list;
mod listener;
mod messages;
mod notifications;
mod openapi;
mod ordering;
mod participants;
mod reactions;
mod receipts;
mod repair;
mod rest;
mod resuming;
mod sending;
mod session_end;
mod unavailable;
mod user_channel;
mod users;
mod wire;
