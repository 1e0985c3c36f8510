//! Which pages may read the answers of the Socket.IO path (CORS), and which may connect at all.

use axum::body::Body;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, CACHE_CONTROL,
    ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::config::Origins;

/// What a request's origin is allowed to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// No browser, or no cross-origin rules apply.
    NoOrigin,
    /// Any page, without credentials.
    Anyone,
    /// This page, with credentials.
    Listed(HeaderValue),
    /// Not this page.
    Foreign,
}

impl Origins {
    pub(super) fn judge(&self, headers: &HeaderMap) -> Verdict {
        let Some(origin) = headers.get(ORIGIN) else {
            return Verdict::NoOrigin;
        };
        match self {
            Self::Any => Verdict::Anyone,
            Self::List(list) => {
                // Scheme and host compare without case, and an origin has nothing else.
                let listed = |entry: &String| entry.as_bytes().eq_ignore_ascii_case(origin.as_bytes());
                if list.iter().any(listed) { Verdict::Listed(origin.clone()) } else { Verdict::Foreign }
            }
        }
    }
}

impl Verdict {
    /// Adds the headers that let the page read an answer.
    pub(super) fn apply(self, headers: &mut HeaderMap, origins: &Origins) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if matches!(origins, Origins::List(_)) {
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
        match self {
            Self::Anyone => {
                headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            }
            Self::Listed(origin) => {
                headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
                headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            }
            Self::NoOrigin | Self::Foreign => {}
        }
    }
}

/// The answer to an `OPTIONS` request of a page that may connect. Clients may send headers of their own
/// (`extraHeaders`), so whatever is asked for is allowed.
pub(super) fn preflight(request: &HeaderMap) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, OPTIONS"));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    if let Some(asked) = request.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
        headers.append(VARY, HeaderValue::from_static("Access-Control-Request-Headers"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(origin: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(ORIGIN, HeaderValue::from_static(origin))])
    }

    #[test]
    fn a_star_never_comes_with_credentials() {
        let mut headers = HeaderMap::new();
        Origins::Any.judge(&from("https://a.example")).apply(&mut headers, &Origins::Any);
        assert_eq!(headers.get(ACCESS_CONTROL_ALLOW_ORIGIN).unwrap(), "*");
        assert!(headers.get(ACCESS_CONTROL_ALLOW_CREDENTIALS).is_none());
    }

    #[test]
    fn a_listed_origin_is_echoed_and_a_foreign_one_is_not() {
        let origins = Origins::List(vec!["https://a.example".to_owned()]);
        let mut headers = HeaderMap::new();
        origins.judge(&from("https://A.example")).apply(&mut headers, &origins);
        assert_eq!(headers.get(ACCESS_CONTROL_ALLOW_ORIGIN).unwrap(), "https://A.example");
        assert_eq!(headers.get(ACCESS_CONTROL_ALLOW_CREDENTIALS).unwrap(), "true");
        assert_eq!(headers.get(VARY).unwrap(), "Origin");
        assert_eq!(origins.judge(&from("https://a.example.evil")), Verdict::Foreign);
        assert_eq!(origins.judge(&from("null")), Verdict::Foreign);
        assert_eq!(origins.judge(&HeaderMap::new()), Verdict::NoOrigin);
    }
}
