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
#[path = "../../../chassis/tests/it/exposition.rs"]
mod exposition;
mod lock;
mod proxy;

mod abuse;
mod acknowledgement;
mod activity;
mod auth;
mod calls;
mod cli;
mod compression;
mod conversations;
mod custom_events;
mod dialect;
mod dialect_routes;
mod disturbance;
mod drain;
mod encoding;
mod etag;
mod exclusive_joins;
mod fuzz;
mod headers;
mod history;
mod idempotency;
mod identifying;
mod implied;
mod insecure;
mod joining;
mod jwks;
mod limits;
mod list;
mod listener;
mod log_hygiene;
mod members;
mod messages;
mod metrics;
mod notifications;
mod openapi;
mod ordering;
mod origins;
mod own_tokens;
mod participants;
mod payloads;
mod presence;
mod reactions;
mod receipts;
mod receipts_told;
mod reloading;
mod repair;
mod rest;
mod resuming;
mod revocation;
mod security_document;
mod sending;
mod session_end;
mod stats;
mod token_policy;
mod try_page;
mod typing;
mod unavailable;
mod user_channel;
mod users;
mod wire;
