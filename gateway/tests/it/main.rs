//! Tests of the gateway against what it talks to.

mod cli;
mod dialect;
mod listener;
mod wire;
