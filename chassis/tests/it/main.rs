//! The chassis from outside: a process that starts, answers its probes, drains and ends.

#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod admin;
mod declared;
mod exposition;
mod lifecycle;
mod logging;
mod signals;
mod support;
