//! Tests of the gateway against what it talks to.

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
mod drain;
mod history;
mod joining;
mod limits;
mod listener;
mod ordering;
mod receipts;
mod repair;
mod sending;
mod unavailable;
mod wire;
