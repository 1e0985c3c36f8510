//! What can go wrong between Parlance and Redis.

use fred::error::{Error, ErrorKind};

/// A failed exchange with Redis.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// Redis did not answer in time, or is away. Whether the command took effect is unknown.
    #[error("redis is not available: {0}")]
    Unavailable(String),
    /// Redis refused the command.
    #[error("redis refused the command: {0}")]
    Refused(String),
    /// Redis answered something that no script or command of this version answers.
    #[error("redis answered something unexpected: {0}")]
    Unexpected(String),
    /// This process was configured for another layout of the partitions than the one that is recorded.
    #[error("this process is configured for {configured:?}, but {recorded:?} is recorded in redis")]
    Layout {
        /// What this process was told.
        configured: String,
        /// What the first process recorded.
        recorded: String,
    },
}

impl BrokerError {
    /// Whether the same command can succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, BrokerError::Unavailable(_))
    }
}

impl From<Error> for BrokerError {
    fn from(error: Error) -> Self {
        let details = error.details();
        // A server that loads its data, was demoted, or lost its quorum says so in the error's first word.
        let passing =
            ["LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "BUSY", "OOM", "NOREPLICAS"];
        let text = || format!("{:?}: {details}", error.kind());
        match error.kind() {
            ErrorKind::Timeout
            | ErrorKind::IO
            | ErrorKind::Canceled
            | ErrorKind::Backpressure
            | ErrorKind::Cluster => BrokerError::Unavailable(text()),
            _ if passing.iter().any(|word| details.starts_with(word)) => BrokerError::Unavailable(text()),
            ErrorKind::Parse | ErrorKind::Protocol | ErrorKind::NotFound => BrokerError::Unexpected(text()),
            _ => BrokerError::Refused(text()),
        }
    }
}
