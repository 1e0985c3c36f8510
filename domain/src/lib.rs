//! The pure model of a conversation: what can be asked ([`command`]), what happens ([`event`]), what is
//! refused ([`rejection`]), and how the entries that travel through Redis are encoded ([`entry`]).
//!
//! Nothing here performs I/O or reads a clock, and nothing here knows an application's own words: those
//! stop at the gateway's dialects.

pub mod call;
pub mod command;
pub mod conversation;
pub mod custom;
pub mod entry;
pub mod event;
pub mod id;
pub mod message;
pub mod notification;
pub mod presence;
pub mod reaction;
pub mod receipt;
pub mod rejection;
pub mod storable;
pub mod time;
pub mod trace;
pub mod upload;
pub mod user;
pub mod user_event;
pub mod version;
