//! Heads: the newest numbers of a conversation, as Redis knows them.

use fred::interfaces::HashesInterface;
use futures_util::{StreamExt, TryStreamExt, stream};
use parlance_domain::{
    id::ConversationId,
    version::{Heads, Seq, Version},
};

use crate::{
    append::{Acl, Floors},
    broker::Broker,
    error::BrokerError,
    script::{Script, words},
};

const SOURCE: &str = concat!(include_str!("../lua/state.lua"), include_str!("../lua/heads.lua"));

/// How many states are asked for at the same time.
const IN_FLIGHT: usize = 256;

/// The state hash of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The newest numbers.
    pub heads: Heads,
    /// Up to this rev of the epoch before, what was seen is still true.
    pub epoch_start: u64,
    /// What commands are authorised under now.
    pub acl: Acl,
}

impl Broker {
    /// The state of a conversation; `None` when Redis does not know it.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn state(&self, id: &ConversationId) -> Result<Option<State>, BrokerError> {
        const FIELDS: [&str; 5] = ["epoch", "epoch_start", "seq", "rev", "acl"];
        let values: Vec<Option<String>> = self.client().hmget(self.keys().state(id), FIELDS.to_vec()).await?;
        match values.into_iter().collect::<Option<Vec<String>>>() {
            Some(values) => read_state(&values).map(Some),
            None => Ok(None),
        }
    }

    /// The state of a conversation that Redis does not know, made from what is known elsewhere.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn load_state(&self, id: &ConversationId, floors: Floors) -> Result<State, BrokerError> {
        let keys = vec![self.keys().state(id), self.keys().log(id)];
        let arguments = vec![Floors::encode(Some(floors))];
        let answer = words(Script::new(SOURCE).run(self.client(), keys, arguments).await?)?;
        match answer.split_first() {
            Some((first, values)) if first == "ok" => read_state(values),
            _ => Err(BrokerError::Unexpected(answer.join(" "))),
        }
    }

    /// The states of many conversations, in the order in which they were asked for.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn states(&self, ids: &[ConversationId]) -> Result<Vec<Option<State>>, BrokerError> {
        stream::iter(ids.to_vec())
            .map(async |id| self.state(&id).await)
            .buffered(IN_FLIGHT)
            .try_collect()
            .await
    }
}

fn read_state(values: &[String]) -> Result<State, BrokerError> {
    let [epoch, epoch_start, seq, rev, acl] = values else {
        return Err(BrokerError::Unexpected(format!("a state of {} fields", values.len())));
    };
    let number = |text: &String| {
        text.parse::<u64>().map_err(|_| BrokerError::Unexpected(format!("{text:?} in a state hash")))
    };
    Ok(State {
        heads: Heads { version: Version::new(number(epoch)?, number(rev)?), seq: Seq(number(seq)?) },
        epoch_start: number(epoch_start)?,
        acl: Acl::parse(acl).ok_or_else(|| BrokerError::Unexpected(format!("{acl:?} in a state hash")))?,
    })
}
