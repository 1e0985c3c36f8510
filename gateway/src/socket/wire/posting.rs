//! Packets by HTTP POST: read within a time and a size, and handed to the engine a few at a time.
//!
//! The engine takes all packets of a request before it lets another task run, and a body can hold a million. So it is
//! given them in turns, and no faster than a client may bring them.

use std::ops::Range;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use socketioxide::socket::Sid;

use super::polling::{SEPARATOR, text};
use super::request::{Ask, Refusal};
use super::service::Endpoint;
use super::{KillReason, Wire};
use crate::limits::Limit;
use crate::web::is_encoded;

/// The answer to packets that were taken.
const ACCEPTED: &[u8] = b"ok";
/// How many POSTs of a session are taken in at the same time. Clients send one after the other.
const MOST_POSTS: u16 = 2;
/// After so many packets of one client, others are due.
const TURN_PACKETS: usize = 32;

impl Endpoint {
    /// Takes packets from the client.
    pub(super) async fn post(&self, sid: Sid, request: Request<Body>) -> Result<Response<Body>, Refusal> {
        let wire = self.wires.polling(sid)?;
        if is_encoded(request.headers()) {
            return Err(Refusal::EncodedBody);
        }
        let _posting = Posting::begin(&wire).ok_or(Refusal::BadRequest)?;
        let (parts, body) = request.into_parts();
        let content_type = parts.headers.get(CONTENT_TYPE).cloned();
        drop(parts.extensions);
        drop(parts.headers);
        let body = self.read(&wire, body).await?;
        wire.count_received(body.len(), 0);
        let taken = tokio::time::timeout(self.config.body_timeout, self.take(&wire, sid, content_type, body));
        taken.await.unwrap_or_else(|_| {
            wire.kill(KillReason::Abuse);
            Err(Refusal::BodyTimeout)
        })
    }

    async fn read(&self, wire: &Wire, body: Body) -> Result<Bytes, Refusal> {
        let most = self.config.max_payload_bytes;
        let room = wire.strangers_room().map(|room| usize::try_from(room).unwrap_or(usize::MAX));
        let (most, too_much) = match room {
            Some(room) if room < most => (room, KillReason::Stranger),
            _ => (most, KillReason::Oversized),
        };
        match tokio::time::timeout(self.config.body_timeout, Limited::new(body, most).collect()).await {
            Ok(Ok(collected)) => Ok(collected.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                wire.kill(too_much);
                Err(Refusal::BodyTooLarge)
            }
            Ok(Err(_)) => Err(Refusal::BadRequest),
            Err(_) => Err(Refusal::BodyTimeout),
        }
    }

    /// Hands the engine the packets of a body, in turns.
    async fn take(
        &self,
        wire: &Wire,
        sid: Sid,
        content_type: Option<HeaderValue>,
        body: Bytes,
    ) -> Result<Response<Body>, Refusal> {
        let mut begin = 0;
        loop {
            wait_for_turn(wire).await;
            if wire.muted() {
                return Ok(text(ACCEPTED.into()));
            }
            let (turn, packets) = next_turn(&body, begin);
            wire.count_packets(packets as u64);
            begin = turn.end + 1;
            let mut request = Request::new(Full::new(body.slice(turn)));
            *request.method_mut() = Method::POST;
            *request.uri_mut() = Ask::Post(sid).engine_uri()?;
            if let Some(content_type) = &content_type {
                request.headers_mut().insert(CONTENT_TYPE, content_type.clone());
            }
            let answer = self.engine.poll(request).await;
            if answer.status() != StatusCode::OK || begin > body.len() {
                return Ok(answer.map(Body::from));
            }
            tokio::task::yield_now().await;
        }
    }
}

async fn wait_for_turn(wire: &Wire) {
    loop {
        let wait = wire.intake_wait();
        if wait.is_zero() {
            return;
        }
        Limit::Packets.count();
        tokio::time::sleep(wait.max(Duration::from_millis(1))).await;
    }
}

/// Where the next few packets are that begin at `begin`, and how many. What follows them is a separator, or the end.
fn next_turn(body: &[u8], begin: usize) -> (Range<usize>, usize) {
    let rest = body.get(begin..).unwrap_or_default();
    let mut ends = rest.iter().enumerate().filter(|(_, byte)| **byte == SEPARATOR).map(|(at, _)| begin + at);
    match ends.nth(TURN_PACKETS - 1) {
        Some(end) => (begin..end, TURN_PACKETS),
        None => {
            let separators = rest.iter().filter(|byte| **byte == SEPARATOR).count();
            (begin.min(body.len())..body.len(), separators + 1)
        }
    }
}

/// A POST that is being taken in. Dropped early when the client hangs up.
struct Posting<'a>(&'a Wire);

impl<'a> Posting<'a> {
    /// `None` when the session has as many of them as it may: each keeps what has come of its body.
    fn begin(wire: &'a Wire) -> Option<Self> {
        let begin = |posts| (posts < MOST_POSTS).then_some(posts + 1);
        wire.posts.fetch_update(Ordering::Relaxed, Ordering::Relaxed, begin).ok().map(|_| Self(wire))
    }
}

impl Drop for Posting<'_> {
    fn drop(&mut self) {
        self.0.posts.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(body: &[u8]) -> Vec<(Range<usize>, usize)> {
        let (mut begin, mut turns) = (0, Vec::new());
        while begin <= body.len() {
            let (turn, packets) = next_turn(body, begin);
            begin = turn.end + 1;
            turns.push((turn, packets));
        }
        turns
    }

    #[test]
    fn a_body_is_taken_in_turns_and_nothing_of_it_is_lost() {
        let sizes =
            [(1, vec![1]), (31, vec![31]), (32, vec![32]), (33, vec![32, 1]), (100, vec![32, 32, 32, 4])];
        for (packets, expected) in sizes {
            let body = (0..packets).map(|number| format!("42[{number}]")).collect::<Vec<_>>().join("\u{1e}");
            let turns = turns(body.as_bytes());
            assert_eq!(turns.iter().map(|(_, packets)| *packets).collect::<Vec<_>>(), expected);
            let parts: Vec<&str> = turns.iter().map(|(turn, _)| &body[turn.clone()]).collect();
            assert_eq!(parts.join("\u{1e}"), body);
        }
    }

    #[test]
    fn an_empty_body_is_one_packet_that_is_none() {
        assert_eq!(turns(b""), [(0..0, 1)]);
        assert_eq!(turns(b"\x1e"), [(0..1, 2)]);
    }
}
