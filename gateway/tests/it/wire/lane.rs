//! The lane past the engine, through real sessions: whatever way each packet takes, a client gets all of them, whole
//! and in order.

mod app;
mod bounds;
mod fallback;
mod order;
mod raw;
