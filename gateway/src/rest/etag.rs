//! Versions of what is answered (RFC 9110, 8.8.3 and 13.1): who reads again is told when nothing changed, and who
//! changes something can say what state the change is meant for.
//!
//! A handler that reads one resource answers [`Tagged`]; [`not_modified`] then answers `If-None-Match`. A handler that
//! changes one reads it first and calls [`matches()`].

use axum::{
    Json,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::problem::Problem;
use crate::web::plain_tag;

/// How much of the hash stands in a tag, in bytes.
const TAG_BYTES: usize = 16;

/// A resource, answered with its version.
#[derive(Debug)]
pub(super) struct Tagged(pub(super) Value);

impl IntoResponse for Tagged {
    fn into_response(self) -> Response {
        let tag = HeaderValue::try_from(of(&self.0)).ok();
        let mut response = Json(self.0).into_response();
        // Who keeps it asks whether it still holds.
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        if let Some(tag) = tag {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

/// The strong tag of a resource, with its quotes: the same for the same JSON, on every gateway.
pub(super) fn of(resource: &Value) -> String {
    let hash = Sha256::digest(resource.to_string());
    let hash = hash.get(..TAG_BYTES).unwrap_or_default();
    format!("\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(hash))
}

/// Whether a request is meant for this state of a resource: it has no `If-Match`, or one that names the state or `*`.
///
/// # Errors
/// `precondition_failed` (412).
pub(super) fn matches(headers: &HeaderMap, resource: &Value) -> Result<(), Problem> {
    if !headers.contains_key(header::IF_MATCH) || names(headers, header::IF_MATCH, &of(resource)) {
        Ok(())
    } else {
        Err(Problem::PRECONDITION_FAILED)
    }
}

/// Middleware: answers 304 instead of a resource that the caller has.
pub(super) async fn not_modified(request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads || !request.headers().contains_key(header::IF_NONE_MATCH) {
        return next.run(request).await;
    }
    let headers = request.headers().clone();
    let response = next.run(request).await;
    if response.status() != StatusCode::OK {
        return response;
    }
    let tag = response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok());
    let Some(known) = tag.and_then(|tag| named(&headers, header::IF_NONE_MATCH, tag)) else {
        return response;
    };
    // What the whole answer would say about being stored (RFC 9110, 15.4.5).
    let caching = response.headers().get(header::CACHE_CONTROL).cloned();
    let mut unchanged = StatusCode::NOT_MODIFIED.into_response();
    let headers = unchanged.headers_mut();
    headers.extend(HeaderValue::try_from(known).ok().map(|tag| (header::ETAG, tag)));
    headers.extend(caching.map(|caching| (header::CACHE_CONTROL, caching)));
    headers.insert(header::VARY, HeaderValue::from(header::ACCEPT_ENCODING));
    unchanged
}

fn names(headers: &HeaderMap, header: HeaderName, tag: &str) -> bool {
    named(headers, header, tag).is_some()
}

/// The first of the tags that a header lists that is this one, as it was given out: with the coding of a compressed answer.
/// A weak one names what is equal enough for reading; nothing here is changed by a weak one, because no tag that was given
/// out is weak.
fn named<'a>(headers: &'a HeaderMap, header: HeaderName, tag: &'a str) -> Option<&'a str> {
    let weak = header == header::IF_NONE_MATCH;
    // No tag that was given out has a comma.
    let values = headers.get_all(header).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).find_map(|one| {
        let strong = if weak { one.strip_prefix("W/").unwrap_or(one) } else { one };
        let is_this = strong == tag || plain_tag(strong).is_some_and(|plain| plain == tag);
        match one {
            "*" => Some(tag),
            _ => is_this.then_some(strong),
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn headers(name: &HeaderName, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn a_tag_is_that_of_its_content() {
        let tag = of(&json!({"a": 1}));
        assert_eq!(tag, of(&json!({"a": 1})));
        assert_ne!(tag, of(&json!({"a": 2})));
        assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() > 10 && !tag.contains(','), "{tag}");
    }

    #[test]
    fn a_change_meant_for_another_state_is_refused() {
        let resource = json!({"a": 1});
        let tag = of(&resource);
        let refused = |values: &[&str]| matches(&headers(&header::IF_MATCH, values), &resource).is_err();
        assert!(!refused(&[]) && !refused(&[&tag]) && !refused(&["*"]) && !refused(&["\"x\"", &tag]));
        assert!(!refused(&[&format!("\"x\" , {tag}")]));
        assert!(
            refused(&["\"x\""]) && refused(&[""]) && refused(&[&format!("W/{tag}")]),
            "a weak tag does not do"
        );
    }

    #[test]
    fn a_weak_tag_does_for_reading() {
        let named =
            |value: &str| names(&headers(&header::IF_NONE_MATCH, &[value]), header::IF_NONE_MATCH, "\"t\"");
        assert!(named("W/\"t\"") && named("\"t\"") && named("*") && named("\"s\", W/\"t\""));
        assert!(!named("\"s\"") && !named("t") && !named(""));
    }
}
