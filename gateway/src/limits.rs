//! How much is too much, counted in this gateway: rates of users and addresses, quotas of a dialect's events, and who
//! is connected how often. What a single socket may send is its session's business; bounds in bytes stand where the
//! bytes are.
//!
//! Keys are forgotten when they are as good as new, by a task that looks every few seconds.

mod address;
mod entrance;
mod places;
mod rates;
mod window;

use std::{convert::Infallible, net::IpAddr, sync::Arc, time::Duration};

use parlance_chassis::lifecycle::CancellationToken;
use parlance_domain::{
    id::UserId,
    rejection::{Code, Rejection},
};

pub use address::Block;
pub use entrance::{Bounds, Entrance, Full, Pass};
pub use places::{Place, Places};
pub use rates::{Rate, Rates, rate_limited};
pub use window::Window;

use crate::{
    config::LimitsSection,
    dialect::{Dialect, Dialects, QuotaIndex},
};

/// How often it is looked for keys that need not be remembered.
const TIDY: Duration = Duration::from_secs(10);

/// What can be too much; the label of the metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Events of a socket.
    Events,
    /// A dialect's quota for an event.
    Quota,
    /// Typing: a dialect's quota for it, or how often a user begins to write. It is dropped without an error.
    Typing,
    /// Messages of a user.
    Sends,
    /// Requests of a user.
    Requests,
    /// Statuses that a user chooses.
    Statuses,
    /// Conversations that a user joins.
    Joins,
    /// Presences for everybody that wait to be handed on.
    Presences,
    /// Requests of an address without a valid token or key.
    Strangers,
    /// New sessions of an address, and what connects again within them.
    Connects,
    /// Sessions of this gateway.
    Connections,
    /// Sessions of an address.
    ConnectionsPerAddress,
    /// Sockets of a user.
    ConnectionsPerUser,
    /// Connections that speak HTTP.
    HttpConnections,
    /// Conversations that a socket has joined.
    JoinedConversations,
    /// Events that tell a socket of errors.
    ErrorEvents,
    /// Refused events of a socket that was disconnected for them.
    Abuse,
    /// Packets of a client, of whatever kind: its stream is not read for a moment.
    Packets,
}

impl Limit {
    /// For metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Limit::Events => "events",
            Limit::Quota => "quota",
            Limit::Typing => "typing",
            Limit::Sends => "sends",
            Limit::Requests => "requests",
            Limit::Statuses => "statuses",
            Limit::Joins => "joins",
            Limit::Presences => "presences",
            Limit::Strangers => "strangers",
            Limit::Connects => "connects",
            Limit::Connections => "connections",
            Limit::ConnectionsPerAddress => "connections_per_address",
            Limit::ConnectionsPerUser => "connections_per_user",
            Limit::HttpConnections => "http_connections",
            Limit::JoinedConversations => "joined_conversations",
            Limit::ErrorEvents => "error_events",
            Limit::Abuse => "abuse",
            Limit::Packets => "packets",
        }
    }

    /// Counts that something was beyond it.
    pub fn count(self) {
        metrics::counter!(crate::metrics::LIMITED.name, "limit" => self.as_str()).increment(1);
    }
}

/// A handle on what is counted; cheap to clone.
#[derive(Debug, Clone)]
pub struct Limits(Arc<Counted>);

#[derive(Debug)]
struct Counted {
    sends: Rates<UserId>,
    requests: Rates<UserId>,
    statuses: Rates<UserId>,
    typing: Rates<UserId>,
    joins: Rates<UserId>,
    strangers: Rates<Block>,
    /// Which have the counts of their quotas with them.
    dialects: Dialects,
    users: Places<UserId>,
    entrance: Arc<Entrance>,
}

impl Limits {
    /// Nothing has been counted yet.
    pub fn new(section: &LimitsSection, dialects: &Dialects) -> Self {
        let bounds = Bounds {
            connects: section.connects,
            connections: section.connections,
            per_address: section.connections_per_address,
        };
        Self(Arc::new(Counted {
            sends: Rates::new(section.sends),
            requests: Rates::new(section.requests),
            statuses: Rates::new(section.statuses),
            typing: Rates::new(section.typing),
            joins: Rates::new(section.joins),
            strangers: Rates::new(section.connects),
            dialects: dialects.clone(),
            users: Places::new(section.connections_per_user),
            entrance: Arc::new(Entrance::new(&bounds)),
        }))
    }

    /// Where new sessions come in.
    pub fn entrance(&self) -> &Arc<Entrance> {
        &self.0.entrance
    }

    /// A user sends a message, by a socket or a request.
    ///
    /// # Errors
    /// `rate_limited`, with the time after which he may.
    pub fn send(&self, user: &UserId) -> Result<(), Rejection> {
        self.0.sends.check(user).map_err(|wait| refused(Limit::Sends, wait))
    }

    /// A user makes a request with a token of his own.
    ///
    /// # Errors
    /// `rate_limited`, with the time after which he may.
    pub fn request(&self, user: &UserId) -> Result<(), Rejection> {
        self.0.requests.check(user).map_err(|wait| refused(Limit::Requests, wait))
    }

    /// A user chooses his status.
    ///
    /// # Errors
    /// `rate_limited`, with the time after which he may.
    pub fn status(&self, user: &UserId) -> Result<(), Rejection> {
        self.0.statuses.check(user).map_err(|wait| refused(Limit::Statuses, wait))
    }

    /// Whether a user who begins to write is told of: nobody has to know when he does so too often.
    pub fn typing(&self, user: &UserId) -> bool {
        let may = self.0.typing.check(user).is_ok();
        if !may {
            Limit::Typing.count();
        }
        may
    }

    /// A user joins a conversation.
    ///
    /// # Errors
    /// `rate_limited`, with the time after which he may.
    pub fn join(&self, user: &UserId) -> Result<(), Rejection> {
        self.0.joins.check(user).map_err(|wait| refused(Limit::Joins, wait))
    }

    /// Somebody makes a request who shows nothing that is valid.
    ///
    /// # Errors
    /// `rate_limited`, with the time after which he may try.
    pub fn stranger(&self, address: Option<IpAddr>) -> Result<(), Rejection> {
        let Some(address) = address else { return Ok(()) };
        self.0.strangers.check(&Block::of(address)).map_err(|wait| refused(Limit::Strangers, wait))
    }

    /// A user's socket sends an event that has a quota in its dialect.
    ///
    /// # Errors
    /// The time after which he may.
    pub fn event(&self, dialect: &Dialect, quota: QuotaIndex, user: &UserId) -> Result<(), Duration> {
        dialect.quotas().get(quota.get()).map_or(Ok(()), |quota| quota.used.check(user))
    }

    /// A user connects a socket, which has its place as long as it is kept.
    ///
    /// # Errors
    /// `limit_reached` when he has as many as he may.
    pub fn connect(&self, user: &UserId) -> Result<Place<UserId>, Rejection> {
        self.0.users.take(user).ok_or_else(|| {
            Limit::ConnectionsPerUser.count();
            Rejection::with(Code::LimitReached, "this user has as many connections as there may be")
        })
    }

    /// Forgets what need not be remembered, until `hard` is cancelled.
    pub async fn tidy(self, hard: CancellationToken) -> Result<(), Infallible> {
        let mut tick = tokio::time::interval(TIDY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while hard.run_until_cancelled(tick.tick()).await.is_some() {
            let Counted { sends, requests, statuses, typing, joins, strangers, dialects, entrance, users: _ } =
                &*self.0;
            [sends, requests, statuses, typing, joins].into_iter().for_each(Rates::tidy);
            strangers.tidy();
            for dialect in dialects.catalog().in_use() {
                dialect.quotas().iter().for_each(|quota| quota.used.tidy());
            }
            entrance.tidy();
        }
        Ok(())
    }
}

fn refused(limit: Limit, wait: Duration) -> Rejection {
    limit.count();
    rate_limited(wait)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_limit_has_its_own_label() {
        let all = [
            Limit::Events,
            Limit::Quota,
            Limit::Typing,
            Limit::Sends,
            Limit::Requests,
            Limit::Statuses,
            Limit::Joins,
            Limit::Presences,
            Limit::Strangers,
            Limit::Connects,
            Limit::Connections,
            Limit::ConnectionsPerAddress,
            Limit::ConnectionsPerUser,
            Limit::HttpConnections,
            Limit::JoinedConversations,
            Limit::ErrorEvents,
            Limit::Abuse,
            Limit::Packets,
        ];
        assert_eq!(all.iter().map(|limit| limit.as_str()).collect::<HashSet<_>>().len(), all.len());
    }
}
