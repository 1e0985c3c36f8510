//! What browsers must not do with answers. A handler that says something else about an answer of its own keeps it: pages,
//! files, and what may be stored.

use std::time::Duration;

use axum::{
    Router,
    http::{HeaderName, HeaderValue, header},
    middleware,
    response::Response,
};

/// What every answer has unless it says something else: it is of the type that it says, loads and runs nothing, stands in
/// no frame and in no foreign page, tells no other server where it was, and is not stored.
const USUAL: [(HeaderName, HeaderValue); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// Adds the headers to every answer.
pub(super) fn secure(routes: Router, hsts: Option<Duration>) -> Router {
    let hsts = hsts.and_then(|age| HeaderValue::try_from(format!("max-age={}", age.as_secs())).ok());
    routes.layer(middleware::map_response(move |mut response: Response| {
        let headers = response.headers_mut();
        for (name, value) in USUAL {
            headers.entry(name).or_insert(value);
        }
        if let Some(hsts) = &hsts {
            headers.insert(header::STRICT_TRANSPORT_SECURITY, hsts.clone());
        }
        std::future::ready(response)
    }))
}
