//! Tests of the gateway against what it talks to.

mod dialect;
mod listener;
mod wire;
