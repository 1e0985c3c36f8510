//! The wire from outside: a tiny Socket.IO application behind it, raw Engine.IO clients in front of it.

#![cfg(test)]

mod app;
pub mod client;
mod kills;
mod lane;
mod readers;
mod refusals;
mod sessions;
