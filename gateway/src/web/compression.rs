//! Long answers are compressed for who takes that; requests may not be. Files of users never are: most are compressed
//! already, and parts of them are asked for by their place.
//!
//! A compressed answer is another representation, so a strong tag on it has to be another too (RFC 9110, 8.8.3.3): it gets
//! the coding as its ending, and [`plain_tag`] takes that away again where tags come in.

use axum::{
    Router,
    http::{Extensions, HeaderMap, HeaderValue, StatusCode, Version, header},
    middleware,
    response::Response,
};
use tower_http::{
    CompressionLevel,
    compression::{CompressionLayer, Predicate, predicate::SizeAbove},
};

/// What is shorter is not worth it.
const MIN_BYTES: u16 = 1024;
/// Of gzip and of brotli: higher ones cost several times as much and save little.
const LEVEL: i32 = 4;
const CODINGS: [&str; 2] = ["gzip", "br"];
const TEXTS: [&str; 7] = [
    "application/json",
    "application/problem+json",
    "application/javascript",
    "text/css",
    "text/html",
    "text/javascript",
    "text/plain",
];

/// Compresses the answers that are worth it.
pub(super) fn compressed(routes: Router) -> Router {
    let layer = CompressionLayer::new()
        .quality(CompressionLevel::Precise(LEVEL))
        .compress_when(SizeAbove::new(MIN_BYTES).and(is_our_text as IsCompressed));
    let tag = async |mut response: Response| {
        tag_by_coding(response.headers_mut());
        response
    };
    routes.layer(layer).layer(middleware::map_response(tag))
}

type IsCompressed = fn(StatusCode, Version, &HeaderMap, &Extensions) -> bool;

/// Whether an answer is a text that the gateway made. What can be read in parts is a file of somebody.
fn is_our_text(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    TEXTS.contains(&essence) && !headers.contains_key(header::ACCEPT_RANGES)
}

fn tag_by_coding(headers: &mut HeaderMap) {
    let coding = headers.get(header::CONTENT_ENCODING).and_then(|coding| coding.to_str().ok());
    let tag = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok());
    let (Some(coding), Some(plain)) = (coding, tag.and_then(|tag| tag.strip_suffix('"'))) else {
        return;
    };
    if let Ok(tag) = HeaderValue::try_from(format!("{plain}.{coding}\"")) {
        headers.insert(header::ETAG, tag);
    }
}

/// The tag of a resource, whatever coding it was answered in.
pub(crate) fn plain_tag(tag: &str) -> Option<String> {
    let inner = tag.strip_suffix('"')?;
    let plain = CODINGS.iter().find_map(|coding| inner.strip_suffix(coding)?.strip_suffix('.'))?;
    Some(format!("{plain}\""))
}

/// Whether the body of a request is compressed, or coded otherwise. Such bodies are taken nowhere: a small one can become
/// an endless one.
pub fn is_encoded(headers: &HeaderMap) -> bool {
    let plain = |value: &HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity");
    headers.get_all(header::CONTENT_ENCODING).iter().any(|value| !plain(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_tag_has_the_coding_in_it_and_loses_it_again() {
        let mut answer = headers(&[(header::ETAG, "\"abc\""), (header::CONTENT_ENCODING, "gzip")]);
        tag_by_coding(&mut answer);
        assert_eq!(answer[header::ETAG], "\"abc.gzip\"");
        assert_eq!(plain_tag("\"abc.gzip\"").as_deref(), Some("\"abc\""));
        assert_eq!(plain_tag("\"abc.br\"").as_deref(), Some("\"abc\""));
        for other in ["\"abc\"", "\"abcbr\"", "abc.br", ""] {
            assert_eq!(plain_tag(other), None, "{other}");
        }
        let mut plain = headers(&[(header::ETAG, "\"abc\"")]);
        tag_by_coding(&mut plain);
        assert_eq!(plain[header::ETAG], "\"abc\"");
    }

    #[test]
    fn only_texts_of_the_gateway_are_compressed() {
        let is =
            |pairs: &[_]| is_our_text(StatusCode::OK, Version::HTTP_11, &headers(pairs), &Extensions::new());
        assert!(is(&[(header::CONTENT_TYPE, "application/json")]));
        assert!(is(&[(header::CONTENT_TYPE, "text/plain; charset=UTF-8")]));
        assert!(!is(&[(header::CONTENT_TYPE, "text/plain"), (header::ACCEPT_RANGES, "bytes")]));
        for kind in [
            "image/png",
            "application/zip",
            "text/event-stream",
            "application/octet-stream",
            "jsontext/plain",
        ] {
            assert!(!is(&[(header::CONTENT_TYPE, kind)]), "{kind}");
        }
        assert!(!is(&[]));
    }

    #[test]
    fn every_coding_but_none_is_a_coding() {
        for coding in ["gzip", "br", "deflate", "x-unknown", "identity, gzip", ""] {
            assert!(is_encoded(&headers(&[(header::CONTENT_ENCODING, coding)])), "{coding}");
        }
        assert!(
            !is_encoded(&headers(&[])) && !is_encoded(&headers(&[(header::CONTENT_ENCODING, " Identity ")]))
        );
    }
}
