//! Lua scripts, sent by their hash; a server that does not know the hash (it restarted) gets the source.

use fred::{clients::Client, interfaces::LuaInterface, types::Value, util::sha1_hash};

use crate::{error::BrokerError, metrics::Recorded};

/// One script of `broker/lua/`.
#[derive(Debug, Clone)]
pub struct Script {
    source: &'static str,
    hash: String,
    recorded: Recorded,
}

impl Script {
    /// A script from its source. By `name` it is known on `/metrics`, so the recorder must be installed by now.
    pub fn new(name: &'static str, source: &'static str) -> Self {
        Self { source, hash: sha1_hash(source), recorded: Recorded::of(name) }
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
        let answer = async {
            match client.evalsha(self.hash.as_str(), keys.clone(), arguments.clone()).await {
                Err(error) if error.details().starts_with("NOSCRIPT") => {
                    client.eval(self.source, keys, arguments).await
                }
                answer => answer,
            }
        };
        Ok(self.recorded.time(answer).await?)
    }
}

/// A script's answer, as the flat list of texts that every script here gives.
pub(crate) fn words(answer: Value) -> Result<Vec<String>, BrokerError> {
    answer.convert().map_err(|error| BrokerError::Unexpected(error.to_string()))
}
