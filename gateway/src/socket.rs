//! Socket.IO: from the transport to the commands, and from events to the transport.

pub mod cluster;
pub mod connect;
pub mod expiry;
mod identify;
pub mod packet;
pub mod receive;
pub mod session;
pub mod wire;
