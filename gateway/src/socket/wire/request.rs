//! What a request to the Socket.IO path asks for, read from its query, and how a refusal looks.
//!
//! Answers have the shape and codes of the reference implementation: `{"code":1,"message":"Session ID unknown"}`.

use std::time::Duration;

use axum::body::Body;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Method, Response, StatusCode, Uri};
use socketioxide::socket::Sid;

use crate::limits::Full;
use crate::listener::Unanswered;

/// The one path that the engine knows; every configured path is an alias of it.
pub(super) const ENGINE_PATH: &str = "/socket.io";

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// A polling session: GET without `sid`.
    Open,
    /// Packets for the client: GET with `sid`.
    Poll(Sid),
    /// Packets from the client: POST with `sid`.
    Post(Sid),
    /// A WebSocket, for a new session or for the one of `sid`.
    WebSocket(Option<Sid>),
}

/// Why a request is answered with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    UnknownTransport,
    UnknownSession,
    BadMethod,
    BadRequest,
    ForeignOrigin,
    UnsupportedProtocol,
    UpgradeRequired,
    HeadersTooLarge,
    BodyTooLarge,
    BodyTimeout,
    EncodedBody,
    /// The address opens sessions too often; it may again after so long.
    TooOften(Duration),
    /// There is no room; there may be after so long.
    NoRoom(Duration),
    Draining,
    Internal,
}

impl Refusal {
    fn parts(self) -> (StatusCode, u8, &'static str) {
        match self {
            Self::UnknownTransport => (StatusCode::BAD_REQUEST, 0, "Transport unknown"),
            Self::UnknownSession => (StatusCode::BAD_REQUEST, 1, "Session ID unknown"),
            Self::BadMethod => (StatusCode::BAD_REQUEST, 2, "Bad handshake method"),
            Self::BadRequest => (StatusCode::BAD_REQUEST, 3, "Bad request"),
            Self::ForeignOrigin => (StatusCode::FORBIDDEN, 4, "Forbidden origin"),
            Self::UnsupportedProtocol => (StatusCode::BAD_REQUEST, 5, "Unsupported protocol version"),
            Self::UpgradeRequired => (StatusCode::UPGRADE_REQUIRED, 3, "WebSocket version 13 expected"),
            Self::HeadersTooLarge => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, 3, "Header or query too large")
            }
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, 3, "Payload too large"),
            Self::EncodedBody => (StatusCode::UNSUPPORTED_MEDIA_TYPE, 3, "Content-Encoding not supported"),
            Self::BodyTimeout => (StatusCode::REQUEST_TIMEOUT, 3, "Body took too long"),
            Self::TooOften(_) => (StatusCode::TOO_MANY_REQUESTS, 3, "Too many connections, try again later"),
            Self::NoRoom(_) => (StatusCode::SERVICE_UNAVAILABLE, 3, "Too many clients, try again later"),
            Self::Draining => (StatusCode::SERVICE_UNAVAILABLE, 3, "Server is going away"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, 3, "Internal error"),
        }
    }

    /// When it is worth to try again, where that is known.
    fn wait(self) -> Option<Duration> {
        match self {
            Self::TooOften(wait) | Self::NoRoom(wait) => Some(wait),
            Self::Draining => Some(Duration::from_secs(1)),
            _ => None,
        }
    }

    /// The HTTP answer.
    pub(super) fn response(self) -> Response<Body> {
        let (status, code, message) = self.parts();
        let wait = self.wait().map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        let retry = wait.map(|ms| format!(r#","retryAfterMs":{ms}"#)).unwrap_or_default();
        let body = format!(r#"{{"code":{code},"message":"{message}"{retry}}}"#);
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(ms) = wait {
            // In whole seconds (RFC 9110, 10.2.3), none too early.
            headers.insert(RETRY_AFTER, HeaderValue::from(ms.div_ceil(1_000)));
        }
        match self {
            Self::UpgradeRequired => {
                headers.insert(http::header::UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(http::header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            }
            Self::EncodedBody => {
                headers.insert(http::header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
            }
            Self::Draining => {
                headers.insert(HeaderName::from_static("connection"), HeaderValue::from_static("close"));
                // A proxy that gets no answer asks another gateway. One that gets this answer passes it on.
                response.extensions_mut().insert(Unanswered);
            }
            _ => {}
        }
        response
    }
}

impl Ask {
    /// Reads `EIO`, `transport` and `sid`. Only protocol 4 (Socket.IO 3 and later) is served.
    pub(super) fn parse(method: &Method, query: Option<&str>) -> Result<Self, Refusal> {
        let query = query.unwrap_or_default();
        let field = |name: &str| {
            query.split('&').find_map(|pair| pair.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')))
        };
        let websocket = match field("transport") {
            Some("polling") => false,
            Some("websocket") => true,
            _ => return Err(Refusal::UnknownTransport),
        };
        if field("EIO") != Some("4") {
            return Err(Refusal::UnsupportedProtocol);
        }
        let sid: Option<Sid> =
            field("sid").map(str::parse).transpose().map_err(|_| Refusal::UnknownSession)?;
        match (method, websocket, sid) {
            (&Method::GET, true, sid) => Ok(Self::WebSocket(sid)),
            (&Method::GET, false, None) => Ok(Self::Open),
            (&Method::GET, false, Some(sid)) => Ok(Self::Poll(sid)),
            (&Method::POST, false, Some(sid)) => Ok(Self::Post(sid)),
            _ => Err(Refusal::BadMethod),
        }
    }

    /// The URI for the engine, made anew: nothing of the client's request stays alive through it.
    pub(super) fn engine_uri(self) -> Result<Uri, Refusal> {
        let (transport, sid) = match self {
            Self::Open => return Ok(Uri::from_static("/socket.io/?EIO=4&transport=polling")),
            Self::WebSocket(None) => return Ok(Uri::from_static("/socket.io/?EIO=4&transport=websocket")),
            Self::WebSocket(Some(sid)) => ("websocket", sid),
            Self::Poll(sid) | Self::Post(sid) => ("polling", sid),
        };
        format!("{ENGINE_PATH}/?EIO=4&transport={transport}&sid={sid}").parse().map_err(|_| Refusal::Internal)
    }
}

impl From<Full> for Refusal {
    fn from(full: Full) -> Self {
        match full {
            Full::TooOften(wait) => Self::TooOften(wait),
            Full::NoRoom(wait) => Self::NoRoom(wait),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SID: &str = "AAAAAAAAAAAAAAAA";

    fn ask(method: &Method, query: &str) -> Result<Ask, Refusal> {
        Ask::parse(method, Some(query))
    }

    #[test]
    fn requests_are_told_apart_by_method_transport_and_sid() {
        let sid: Sid = SID.parse().unwrap();
        assert_eq!(ask(&Method::GET, "EIO=4&transport=polling&t=x"), Ok(Ask::Open));
        assert_eq!(ask(&Method::GET, &format!("EIO=4&transport=polling&sid={SID}")), Ok(Ask::Poll(sid)));
        assert_eq!(ask(&Method::POST, &format!("transport=polling&EIO=4&sid={SID}")), Ok(Ask::Post(sid)));
        assert_eq!(ask(&Method::GET, "EIO=4&transport=websocket"), Ok(Ask::WebSocket(None)));
        assert_eq!(
            ask(&Method::GET, &format!("EIO=4&transport=websocket&sid={SID}")),
            Ok(Ask::WebSocket(Some(sid)))
        );
    }

    #[test]
    fn a_bad_request_says_what_is_wrong() {
        assert_eq!(Ask::parse(&Method::GET, None), Err(Refusal::UnknownTransport));
        assert_eq!(ask(&Method::GET, "EIO=4&transport=webtransport"), Err(Refusal::UnknownTransport));
        assert_eq!(ask(&Method::GET, "EIO=3&transport=polling"), Err(Refusal::UnsupportedProtocol));
        assert_eq!(ask(&Method::GET, "EIO=4&transport=polling&sid=short"), Err(Refusal::UnknownSession));
        assert_eq!(ask(&Method::POST, "EIO=4&transport=polling"), Err(Refusal::BadMethod));
        assert_eq!(
            ask(&Method::DELETE, &format!("EIO=4&transport=polling&sid={SID}")),
            Err(Refusal::BadMethod)
        );
    }

    #[test]
    fn the_engine_sees_its_own_path_and_nothing_of_the_clients_query() {
        let ask = ask(&Method::GET, &format!("EIO=4&transport=polling&token=secret&sid={SID}")).unwrap();
        let expected = format!("/socket.io/?EIO=4&transport=polling&sid={SID}");
        assert_eq!(ask.engine_uri().unwrap().to_string(), expected);
    }

    #[tokio::test]
    async fn who_is_refused_for_now_is_told_when_to_come_back() {
        for (refusal, status, seconds) in [
            (Refusal::TooOften(Duration::from_millis(1_001)), 429, "2"),
            (Refusal::NoRoom(Duration::from_secs(5)), 503, "5"),
            (Refusal::Draining, 503, "1"),
        ] {
            let answer = refusal.response();
            assert_eq!(
                (answer.status().as_u16(), answer.headers()[RETRY_AFTER].to_str().unwrap()),
                (status, seconds)
            );
            let body = axum::body::to_bytes(answer.into_body(), 1_000).await.unwrap();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["retryAfterMs"], refusal.wait().unwrap().as_millis() as u64);
        }
    }
}
