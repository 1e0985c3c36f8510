//! Lua scripts, sent by their hash; a server that does not know the hash (it restarted) gets the source.

use std::{sync::OnceLock, time::Instant};

use fred::{clients::Client, interfaces::LuaInterface, types::Value, util::sha1_hash};

use crate::{error::BrokerError, metrics::Recorded};

/// One script of `broker/lua/`.
#[derive(Debug, Clone)]
pub struct Script {
    source: &'static str,
    hash: String,
    name: &'static str,
    /// Made when it is first run.
    recorded: OnceLock<Recorded>,
}

impl Script {
    /// A script from its source. By `name` it is known on `/metrics`.
    pub fn new(name: &'static str, source: &'static str) -> Self {
        Self { source, hash: sha1_hash(source), name, recorded: OnceLock::new() }
    }

    /// Runs the script. All keys must be in one slot.
    ///
    /// # Errors
    /// When Redis is away or the script fails; then it is unknown whether the script took effect.
    pub async fn run(
        &self,
        client: &Client,
        keys: Vec<String>,
        arguments: Vec<String>,
    ) -> Result<Value, BrokerError> {
        let arguments: Vec<Value> = arguments.into_iter().map(Value::from).collect();
        let begun = Instant::now();
        let answer = match client.evalsha(self.hash.as_str(), keys.clone(), arguments.clone()).await {
            Err(error) if error.details().starts_with("NOSCRIPT") => {
                client.eval(self.source, keys, arguments).await
            }
            answer => answer,
        };
        self.recorded.get_or_init(|| Recorded::of(self.name)).note(begun, &answer);
        Ok(answer?)
    }
}

/// A script's answer, as the flat list of texts that every script here gives.
pub(crate) fn words(answer: Value) -> Result<Vec<String>, BrokerError> {
    answer.convert().map_err(|error| BrokerError::Unexpected(error.to_string()))
}
