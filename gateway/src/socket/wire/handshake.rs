//! What the rest of the gateway may want to know of the request that opened a session, as owned, bounded text.
//!
//! Nothing here refers to the HTTP connection's read buffer: a header value that is kept keeps that buffer.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN, USER_AGENT};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Request};

use super::request::Refusal;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Beyond this, texts that are only shown (`User-Agent`) are cut.
const SHOWN_BYTES: usize = 256;
/// Beyond this, a `Host` or `Origin` is refused.
const NAME_BYTES: usize = 512;
/// Beyond this, what may carry a token (`Authorization`, cookies, the query) is refused rather than cut.
const CREDENTIAL_BYTES: usize = 8 << 10;

/// The request that opened a session. Kept by its [`Wire`](super::Wire) until the connect handler has taken it.
#[derive(Clone, PartialEq, Eq)]
pub struct Handshake {
    /// The path as the client asked for it: tells aliases apart.
    pub path: Box<str>,
    /// The query as the client sent it, still percent-encoded; may hold a token.
    pub query: Box<str>,
    /// `Host`.
    pub host: Option<Box<str>>,
    /// `Origin`.
    pub origin: Option<Box<str>>,
    /// `User-Agent`, cut at 256 bytes.
    pub user_agent: Option<Box<str>>,
    /// `Authorization`.
    pub authorization: Option<Box<str>>,
    /// All `Cookie` headers, joined with `; `.
    pub cookies: Option<Box<str>>,
    /// The client's address: of the TCP connection, or what the trusted proxies say.
    pub address: Option<IpAddr>,
}

/// Shows only what is no secret.
impl std::fmt::Debug for Handshake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handshake")
            .field("path", &self.path)
            .field("host", &self.host)
            .field("origin", &self.origin)
            .field("user_agent", &self.user_agent)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Handshake {
    /// Copies what is needed out of a request.
    pub(super) fn read<B>(request: &Request<B>, trusted_hops: usize) -> Result<Self, Refusal> {
        let headers = request.headers();
        Ok(Self {
            path: request.uri().path().into(),
            query: bounded(Some(request.uri().query().unwrap_or_default()), CREDENTIAL_BYTES)?
                .unwrap_or_default(),
            host: bounded(text(headers, HOST), NAME_BYTES)?,
            origin: bounded(text(headers, ORIGIN), NAME_BYTES)?,
            user_agent: headers.get(USER_AGENT).map(|value| cut(&String::from_utf8_lossy(value.as_bytes()))),
            authorization: bounded(text(headers, AUTHORIZATION), CREDENTIAL_BYTES)?,
            cookies: bounded(joined(headers, COOKIE, "; ").as_deref(), CREDENTIAL_BYTES)?,
            address: client_address(headers, request.extensions(), trusted_hops),
        })
    }

    /// A value of the query, decoded; the first one when there are several.
    pub fn query_value(&self, name: &str) -> Option<String> {
        let mut pairs = url::form_urlencoded::parse(self.query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

/// A client's address: what the trusted proxies say, else that of the connection.
pub(crate) fn client_address(
    headers: &HeaderMap,
    extensions: &Extensions,
    trusted_hops: usize,
) -> Option<IpAddr> {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    // On a dual-stack listener an IPv4 client looks like ::ffff:1.2.3.4.
    forwarded(headers, trusted_hops).or(peer).map(|address| address.to_canonical())
}

/// The entry that the outermost trusted proxy appended: what lies left of it anybody could have written.
fn forwarded(headers: &HeaderMap, trusted_hops: usize) -> Option<IpAddr> {
    let nth = trusted_hops.checked_sub(1)?;
    // Bytes, not text: what a client puts in front must not hide what the proxies appended.
    let lines: Vec<&[u8]> = headers.get_all(FORWARDED_FOR).iter().map(HeaderValue::as_bytes).collect();
    let all = lines.join(&b","[..]);
    let entry = std::str::from_utf8(all.rsplit(|byte| *byte == b',').nth(nth)?).ok()?.trim();
    entry.parse().ok().or_else(|| entry.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn joined(headers: &HeaderMap, name: HeaderName, separator: &str) -> Option<String> {
    let values: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(separator))
}

fn bounded(text: Option<&str>, most: usize) -> Result<Option<Box<str>>, Refusal> {
    match text {
        Some(text) if text.len() > most => Err(Refusal::HeadersTooLarge),
        text => Ok(text.map(Box::from)),
    }
}

fn cut(text: &str) -> Box<str> {
    text.get(..text.floor_char_boundary(SHOWN_BYTES)).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> http::request::Builder {
        let peer: SocketAddr = "10.0.0.9:1234".parse().unwrap();
        Request::builder().uri("/socket.io/?EIO=4&token=t").extension(ConnectInfo(peer))
    }

    fn read(builder: http::request::Builder, hops: usize) -> Result<Handshake, Refusal> {
        Handshake::read(&builder.body(()).unwrap(), hops)
    }

    #[test]
    fn the_address_comes_from_trusted_proxies_only() {
        let forged =
            || request().header("x-forwarded-for", "6.6.6.6, 1.2.3.4").header("x-forwarded-for", "10.0.0.1");
        let address = |hops| read(forged(), hops).unwrap().address.unwrap().to_string();
        assert_eq!(address(0), "10.0.0.9");
        assert_eq!(address(1), "10.0.0.1");
        assert_eq!(address(2), "1.2.3.4");
        assert_eq!(address(9), "10.0.0.9");
    }

    #[test]
    fn what_a_client_puts_in_front_does_not_hide_what_a_proxy_appended() {
        let bytes = |bytes: &'static [u8]| HeaderValue::from_bytes(bytes).unwrap();
        for (lines, hops) in [
            (vec![bytes(b"\xff, 1.2.3.4")], 1),
            (vec![bytes(b"\xe4\xf6"), bytes(b"1.2.3.4")], 1),
            (vec![bytes(b"6.6.6.6, \x80,1.2.3.4"), bytes(b"10.0.0.1")], 2),
        ] {
            let header = |request: http::request::Builder, line| request.header("x-forwarded-for", line);
            let address = read(lines.into_iter().fold(request(), header), hops).unwrap().address;
            assert_eq!(address.unwrap().to_string(), "1.2.3.4");
        }
        let unreadable = read(request().header("x-forwarded-for", bytes(b"1.2.3.4, \xff")), 1).unwrap();
        assert_eq!(unreadable.address.unwrap().to_string(), "10.0.0.9");
    }

    #[test]
    fn a_forwarded_port_or_rubbish_does_no_harm() {
        let address = |value| read(request().header("x-forwarded-for", value), 1).unwrap().address.unwrap();
        assert_eq!(address("1.2.3.4:555").to_string(), "1.2.3.4");
        assert_eq!(address("[2001:db8::1]:555").to_string(), "2001:db8::1");
        assert_eq!(address("unknown").to_string(), "10.0.0.9");
    }

    #[test]
    fn a_long_user_agent_is_cut_and_a_long_credential_refused() {
        let shown = read(request().header("user-agent", "ü".repeat(400)), 0).unwrap();
        assert_eq!(shown.user_agent.unwrap().len(), SHOWN_BYTES);
        let refused = read(request().header("authorization", "x".repeat(CREDENTIAL_BYTES + 1)), 0);
        assert_eq!(refused, Err(Refusal::HeadersTooLarge));
    }

    #[test]
    fn debug_output_shows_no_secret() {
        let handshake =
            read(request().header("authorization", "Bearer s3cret").header("cookie", "a=s3cret"), 0);
        let shown = format!("{:?}", handshake.unwrap());
        assert!(!shown.contains("s3cret") && !shown.contains("token=t"), "{shown}");
    }
}
