//! HTTP long-polling: open and GET, each passed to the engine as a request of our own.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Body;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use serde::Deserialize;
use socketioxide::socket::Sid;

use super::engine::CLOSE_PACKET;
use super::handshake::Handshake;
use super::request::{Ask, Refusal};
use super::service::Endpoint;
use super::{Transport, Wire};
use crate::limits::Pass;

/// The engine's packet that only answers a poll (Engine.IO protocol, `noop`).
const NOOP_PACKET: &[u8] = b"6";
/// Stands between the packets of a polling body.
pub(super) const SEPARATOR: u8 = 0x1e;

impl Endpoint {
    /// Opens a polling session and learns its id from the answer.
    pub(super) async fn open(
        &self,
        handshake: Handshake,
        pass: Option<Pass>,
    ) -> Result<Response<Body>, Refusal> {
        let slot = self.wires.open(Transport::Polling, handshake, pass)?;
        let wire = Arc::clone(slot.wire());
        let mut request = Request::new(Full::default());
        *request.uri_mut() = Ask::Open.engine_uri()?;
        request.extensions_mut().insert(slot);
        let response = self.engine.poll(request).await;
        let Some(sid) = opened_sid(response.body()) else {
            tracing::error!(status = %response.status(), "the engine did not open a session");
            return Err(Refusal::Internal);
        };
        self.wires.name(&wire, sid);
        wire.count_sent(response.body().len());
        Ok(response.map(Body::from))
    }

    /// Waits with the client for packets.
    pub(super) async fn poll(&self, sid: Sid) -> Result<Response<Body>, Refusal> {
        if self.wires.farewell(sid) {
            return Ok(text(CLOSE_PACKET.into()));
        }
        let wire = self.wires.polling(sid)?;
        let response = {
            let _polling = Fetching::begin(&wire);
            let mut request = Request::new(Full::default());
            *request.uri_mut() = Ask::Poll(sid).engine_uri()?;
            self.engine.poll(request).await
        };
        if response.status() != StatusCode::OK {
            return Ok(response.map(Body::from));
        }
        // The engine fills a body up to the limit; one that is far from it has emptied the queue.
        let all = response.body().len() < self.config.max_payload_bytes / 2;
        wire.fetched(response.body().len(), all);
        if self.wires.farewell(sid) {
            return Ok(text(with_close_packet(response.body())));
        }
        Ok(response.map(Body::from))
    }
}

/// A GET that waits in the engine. Dropped early when the client hangs up.
struct Fetching<'a>(&'a Wire);

impl<'a> Fetching<'a> {
    fn begin(wire: &'a Wire) -> Self {
        wire.polls.fetch_add(1, Ordering::Relaxed);
        Self(wire)
    }
}

impl Drop for Fetching<'_> {
    fn drop(&mut self) {
        self.0.polls.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(super) fn text(body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=UTF-8"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    *response.body_mut() = Body::from(body);
    response
}

fn with_close_packet(body: &Bytes) -> Bytes {
    if body.is_empty() || *body == NOOP_PACKET {
        return CLOSE_PACKET.into();
    }
    let mut with = body.to_vec();
    with.push(SEPARATOR);
    with.extend_from_slice(CLOSE_PACKET);
    with.into()
}

/// The session id of an open packet: `0{"sid":"…",…}`.
fn opened_sid(packet: &[u8]) -> Option<Sid> {
    #[derive(Deserialize)]
    struct Opened<'a> {
        sid: &'a str,
    }
    let opened: Opened<'_> = serde_json::from_slice(packet.strip_prefix(b"0")?).ok()?;
    opened.sid.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_id_is_read_from_the_open_packet() {
        let sid = opened_sid(br#"0{"sid":"AAAAAAAAAAAAAAAB","upgrades":["websocket"],"pingInterval":25000}"#);
        assert_eq!(sid.unwrap().as_str(), "AAAAAAAAAAAAAAAB");
        assert_eq!(opened_sid(b"0{}"), None);
        assert_eq!(opened_sid(b""), None);
    }

    #[test]
    fn a_close_packet_comes_after_the_last_events() {
        assert_eq!(with_close_packet(&Bytes::from_static(b"")), "1");
        assert_eq!(with_close_packet(&Bytes::from_static(b"6")), "1");
        assert_eq!(with_close_packet(&Bytes::from_static(b"42[\"a\"]")), "42[\"a\"]\u{1e}1");
    }
}
