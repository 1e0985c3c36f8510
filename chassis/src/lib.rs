//! Process plumbing that both binaries share: how a process is configured, started, watched and ended.
//!
//! Nothing here knows what a conversation, a dialect or a Redis key is.

pub mod admin;
pub mod backoff;
pub mod clock;
pub mod config;
pub mod exit;
pub mod lifecycle;
pub mod listen;
pub mod metrics;
pub mod readiness;
pub mod secret;
pub mod telemetry;
pub mod traces;
