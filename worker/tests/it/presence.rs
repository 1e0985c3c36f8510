//! What workers do about presence when no gateway does it.

mod caution;
mod gateway;
mod last_seen;
mod sweeping;
mod unannounced;
