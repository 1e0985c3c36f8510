//! When the connection was broken and is back: what Redis was told before may be forgotten.

use fred::{interfaces::EventInterface, types::config::Server};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::broker::Broker;

/// Tells when a connection is back.
#[derive(Debug)]
pub struct Reconnections(Receiver<Server>);

impl Broker {
    /// Tells when the connection was broken and is back, from now on.
    pub fn reconnections(&self) -> Reconnections {
        Reconnections(self.client().reconnect_rx())
    }
}

impl Reconnections {
    /// Waits for the next one; for ever when the connection has ended. Cancel-safe.
    pub async fn next(&mut self) {
        match self.0.recv().await {
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
