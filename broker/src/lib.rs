//! Everything that Redis does for Parlance: the keys, the scripts and their callers.
//!
//! A conversation belongs to one *partition*; all keys of a partition share a hash tag, so that one script
//! can give a message its place, put it in the ingest stream and publish it in one atomic step. The gateway
//! appends, reads and subscribes; the worker consumes. Neither sees a key or a script.
//!
//! Nothing here knows what a dialect is, nothing here touches Postgres.

pub mod append;
pub mod broker;
pub mod call_objects;
mod concerned;
pub mod error;
pub mod heads;
pub mod idempotency;
pub mod ingest;
pub mod keys;
pub mod layout;
pub mod lease;
pub mod log;
pub mod members;
pub mod memory;
pub mod metrics;
pub mod objects;
pub mod partition;
pub mod presence;
pub mod probe;
pub mod publish;
pub mod receipts;
pub mod reconnections;
pub mod replica;
mod revocation;
pub mod script;
pub mod stats;
pub mod subscriber;

pub use broker::{Broker, BrokerConfig};
pub use error::BrokerError;
