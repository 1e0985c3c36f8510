//! Which web pages may read answers (CORS, <https://fetch.spec.whatwg.org/#http-cors-protocol>): the same rules for REST
//! and for polling. A request of a foreign page is answered like any other, without the headers that would let the page
//! read it; the Socket.IO endpoint refuses it as well, because a WebSocket knows no such headers.

use std::time::Duration;

use axum::{
    Router,
    extract::Request,
    http::{HeaderName, HeaderValue, Method, header},
    middleware::{self, Next},
};
use tower::{Layer, ServiceExt};
use tower_http::cors::{AllowCredentials, AllowHeaders, AllowOrigin, CorsLayer, MaxAge, Vary};

use super::origins::{Allowed, AllowedNow};

/// How long a browser need not ask again.
const MAX_AGE: Duration = Duration::from_secs(600);

const METHODS: [Method; 6] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// What pages may send to REST beside what they always may.
const SENT: [HeaderName; 8] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::RANGE,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("x-act-as"),
    HeaderName::from_static("x-api-key"),
];

/// What pages may read of an answer beside what they always may.
const SHOWN: [HeaderName; 9] = [
    header::ACCEPT_RANGES,
    header::ALLOW,
    header::CONTENT_DISPOSITION,
    header::CONTENT_RANGE,
    header::ETAG,
    header::LOCATION,
    header::RETRY_AFTER,
    header::WWW_AUTHENTICATE,
    HeaderName::from_static("idempotency-replayed"),
];

/// Routes with such a layer around them, for the pages that are allowed when a request comes.
pub fn around(router: Router, allowed: &AllowedNow, layer: fn(&Allowed) -> CorsLayer) -> Router {
    let allowed = allowed.clone();
    router.layer(middleware::from_fn(move |request: Request, next: Next| {
        layer(&allowed.get()).layer(next).oneshot(request)
    }))
}

/// For REST.
pub fn rest(allowed: &Allowed) -> CorsLayer {
    layer(allowed).allow_headers(SENT)
}

/// For the paths of a dialect, whose pages send whatever headers they always sent.
pub fn dialect(allowed: &Allowed) -> CorsLayer {
    polling(allowed)
}

/// For polling. Clients may send headers of their own (`extraHeaders`), so whatever is asked for is allowed.
pub fn polling(allowed: &Allowed) -> CorsLayer {
    layer(allowed).allow_headers(AllowHeaders::mirror_request())
}

fn layer(allowed: &Allowed) -> CorsLayer {
    let listed = {
        let allowed = allowed.clone();
        move |origin: &HeaderValue| origin.to_str().is_ok_and(|origin| allowed.is_listed(origin))
    };
    let layer = CorsLayer::new().allow_methods(METHODS).expose_headers(SHOWN).max_age(MaxAge::exact(MAX_AGE));
    if allowed.is_anyone_alike() {
        return layer.allow_origin(AllowOrigin::any()).vary(Vary::list([]));
    }
    let anyone = allowed.is_anyone();
    let known = listed.clone();
    layer
        .allow_origin(AllowOrigin::predicate(move |origin, _| anyone || known(origin)))
        .allow_credentials(AllowCredentials::predicate(move |origin, _| listed(origin)))
        .vary(Vary::list([header::ORIGIN]))
}
