//! The wire from outside: a tiny Socket.IO application behind it, raw Engine.IO clients in front of it.

#![cfg(test)]

mod app;
mod client;
mod kills;
mod readers;
mod refusals;
mod sessions;
