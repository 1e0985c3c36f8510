//! Cursors that are announced with the messages that they have got past: who was where before is noted in Redis, as long
//! as receipts come.
//!
//! Redis may know nothing of a user (nothing came for an hour, it restarted, the conversation has very many users). Then
//! the caller says what Postgres has, which is never too far but perhaps not far enough: a message may be told of again,
//! never too seldom.

use fred::interfaces::HashesInterface;
use parlance_domain::{
    entry::Header,
    id::{ConversationId, UserId},
    receipt::{Covered, Cursor, Reach, Reaches, Receipts},
    version::Seq,
};
use serde::Serialize;

use super::ReceiptLog;
use crate::{broker::Broker, error::BrokerError, metrics::begin, script::words};

/// How long is kept where cursors are after the last receipt of the conversation.
const KEEP_SECONDS: u64 = 3600;
/// Of how many users of a conversation it is kept; with more of them it is forgotten now and then.
const MAX_NOTED: usize = 10_000;
/// The most cursors at once: a script cannot take arguments without end.
pub const MAX_TOLD: usize = 500;

/// How far a user has got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Position {
    /// Delivered up to here.
    pub delivered: Seq,
    /// Read up to here.
    pub read: Seq,
}

/// What Redis knows of how far users have got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// Of each of those who were asked for, in their order.
    pub positions: Vec<Option<Position>>,
    /// How far anybody has got.
    pub reaches: Option<Reaches>,
}

/// Cursors to be told of with the messages that they get past.
#[derive(Debug)]
pub struct Telling<'a> {
    /// The cursors, at most [`MAX_TOLD`] and one a user; each with how far it was at the least.
    pub cursors: &'a [(Cursor, Position)],
    /// The messages that are between, as far as they were found.
    pub messages: &'a [Covered],
    /// How far anybody had got, if Redis does not know.
    pub reaches: &'a Reaches,
}

impl Broker {
    /// How far users have got in a conversation, as far as Redis knows.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn noted_cursors(&self, id: &ConversationId, users: &[&UserId]) -> Result<Noted, BrokerError> {
        let mut fields = vec![String::from("delivered"), String::from("read")];
        for user in users {
            fields.push(format!("u{}", json(user)?));
        }
        let values: Vec<Option<String>> =
            begin("cursors").end(self.client().hmget(self.keys().cursors(id), fields).await)?;
        let mut values = values.into_iter();
        let mut reach = || values.next().flatten().as_deref().and_then(parse_reach);
        let reaches = match (reach(), reach()) {
            (Some(delivered), Some(read)) => Some(Reaches { delivered, read }),
            _ => None,
        };
        let positions = values.map(|value| value.as_deref().and_then(parse_position)).collect();
        Ok(Noted { positions, reaches })
    }
}

impl ReceiptLog {
    /// Puts cursors in the stream, notes how far their users have got, and announces them with the messages that they got
    /// past. Answers what was announced; `None` when the stream is full.
    ///
    /// # Errors
    /// When Redis is away. To repeat it does no harm: cursors only move forward.
    pub async fn tell(
        &self,
        id: &ConversationId,
        header: &Header,
        telling: Telling<'_>,
    ) -> Result<Option<Receipts>, BrokerError> {
        let keys = self.broker.keys();
        let partition = keys.partitions().of(id.as_str());
        let names = vec![keys.receipts(partition), keys.receipts_size(partition), keys.cursors(id)];
        let mut arguments = vec![
            keys.channel(id),
            id.as_str().to_owned(),
            header.to_string(),
            self.bounds.entries.to_string(),
            self.bounds.bytes.to_string(),
            KEEP_SECONDS.to_string(),
            MAX_NOTED.to_string(),
            json(telling.messages)?,
            reach_text(&telling.reaches.delivered)?,
            reach_text(&telling.reaches.read)?,
        ];
        for (cursor, from) in telling.cursors.iter().take(MAX_TOLD) {
            let beginning = json(&Cursor { delivered_before: None, read_before: None, ..cursor.clone() })?;
            let beginning = beginning.strip_suffix('}').unwrap_or(&beginning).to_owned();
            let places = [cursor.delivered, cursor.read, from.delivered, from.read];
            arguments.push(json(&cursor.user)?);
            arguments.extend(places.iter().map(|place| place.0.to_string()));
            arguments.push(beginning);
        }
        let answer = words(self.told.run(self.broker.client(), names, arguments).await?)?;
        match answer.as_slice() {
            [ok, body] if ok == "ok" => serde_json::from_str(body)
                .map(Some)
                .map_err(|error| BrokerError::Unexpected(format!("told receipts: {error}"))),
            [overloaded] if overloaded == "overloaded" => Ok(None),
            _ => Err(BrokerError::Unexpected(answer.join(" "))),
        }
    }
}

fn json<T: Serialize + ?Sized>(value: &T) -> Result<String, BrokerError> {
    serde_json::to_string(value).map_err(|error| BrokerError::Unexpected(error.to_string()))
}

fn reach_text(reach: &Reach) -> Result<String, BrokerError> {
    let user = reach.user.as_ref().map(json).transpose()?.unwrap_or_default();
    Ok(format!("{} {} {user}", reach.first.0, reach.second.0))
}

fn parse_reach(text: &str) -> Option<Reach> {
    let mut parts = text.splitn(3, ' ');
    let (first, second) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let user = parts.next().filter(|user| !user.is_empty());
    let user = user.map(serde_json::from_str).transpose().ok()?;
    Some(Reach { user, first: Seq(first), second: Seq(second) })
}

fn parse_position(text: &str) -> Option<Position> {
    let (delivered, read) = text.split_once(' ')?;
    Some(Position { delivered: Seq(delivered.parse().ok()?), read: Seq(read.parse().ok()?) })
}
