//! The gateway: terminates Socket.IO and REST, decides who may do what, appends to Redis, and fans conversations
//! out to its own sockets.

pub mod app;
pub mod auth;
pub mod broadcast;
pub mod cli;
pub mod command;
pub mod config;
pub mod dialect;
pub mod drain;
pub mod fanout;
pub mod gauges;
pub mod limits;
pub mod listener;
pub mod membership;
pub mod metrics;
pub mod presence;
pub mod pressure;
pub mod rest;
pub mod server;
pub mod socket;
pub mod stats;
pub mod typing;
pub mod uploads;
pub mod users;
pub mod web;
mod workers;
