//! WebSocket upgrades: validated and answered here, so that the engine gets a stream and no HTTP request.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{
    CONNECTION, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use socketioxide::socket::Sid;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::request::{Ask, Refusal};
use super::service::Endpoint;
use super::stream::ClientStream;
use super::{Transport, Wire, WireSlot};

/// How long the connection may take to be handed over once the answer was given.
const HANDOVER: Duration = Duration::from_secs(10);
/// More than the first frame of an upgrade, `2probe`, has.
const PROBE_BYTES: usize = 64;

/// What becomes of an upgraded stream.
pub(super) enum Session {
    /// A session of its own; the slot goes into the engine.
    New(WireSlot),
    /// A polling session's new transport.
    Polling(Probing, Sid),
}

impl Endpoint {
    /// Answers 101 and leaves the rest to a tracked task, or refuses.
    pub(super) fn upgrade(
        self: &Arc<Self>,
        mut request: Request<Body>,
        sid: Option<Sid>,
    ) -> Result<Response<Body>, Refusal> {
        let accept = accept_key(request.headers())?;
        let on_upgrade = request.extensions_mut().remove::<OnUpgrade>().ok_or(Refusal::UpgradeRequired)?;
        let session = match sid {
            None => {
                let handshake = self.handshake(&request)?;
                let pass = self.enter(&handshake)?;
                Session::New(self.wires.open(Transport::WebSocket, handshake, pass)?)
            }
            Some(sid) => Session::Polling(Probing::begin(self.wires.polling(sid)?)?, sid),
        };
        // Nothing of the request may live on in the task: its headers share the connection's read buffer.
        drop(request);
        let (hard, hand_over) = (self.lifecycle.hard(), Arc::clone(self).hand_over(on_upgrade, session));
        self.lifecycle.spawn_request("wire.upgrade", async move {
            hard.run_until_cancelled(hand_over).await;
        });
        Ok(switching_protocols(accept))
    }

    async fn hand_over(self: Arc<Self>, on_upgrade: OnUpgrade, session: Session) {
        // On every early return the session is dropped: a new one is forgotten, a polling one goes on polling.
        let Ok(Ok(upgraded)) = tokio::time::timeout(HANDOVER, on_upgrade).await else {
            return;
        };
        match session {
            Session::New(slot) => {
                let stream = self.stream(upgraded, Bytes::new(), Arc::clone(slot.wire()));
                self.accept(stream, Ask::WebSocket(None), Some(slot));
            }
            Session::Polling(probing, sid) => {
                if let Some(stream) = self.probed(upgraded, probing).await {
                    self.accept(stream, Ask::WebSocket(Some(sid)), None);
                }
            }
        }
    }

    /// Waits for the client's first bytes. Until then the engine knows of no upgrade, so a WebSocket that no
    /// byte gets through (some proxies) costs nothing; afterwards the engine has no way back to polling.
    async fn probed(&self, upgraded: Upgraded, probing: Probing) -> Option<ClientStream> {
        let mut io = TokioIo::new(upgraded);
        let ahead = tokio::time::timeout(self.config.upgrade_timeout, first_bytes(&mut io)).await.ok()??;
        Some(self.stream(io.into_inner(), ahead, probing.take_over()?))
    }

    fn stream(&self, upgraded: Upgraded, ahead: Bytes, wire: Arc<Wire>) -> ClientStream {
        ClientStream::new(upgraded, ahead, wire, self.config.fast_lane)
    }

    fn accept(&self, stream: ClientStream, ask: Ask, slot: Option<WireSlot>) {
        let Ok(uri) = ask.engine_uri() else { return };
        let mut request = Request::new(());
        *request.uri_mut() = uri;
        if let Some(slot) = slot {
            request.extensions_mut().insert(slot);
        }
        self.engine.accept(stream, request);
    }
}

/// A polling session whose WebSocket has not sent anything yet; goes back to polling when dropped.
pub(super) struct Probing(Option<Arc<Wire>>);

impl Probing {
    /// One upgrade at a time: with two, the engine would mix them up.
    fn begin(wire: Arc<Wire>) -> Result<Self, Refusal> {
        if wire.killed().is_none() && wire.move_transport(Transport::Polling, Transport::Upgrading) {
            Ok(Self(Some(wire)))
        } else {
            Err(Refusal::BadRequest)
        }
    }

    /// The wire, from now on the stream's; nothing if it has been killed meanwhile.
    fn take_over(mut self) -> Option<Arc<Wire>> {
        self.0.take_if(|wire| wire.killed().is_none())
    }
}

impl Drop for Probing {
    fn drop(&mut self) {
        if let Some(wire) = self.0.take() {
            wire.move_transport(Transport::Upgrading, Transport::Polling);
        }
    }
}

async fn first_bytes(io: &mut (impl AsyncRead + Unpin)) -> Option<Bytes> {
    let mut buffer = [0; PROBE_BYTES];
    let count = io.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
    buffer.get(..count).map(Bytes::copy_from_slice)
}

/// Checks what RFC 6455, 4.2.1 asks of a client, and derives the answer to its key.
fn accept_key(headers: &HeaderMap) -> Result<HeaderValue, Refusal> {
    let lists = |name: HeaderName, token: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| value.split(',').any(|entry| entry.trim().eq_ignore_ascii_case(token)))
    };
    let version_13 = headers.get(SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
    if !lists(UPGRADE, "websocket") || !lists(CONNECTION, "upgrade") || !version_13 {
        return Err(Refusal::UpgradeRequired);
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).ok_or(Refusal::BadRequest)?.as_bytes();
    match BASE64_STANDARD.decode(key) {
        Ok(nonce) if nonce.len() == 16 => {
            HeaderValue::from_str(&derive_accept_key(key)).map_err(|_| Refusal::Internal)
        }
        _ => Err(Refusal::BadRequest),
    }
}

fn switching_protocols(accept: HeaderValue) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(changes: &[(HeaderName, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let good = [
            (UPGRADE, "websocket"),
            (CONNECTION, "keep-alive, Upgrade"),
            (SEC_WEBSOCKET_VERSION, "13"),
            (SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        for (name, value) in good.iter().chain(changes) {
            headers.insert(name.clone(), HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn the_answer_to_the_key_is_that_of_the_rfc() {
        assert_eq!(accept_key(&headers(&[])).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn what_is_no_websocket_handshake_is_refused() {
        for (name, value) in [(UPGRADE, "h2c"), (CONNECTION, "close"), (SEC_WEBSOCKET_VERSION, "8")] {
            assert_eq!(accept_key(&headers(&[(name, value)])), Err(Refusal::UpgradeRequired));
        }
        for key in ["", "dG9vIHNob3J0", "not base64 at all!!!!!!!"] {
            assert_eq!(accept_key(&headers(&[(SEC_WEBSOCKET_KEY, key)])), Err(Refusal::BadRequest));
        }
    }
}
