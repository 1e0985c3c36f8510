//! The paths of applications' own (`[[route]]` in a dialect's file), at the root and under the namespaces: found out for
//! each request, because which there are can change while the gateway runs. What such a request means, and the words of
//! its answer, are the dialect's business; here is who asks, how often, how much, and from which pages.

mod argument;
mod asked;
mod data_url;
mod files;

use std::convert::Infallible;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, value::RawValue};
use tower::{Layer, ServiceExt, service_fn};

use super::problem::Problem;
use crate::{
    app::App,
    dialect::FoundRoute,
    web::{
        cors,
        origins::{Allowed, Origins},
    },
};

/// The fields of the command that the answer repeats.
type Repeated = Map<String, Value>;

/// Middleware: answers what is the path of some dialect. The gateway's own paths come first.
pub(super) async fn beside(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if super::serves_by(&app.config.server, path) {
        return next.run(request).await;
    }
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    match app.dialects.route(&meant(&request), host, path) {
        Ok(found) => for_pages(app, found, request).await,
        Err(methods) if methods.is_empty() => next.run(request).await,
        Err(methods) => no_such_method(&methods),
    }
}

/// The method that a request is about: what is asked for without its body is what is asked for, and before a page asks
/// for something its browser asks whether it may.
fn meant(request: &Request) -> Method {
    match *request.method() {
        Method::HEAD => Method::GET,
        Method::OPTIONS => {
            let named = request.headers().get(header::ACCESS_CONTROL_REQUEST_METHOD);
            named.and_then(|method| Method::from_bytes(method.as_bytes()).ok()).unwrap_or(Method::OPTIONS)
        }
        ref method => method.clone(),
    }
}

fn no_such_method(methods: &[Method]) -> Response {
    let mut names: Vec<&str> = methods.iter().map(Method::as_str).collect();
    names.sort_unstable();
    names.dedup();
    let mut response = Problem::NO_SUCH_METHOD.into_response();
    if let Ok(allow) = HeaderValue::try_from(names.join(",")) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

/// Answers, for the pages that the dialect lets in or, if the route says so, for all.
async fn for_pages(app: App, found: FoundRoute, request: Request) -> Response {
    let origins = match found.dialect.origins() {
        _ if found.route.is_for_every_page() => &Origins::Any,
        Some(own) => own,
        None => &app.config.server.origins,
    };
    let cors = cors::dialect(&Allowed::by([origins]));
    let answer = service_fn(move |request| {
        let (app, found) = (app.clone(), found.clone());
        Box::pin(async move { Ok::<_, Infallible>(answer(&app, &found, request).await) })
    });
    cors.layer(answer).oneshot(request).await.unwrap_or_else(|never| match never {})
}

async fn answer(app: &App, found: &FoundRoute, request: Request) -> Response {
    let mut repeated = Repeated::new();
    match Box::pin(asked::carried_out(app, found, request, &mut repeated)).await {
        Ok(body) => success(found.route.status(), body),
        Err(problem) => refusal(found, &repeated, problem),
    }
}

fn success(status: StatusCode, body: String) -> Response {
    if status == StatusCode::NO_CONTENT {
        return status.into_response();
    }
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// A refusal in the dialect's words.
fn refusal(found: &FoundRoute, repeated: &Repeated, problem: Problem) -> Response {
    let (status, rejection) = problem.into_rejection();
    let status = found.route.status_of(rejection.code).unwrap_or(status);
    let body: Box<RawValue> = found.dialect.refuse_route(&found.route, repeated, &rejection);
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(wait) = rejection.retry_after {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    (status, headers, Box::<str>::from(body).into_string()).into_response()
}
