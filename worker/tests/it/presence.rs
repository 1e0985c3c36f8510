//! What workers do about presence when no gateway does it.

mod caution;
mod gateway;
mod last_seen;
mod one_shard_away;
mod sweeping;
mod unannounced;
