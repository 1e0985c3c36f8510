//! Letting the keys of conversations expire of which everything is persisted: the caller of `settle.lua`.

use fred::interfaces::SortedSetsInterface;
use parlance_domain::id::ConversationId;

use crate::{broker::Broker, error::BrokerError, metrics::begin, partition::Partition, script::Script};

/// How long a conversation's state hash lives after its last append: 30 days.
const STATE_SECONDS: u64 = 30 * 24 * 3_600;
/// How long its hot log lives.
const LOG_SECONDS: u64 = 3_600;
/// How many conversations one run of the script takes.
const CONVERSATIONS_A_RUN: i64 = 100;

/// Settles conversations. Every process may do it at any time.
#[derive(Debug, Clone)]
pub struct Settler {
    broker: Broker,
    script: Script,
}

impl Settler {
    /// A settler for every partition.
    pub fn new(broker: Broker) -> Self {
        Self { broker, script: Script::new("settle", include_str!("../../lua/settle.lua")) }
    }

    /// Settles those that have waited longest, in bounded steps, until one is not persisted yet or `most` are
    /// done; says how many.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn settle(&self, partition: Partition, most: u64) -> Result<u64, BrokerError> {
        let mut settled = 0;
        while settled < most {
            let oldest = self.oldest(partition).await?;
            let done = self.run(partition, &oldest).await?;
            settled += done;
            if done == 0 || done < oldest.len() as u64 {
                break;
            }
        }
        Ok(settled)
    }

    async fn oldest(&self, partition: Partition) -> Result<Vec<ConversationId>, BrokerError> {
        let key = self.broker.keys().unsettled(partition);
        let members: Vec<String> = begin("unsettled").end(
            self.broker.client().zrange(key, 0, CONVERSATIONS_A_RUN - 1, None, false, None, false).await,
        )?;
        members
            .into_iter()
            .map(|member| {
                ConversationId::new(&member).map_err(|problem| {
                    BrokerError::Unexpected(format!("unsettled conversation {member:?} {problem}"))
                })
            })
            .collect()
    }

    async fn run(&self, partition: Partition, conversations: &[ConversationId]) -> Result<u64, BrokerError> {
        if conversations.is_empty() {
            return Ok(0);
        }
        let keys = self.broker.keys();
        let mut names = vec![keys.unsettled(partition), keys.persisted(partition), keys.ingest(partition)];
        let mut arguments = vec![STATE_SECONDS.to_string(), LOG_SECONDS.to_string()];
        for id in conversations {
            names.extend([keys.state(id), keys.log(id)]);
            arguments.push(id.as_str().to_owned());
        }
        let answer = self.script.run(self.broker.client(), names, arguments).await?;
        answer.as_u64().ok_or_else(|| BrokerError::Unexpected(String::from("settle.lua answered no number")))
    }
}
