//! How often requests may come: those of a user with his token, and those of an address that show nothing valid. Backends
//! with a service key are exempt.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Uri, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use parlance_domain::rejection::Rejection;

use super::{
    caller::{API_KEY, Caller},
    problem::Problem,
};
use crate::{app::App, socket::wire::client_address};

/// The path of probes, which come from wherever balancers are and must be answered.
const HEALTH: &str = "/health";

/// A request that has been counted: who asks is looked at more than once.
#[derive(Clone)]
struct Counted;

/// Middleware: counts the requests that show neither token nor key, before anything is done for them.
pub(super) async fn strangers(State(app): State<App>, mut request: Request, next: Next) -> Response {
    if request.uri().path() != HEALTH && !shows_something(request.headers(), request.uri()) {
        let trusted_hops = app.config.server.trusted_hops;
        let address = client_address(request.headers(), request.extensions(), trusted_hops);
        if let Err(rejection) = app.limits.stranger(address) {
            return Problem::from(rejection).into_response();
        }
        request.extensions_mut().insert(Counted);
    }
    next.run(request).await
}

fn shows_something(headers: &HeaderMap, uri: &Uri) -> bool {
    let in_query =
        || uri.query().is_some_and(|query| query.split('&').any(|pair| pair.starts_with("token=")));
    headers.contains_key(header::AUTHORIZATION) || headers.contains_key(API_KEY) || in_query()
}

/// Counts a request by who makes it, once.
///
/// # Errors
/// Why nobody makes it, or that it comes too soon.
pub(super) fn counted(
    app: &App,
    parts: &mut Parts,
    outcome: Result<Caller, Rejection>,
) -> Result<Caller, Problem> {
    if parts.extensions.get::<Counted>().is_none() {
        match &outcome {
            Ok(Caller::Backend(_)) => {}
            Ok(Caller::User(identity)) => app.limits.request(&identity.user.id)?,
            Err(rejection) if rejection.code.retryable() => {}
            Err(_) => {
                let trusted_hops = app.config.server.trusted_hops;
                app.limits.stranger(client_address(&parts.headers, &parts.extensions, trusted_hops))?;
            }
        }
        parts.extensions.insert(Counted);
    }
    Ok(outcome?)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_stranger_shows_nothing() {
        let shows = |headers: &[(header::HeaderName, &'static str)], uri: &'static str| {
            let value = |value| HeaderValue::from_static(value);
            let headers = headers.iter().map(|(name, text)| (name.clone(), value(text))).collect();
            shows_something(&headers, &Uri::from_static(uri))
        };
        assert!(!shows(&[], "/docs"));
        assert!(!shows(&[(header::COOKIE, "a=b")], "/v1/users?limit=5&tokens=1"));
        assert!(shows(&[(header::AUTHORIZATION, "Bearer x")], "/v1/users"));
        assert!(shows(&[(API_KEY, "x")], "/v1/users"));
        assert!(shows(&[], "/v1/uploads/1?a=b&token=x"));
    }
}
