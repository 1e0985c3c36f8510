//! Appending reactions, which the script decides itself: a hundred people who react at once need no second attempt.

use std::future::Future;

use parlance_domain::{
    entry::Header,
    reaction::{Emoji, MAX_EMOJIS, MAX_REACTIONS, ReactionChange, ReactionUpdate, Reactions, Reactor},
    version::Version,
};
use serde_json::{Value, json};

use super::{Acl, Append, Appended, Appender, Floors, read_acl, read_header, read_kept, unexpected};
use crate::{
    error::BrokerError,
    replica::{History, Written},
};

/// A reaction to be decided and appended.
#[derive(Debug, Clone)]
pub struct Reacting {
    /// The event, with the message's object. Its body is the beginning of a [`ReactionUpdate`] as JSON, up to where
    /// `"active"` stands; the mark of its [`Once`](super::Once) is not used.
    pub append: Append,
    /// What becomes of the reaction.
    pub change: ReactionChange,
    /// Which.
    pub emoji: Emoji,
    /// Whose.
    pub reactor: Reactor,
    /// The reactions that Postgres has, when the object does not hold them. Then the fields of the append's object are
    /// what is known of the message.
    pub stored: Option<StoredReactions>,
}

/// The reactions to a message as Postgres has them, in the form of the object's field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredReactions(String);

impl StoredReactions {
    /// From each reaction and the version of the event that brought it, oldest first.
    pub fn new<'a>(reactions: impl IntoIterator<Item = (&'a Emoji, &'a Reactor, Version)>) -> Self {
        let mut all: Vec<(&Emoji, Vec<Value>)> = Vec::new();
        for (emoji, Reactor { id, name }, version) in reactions {
            let user = json!({"id": id, "name": name, "rev": version.rev});
            match all.iter_mut().find(|(known, _)| *known == emoji) {
                Some((_, users)) => users.push(user),
                None => all.push((emoji, vec![user])),
            }
        }
        let all: Value =
            all.into_iter().map(|(emoji, users)| json!({"emoji": emoji, "users": users})).collect();
        Self(all.to_string())
    }
}

/// What became of a reaction.
#[derive(Debug, Clone, PartialEq)]
pub enum Reacted {
    /// It came or went, and has its place.
    Now(Header, Box<ReactionUpdate>),
    /// This command had happened before.
    Before {
        /// Whether the reaction was there after it.
        active: bool,
        /// Its numbers.
        header: Header,
    },
    /// Nothing happened: it was there, or was not, already.
    Unchanged {
        /// Whether it is there.
        active: bool,
        /// All reactions to the message.
        reactions: Reactions,
    },
    /// Redis does not know the reactions: they have to be read from Postgres.
    Unloaded {
        /// Whether Postgres has them only when it has what waits in the ingest stream now.
        behind: bool,
    },
    /// The message was taken back.
    Gone,
    /// There are as many reactions, or as many emoji, as there may be.
    LimitReached,
    /// It was authorised under an acl that is over; this is the one in force.
    Reauthorize(Acl),
    /// The ingest stream is full.
    Overloaded,
}

impl Appender {
    /// Decides and appends a reaction, like [`Appender::append_written`]. What changed nothing is answered with where
    /// it was found, too.
    ///
    /// # Errors
    /// As [`Appender::append`].
    pub async fn react<E, F>(
        &self,
        reacting: &Reacting,
        floors: impl Fn() -> F + Send,
    ) -> Result<(Reacted, Option<Written>), E>
    where
        E: From<BrokerError>,
        F: Future<Output = Result<Floors, E>> + Send,
    {
        let decision = reacting.decision()?;
        let answer = self.run_with_floors(&reacting.append, &decision, floors).await?;
        let (reacted, history) = read_answer(&answer)?;
        Ok((reacted, history.map(|history| self.written(&reacting.append.conversation, history))))
    }
}

impl Reacting {
    /// In the order of `append.lua`.
    fn decision(&self) -> Result<Vec<String>, BrokerError> {
        let reactor = serde_json::to_string(&self.reactor)
            .map_err(|error| BrokerError::Unexpected(format!("a reactor: {error}")))?;
        Ok(vec![
            self.change.as_str().to_owned(),
            self.emoji.to_string(),
            reactor,
            MAX_EMOJIS.to_string(),
            MAX_REACTIONS.to_string(),
            self.stored.as_ref().map(|StoredReactions(json)| json.clone()).unwrap_or_default(),
        ])
    }
}

/// What happened, and the history of Redis that has it.
fn read_answer(words: &[String]) -> Result<(Reacted, Option<History>), BrokerError> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let malformed = |error: serde_json::Error| BrokerError::Unexpected(format!("reactions: {error}"));
    Ok(match words.as_slice() {
        ["ok", header, _ingest_id, history, body] => {
            let update = serde_json::from_str(body).map_err(malformed)?;
            (Reacted::Now(read_header(header)?, Box::new(update)), Some(History::new(history)))
        }
        ["unchanged", active, reactions, history] => {
            let reactions = serde_json::from_str(reactions).map_err(malformed)?;
            (Reacted::Unchanged { active: read_active(active)?, reactions }, Some(History::new(history)))
        }
        ["repeat", kept, history] => match read_kept(kept)? {
            Appended::Before { mark, header } => {
                (Reacted::Before { active: read_active(&mark)?, header }, Some(History::new(history)))
            }
            _ => return Err(unexpected(kept)),
        },
        ["unloaded"] => (Reacted::Unloaded { behind: false }, None),
        ["behind"] => (Reacted::Unloaded { behind: true }, None),
        ["gone"] => (Reacted::Gone, None),
        ["limit"] => (Reacted::LimitReached, None),
        ["reauthorize", acl] => (Reacted::Reauthorize(read_acl(acl)?), None),
        ["overloaded"] => (Reacted::Overloaded, None),
        other => return Err(unexpected(&other.join(" "))),
    })
}

fn read_active(word: &str) -> Result<bool, BrokerError> {
    match word {
        "on" => Ok(true),
        "off" => Ok(false),
        other => Err(unexpected(other)),
    }
}
