//! The connection that commands and scripts go through.

use std::time::Duration;

use fred::{
    clients::Client,
    interfaces::ClientLike,
    types::{
        Builder,
        config::{Config, ReconnectPolicy, UnresponsiveConfig},
    },
};

use crate::{error::BrokerError, keys::Keys, metrics::begin, partition::Partitions};

/// How to reach Redis, and the bounds of what is kept there.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// `redis://…`, `rediss://…`, `redis-cluster://…` or `redis-sentinel://…`.
    pub url: String,
    /// What every key and channel starts with.
    pub prefix: String,
    /// How many partitions there are; the same for every process, for good.
    pub partitions: u16,
    /// How long a command may take.
    pub deadline: Duration,
}

/// A handle on Redis; cheap to clone.
#[derive(Debug, Clone)]
pub struct Broker {
    client: Client,
    keys: Keys,
    config: BrokerConfig,
}

impl Broker {
    /// Connects. Later breaks are repaired in the background for as long as it takes; commands meanwhile fail
    /// at their deadline.
    ///
    /// # Errors
    /// When the URL is malformed or Redis cannot be reached now.
    pub async fn connect(config: BrokerConfig) -> Result<Self, BrokerError> {
        let client = builder(&config, config.deadline)?.build()?;
        client.init().await?;
        let keys = Keys::new(&config.prefix, Partitions::new(config.partitions));
        Ok(Self { client, keys, config })
    }

    /// A connection of its own for commands that block it, each up to `deadline`.
    ///
    /// # Errors
    /// When Redis cannot be reached now.
    pub async fn connect_blocking(&self, deadline: Duration) -> Result<Client, BrokerError> {
        let client = builder(&self.config, deadline)?.build()?;
        client.init().await?;
        Ok(client)
    }

    /// The names of keys and channels.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// What this handle was made with.
    pub fn config(&self) -> &BrokerConfig {
        &self.config
    }

    /// Whether Redis answers.
    ///
    /// # Errors
    /// When it does not, within the deadline.
    pub async fn ping(&self) -> Result<(), BrokerError> {
        let _: String = begin("ping").end(self.client.ping(None).await)?;
        Ok(())
    }

    /// Ends the connection.
    pub async fn close(&self) {
        if let Err(error) = self.client.quit().await {
            tracing::debug!(%error, "redis connection did not end cleanly");
        }
    }

    /// The connection, for the callers of commands in this crate.
    pub fn client(&self) -> &Client {
        &self.client
    }
}

/// What every connection has in common: a deadline for each command and reconnection without an end. A command
/// whose answer was lost may be sent twice; every script that writes can be repeated.
pub(crate) fn builder(config: &BrokerConfig, deadline: Duration) -> Result<Builder, BrokerError> {
    // The client library takes whatever it does not know for a single server's address.
    if !config.url.starts_with("redis") {
        return Err(BrokerError::Refused(String::from("the URL's scheme is none of redis's")));
    }
    let mut builder = Builder::from_config(Config::from_url(&config.url)?);
    builder
        .with_connection_config(|connection| {
            connection.connection_timeout = Duration::from_secs(5);
            connection.internal_command_timeout = Duration::from_secs(5);
            connection.tcp.nodelay = Some(true);
            connection.unresponsive = UnresponsiveConfig {
                max_timeout: Some(deadline + Duration::from_secs(5)),
                interval: Duration::from_secs(1),
            };
        })
        .with_performance_config(|performance| {
            performance.default_command_timeout = deadline;
        })
        .set_policy(ReconnectPolicy::new_exponential(0, 50, 1_000, 2));
    Ok(builder)
}
