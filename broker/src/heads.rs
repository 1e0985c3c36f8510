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
    metrics::begin,
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
    /// The last epochs and, for each, the rev up to which what was seen in the epoch before is still true; oldest first.
    pub epoch_starts: Vec<Version>,
    /// What commands are authorised under now.
    pub acl: Acl,
}

/// What decides whether a state of something in a conversation still counts. The default is that of a conversation that
/// Redis does not know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// The epoch now. What Redis knows of an older one may be behind Postgres.
    pub epoch: u64,
    /// The event with which the conversation was last deleted, with everything in it until then; zeros when it never was.
    pub deleted: Version,
}

impl State {
    /// Up to which rev of the epoch before `epoch` what was seen is still true; `None` when that is not remembered.
    pub fn epoch_start(&self, epoch: u64) -> Option<u64> {
        self.epoch_starts.iter().find(|start| start.epoch == epoch).map(|start| start.rev)
    }
}

impl Broker {
    /// The state of a conversation; `None` when Redis does not know it.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn state(&self, id: &ConversationId) -> Result<Option<State>, BrokerError> {
        const FIELDS: [&str; 5] = ["epoch", "epoch_starts", "seq", "rev", "acl"];
        let values: Vec<Option<String>> =
            begin("state").end(self.client().hmget(self.keys().state(id), FIELDS.to_vec()).await)?;
        match values.into_iter().collect::<Option<Vec<String>>>() {
            Some(values) => read_state(&values).map(Some),
            None => Ok(None),
        }
    }

    /// The newest message that went with the conversation when it was last deleted, as far as Redis knows; 0 when none
    /// did. When Redis has forgotten it, Postgres has none of those messages any more.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn deleted_seq(&self, id: &ConversationId) -> Result<Seq, BrokerError> {
        let seq: Option<u64> =
            begin("deleted_seq").end(self.client().hget(self.keys().state(id), "deleted_seq").await)?;
        Ok(Seq(seq.unwrap_or(0)))
    }

    /// What decides whether states still count.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn standing(&self, id: &ConversationId) -> Result<Standing, BrokerError> {
        let key = self.keys().state(id);
        let (epoch, deleted): (Option<u64>, Option<String>) =
            begin("standing").end(self.client().hmget(key, vec!["epoch", "deleted"]).await)?;
        let malformed = |text: &String| BrokerError::Unexpected(format!("{text:?} in a state hash"));
        let deleted = deleted.map(|text| parse_version(&text).ok_or_else(|| malformed(&text))).transpose()?;
        Ok(Standing { epoch: epoch.unwrap_or(0), deleted: deleted.unwrap_or_default() })
    }

    /// The state of a conversation that Redis does not know, made from what is known elsewhere.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn load_state(&self, id: &ConversationId, floors: Floors) -> Result<State, BrokerError> {
        let keys = vec![self.keys().state(id), self.keys().log(id)];
        let arguments = vec![Floors::encode(Some(floors))];
        let answer = words(Script::new("heads", SOURCE).run(self.client(), keys, arguments).await?)?;
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
    let [epoch, epoch_starts, seq, rev, acl] = values else {
        return Err(BrokerError::Unexpected(format!("a state of {} fields", values.len())));
    };
    let malformed = |text: &String| BrokerError::Unexpected(format!("{text:?} in a state hash"));
    let number = |text: &String| text.parse::<u64>().map_err(|_| malformed(text));
    let starts: Option<Vec<Version>> = epoch_starts.split_whitespace().map(parse_version).collect();
    Ok(State {
        heads: Heads { version: Version::new(number(epoch)?, number(rev)?), seq: Seq(number(seq)?) },
        epoch_starts: starts.ok_or_else(|| malformed(epoch_starts))?,
        acl: Acl(parse_version(acl).ok_or_else(|| malformed(acl))?),
    })
}

/// Reads what the scripts write: `<epoch>:<rev>`.
pub(crate) fn parse_version(text: &str) -> Option<Version> {
    let (epoch, rev) = text.split_once(':')?;
    Some(Version::new(epoch.parse().ok()?, rev.parse().ok()?))
}
