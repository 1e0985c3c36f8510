//! REST, for backends with a service key and for users with a token. A handler takes a request apart, calls one use
//! case and puts the answer together; the rules are those of the commands. `docs/rest.md` describes it, and so does the
//! OpenAPI document that is made from the handlers.

mod body;
mod caller;
mod calls;
mod conversation_list;
mod conversations;
mod dialect_routes;
mod docs_page;
mod etag;
mod events;
mod health;
mod idempotency;
mod limit;
mod measured;
mod members;
mod messages;
mod notifications;
pub mod openapi;
mod participants;
mod path;
mod presence;
mod problem;
mod query;
mod reactions;
mod receipts;
mod reply;
#[expect(dead_code, reason = "these types are for the document alone")]
mod schema;
mod sessions;
mod stats;
mod strict;
mod try_page;
mod typing;
mod uploads;
mod users;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    http::{HeaderValue, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use utoipa_axum::router::OpenApiRouter;

use crate::{
    app::App,
    config::ServerSection,
    web::{cors, is_encoded, origins::AllowedNow},
};
use problem::Problem;

/// The largest body, in bytes.
pub const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;

/// The routes with their descriptions, a line for each file.
fn resources() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::head())
        .merge(calls::routes())
        .merge(conversations::routes())
        .merge(conversation_list::routes())
        .merge(participants::routes())
        .merge(members::routes())
        .merge(messages::routes())
        .merge(reactions::routes())
        .merge(receipts::routes())
        .merge(typing::routes())
        .merge(events::routes())
        .merge(presence::routes())
        .merge(sessions::routes())
        .merge(uploads::routes())
        .merge(users::routes())
        .merge(notifications::routes())
        .merge(stats::routes())
        .merge(health::routes())
        .merge(openapi::routes())
}

/// All that is no Socket.IO: the gateway's own paths, which the pages of `origins` may read, and those of dialects, which
/// have pages of their own.
pub fn around(app: App, origins: &AllowedNow) -> Router {
    cors::around(router(app.clone()), origins, cors::rest)
        .layer(middleware::from_fn(health::for_every_page))
        .layer(middleware::from_fn_with_state(app, dialect_routes::beside))
        .layer(middleware::from_fn(measured::measured))
}

/// All routes of the gateway's own. Whatever else is asked for is answered 404 or 405, in the same form.
fn router(app: App) -> Router {
    let once = middleware::from_fn_with_state(app.clone(), idempotency::once);
    let strangers = middleware::from_fn_with_state(app.clone(), limit::strangers);
    let try_page = app.config.server.try_page.then(try_page::routes).unwrap_or_default();
    Router::from(resources())
        .route_layer(once)
        .route_layer(middleware::from_fn(strict::known_query))
        .route_layer(middleware::from_fn(etag::not_modified))
        .route_layer(middleware::from_fn(plain_body))
        .merge(docs_page::routes())
        .merge(try_page)
        .fallback(async || Problem::NO_SUCH_PATH)
        .method_not_allowed_fallback(async || Problem::NO_SUCH_METHOD)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(strangers)
        .with_state(app)
}

/// Lets a request pass whose body is what it seems to be.
async fn plain_body(request: Request, next: Next) -> Response {
    if is_encoded(request.headers()) {
        let accepted = [(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"))];
        return (accepted, Problem::ENCODED).into_response();
    }
    next.run(request).await
}

/// Whether a path is REST's, so that nothing else can be served there.
pub fn serves(path: &str) -> bool {
    ["/health", "/v1", "/docs"].iter().any(|root| is_below(root, path))
}

/// The same in a gateway that is configured so: pages that are off are not in anybody's way.
pub fn serves_by(config: &ServerSection, path: &str) -> bool {
    serves(path) || (config.try_page && is_below(try_page::PATH, path))
}

fn is_below(root: &str, path: &str) -> bool {
    path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rest_has_its_own_paths() {
        assert!(serves("/v1") && serves("/v1/x") && serves("/health") && serves("/docs"));
        assert!(!serves("/v10") && !serves("/socket.io") && !serves("/healthy") && !serves("/docs.html"));
        assert!(!serves("/try"), "that is a matter of configuration");
    }
}
