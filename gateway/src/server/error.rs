//! Why a gateway did not start, and with which code its process ends then.

use parlance_broker::BrokerError;
use parlance_chassis::{exit, listen::BindError, metrics::InstallError, traces};
use parlance_store::StoreError;
use socketioxide_redis::InitError;

use crate::{
    dialect::Mistake,
    socket::{
        cluster::ClusterDriver,
        wire::{self, WireConfigError},
    },
    uploads::OpenError,
};

/// Why a gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port cannot be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The admin listener cannot be served.
    #[error("failed to serve the admin listener: {0}")]
    Admin(#[from] std::io::Error),
    /// There is no metrics recorder.
    #[error(transparent)]
    Metrics(#[from] InstallError),
    /// Traces cannot be sent.
    #[error(transparent)]
    Traces(#[from] traces::StartError),
    /// Redis is away, or disagrees about the partitions.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// Postgres is away, is not migrated, or disagrees about the partitions.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A setting of the Socket.IO endpoint cannot work.
    #[error(transparent)]
    Wire(#[from] WireConfigError),
    /// A dialect's Socket.IO path is malformed.
    #[error("dialects: {0}")]
    Path(#[from] wire::BadSocketPath),
    /// A Socket.IO path, of a dialect or the usual one, is one of the gateway's own others.
    #[error("the path {0:?} cannot be one of Socket.IO: the gateway serves something else there")]
    TakenPath(String),
    /// A dialect's namespace cannot be part of a channel's name.
    #[error("dialects: a namespace has a `#`")]
    Namespace,
    /// The store of uploads cannot be opened.
    #[error(transparent)]
    Uploads(#[from] OpenError),
    /// Dialects that shall need no token are none.
    #[error("auth.insecure_dialects: there is no dialect {}", .0.join(", "))]
    InsecureDialects(Vec<String>),
    /// Dialect files have mistakes.
    #[error("dialects:{}", .0.iter().map(|mistake| format!("\n  {mistake}")).collect::<String>())]
    Dialects(Vec<Mistake>),
}

impl StartError {
    /// The exit code of a process that did not start: 64 when its configuration is at fault.
    pub fn exit_code(&self) -> u8 {
        match self {
            StartError::Wire(_)
            | StartError::Path(_)
            | StartError::TakenPath(_)
            | StartError::Uploads(_)
            | StartError::Namespace
            | StartError::InsecureDialects(_)
            | StartError::Dialects(_)
            | StartError::Broker(BrokerError::Layout { .. })
            | StartError::Store(StoreError::Layout { .. } | StoreError::Url) => exit::USAGE,
            _ => exit::FAILURE,
        }
    }
}

impl From<InitError<ClusterDriver>> for StartError {
    fn from(error: InitError<ClusterDriver>) -> Self {
        match error {
            InitError::Driver(error) => StartError::Broker(error),
            InitError::MalformedNamespace => StartError::Namespace,
        }
    }
}
