//! Everything that Postgres does for both binaries: the pool, the schema, conversations with their
//! participants, the outbox, and reading what was said.
//!
//! What the ingest streams carry (messages, receipts, heads, dead letters) is read here and written by the
//! worker alone. Nothing here touches Redis; the outbox is given the way to append.

pub mod call;
pub mod changes;
pub mod conversation;
pub mod cursor;
pub mod error;
pub mod list;
pub mod message;
pub mod metrics;
pub mod notification;
pub mod outbox;
pub mod participant;
pub mod reaction;
pub mod receipt;
mod row;
pub mod schema;
pub mod store;
pub mod upload;
pub mod user;

pub use error::StoreError;
pub use store::{Store, StoreConfig};
