//! REST, for backends with a service key and for users with a token. A handler takes a request apart, calls one use
//! case and puts the answer together; the rules are those of the commands. `docs/rest.md` describes it, and so does the
//! OpenAPI document that is made from the handlers.

mod body;
mod caller;
mod calls;
mod conversation_list;
mod conversations;
mod docs_page;
mod etag;
mod events;
mod health;
mod idempotency;
mod limit;
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
#[expect(dead_code, reason = "these types are for the document alone")]
mod schema;
mod sessions;
mod stats;
mod strict;
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

use crate::{app::App, web::is_encoded};
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

/// All routes. Whatever else is asked for is answered 404 or 405, in the same form.
pub fn router(app: App) -> Router {
    let once = middleware::from_fn_with_state(app.clone(), idempotency::once);
    let strangers = middleware::from_fn_with_state(app.clone(), limit::strangers);
    Router::from(resources())
        .route_layer(once)
        .route_layer(middleware::from_fn(strict::known_query))
        .route_layer(middleware::from_fn(etag::not_modified))
        .route_layer(middleware::from_fn(plain_body))
        .merge(docs_page::routes())
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
    let below =
        |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    below("/health") || below("/v1") || below("/docs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rest_has_its_own_paths() {
        assert!(serves("/v1") && serves("/v1/x") && serves("/health") && serves("/docs"));
        assert!(!serves("/v10") && !serves("/socket.io") && !serves("/healthy") && !serves("/docs.html"));
    }
}
