//! Who is in a conversation now, on whatever gateway: one entry a socket, which is over by itself when its gateway
//! does not repeat it. Whoever reads learns of users; entries name the session too, so that several devices of a
//! user come and go independently.
//!
//! When entries are written and repeated is the gateway's business.

use std::{collections::HashSet, time::Duration};

use fred::{interfaces::EventInterface, types::config::Server};
use parlance_domain::id::{ConversationId, SessionId, UserId};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::{
    broker::Broker,
    error::BrokerError,
    script::{Script, words},
};

/// How long a Redis must have run before it is asked who is here: gateways reconnect within a second or so, and tell it
/// again.
const SETTLED_SECONDS: u64 = 3;
/// How many entries one run of the script takes.
const ENTRIES_A_RUN: usize = 1_000;

/// A socket of a user.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Occupant {
    /// Which socket.
    pub session: SessionId,
    /// Whose it is.
    pub user: UserId,
}

/// Writes and reads who is where.
#[derive(Debug, Clone)]
pub struct Here {
    broker: Broker,
    change: Script,
    list: Script,
}

impl Here {
    /// On this Redis.
    pub fn new(broker: Broker) -> Self {
        Self {
            broker,
            change: Script::new(include_str!("../lua/here_change.lua")),
            list: Script::new(include_str!("../lua/here_list.lua")),
        }
    }

    /// Notes that some sockets are in a conversation for `ttl` from now on, and that others are not in it. To repeat
    /// it does no harm.
    ///
    /// # Errors
    /// When Redis is away; then it is unknown what took effect.
    pub async fn change(
        &self,
        conversation: &ConversationId,
        here: &[Occupant],
        gone: &[Occupant],
        ttl: Duration,
    ) -> Result<(), BrokerError> {
        let entries: Vec<(&Occupant, bool)> = here
            .iter()
            .map(|occupant| (occupant, true))
            .chain(gone.iter().map(|occupant| (occupant, false)))
            .collect();
        for entries in entries.chunks(ENTRIES_A_RUN) {
            self.run(conversation, entries, ttl).await?;
        }
        Ok(())
    }

    /// The users of whom at least one socket is in the conversation.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] when Redis is away, and also when it started so recently that gateways may not
    /// have told it again who is here.
    pub async fn users(&self, conversation: &ConversationId) -> Result<HashSet<UserId>, BrokerError> {
        let keys = vec![self.broker.keys().here(conversation)];
        let arguments = vec![SETTLED_SECONDS.to_string()];
        let answer = words(self.list.run(self.broker.client(), keys, arguments).await?)?;
        match answer.split_first() {
            Some((first, members)) if first == "ok" => {
                members.iter().map(|member| Ok(parse(member)?.user)).collect()
            }
            Some((first, _)) if first == "young" => {
                Err(BrokerError::Unavailable(String::from("redis has just started and knows nobody yet")))
            }
            _ => Err(BrokerError::Unexpected(answer.join(" "))),
        }
    }

    /// Tells when the connection was broken and is back: Redis may have forgotten who is here.
    pub fn reconnections(&self) -> Reconnections {
        Reconnections(self.broker.client().reconnect_rx())
    }

    /// The entries of those who are here come first.
    async fn run(
        &self,
        conversation: &ConversationId,
        entries: &[(&Occupant, bool)],
        ttl: Duration,
    ) -> Result<(), BrokerError> {
        let keys = vec![self.broker.keys().here(conversation)];
        let here = entries.iter().filter(|(_, here)| *here).count();
        let mut arguments = vec![ttl.as_millis().to_string(), here.to_string()];
        arguments.extend(entries.iter().map(|(occupant, _)| member(occupant)));
        let answer = words(self.change.run(self.broker.client(), keys, arguments).await?)?;
        if answer == ["ok"] { Ok(()) } else { Err(BrokerError::Unexpected(answer.join(" "))) }
    }
}

/// Tells when a connection is back.
#[derive(Debug)]
pub struct Reconnections(Receiver<Server>);

impl Reconnections {
    /// Waits for the next one; for ever when the connection has ended. Cancel-safe.
    pub async fn next(&mut self) {
        match self.0.recv().await {
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// `<bytes of the session's id>:<session>:<user>`: users' ids may have any character.
fn member(occupant: &Occupant) -> String {
    let session = occupant.session.as_str();
    format!("{}:{session}:{}", session.len(), occupant.user)
}

fn parse(member: &str) -> Result<Occupant, BrokerError> {
    let parts = || {
        let (length, rest) = member.split_once(':')?;
        let (session, user) = rest.split_at_checked(length.parse().ok()?)?;
        let session = SessionId::new(session)?;
        let user = UserId::new(user.strip_prefix(':')?).ok()?;
        Some(Occupant { session, user })
    };
    parts().ok_or_else(|| BrokerError::Unexpected(format!("{member:?} among those who are here")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_reads_back_whatever_the_user_is_called() {
        for user in ["ann", "4:s:ann", ":", "müller 7"] {
            let occupant =
                Occupant { session: SessionId::new("s-1").unwrap(), user: UserId::new(user).unwrap() };
            assert_eq!(parse(&member(&occupant)).unwrap(), occupant);
        }
        for bad in ["", "ann", "9:s:ann", "1:s", "1:sann", "x:s:ann"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
