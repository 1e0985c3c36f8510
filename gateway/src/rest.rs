//! REST, for backends with a service key and for users with a token. A handler takes a request apart, calls one use
//! case and puts the answer together; the rules are those of the commands. `docs/rest.md` describes it.

mod body;
mod caller;
mod conversations;
mod health;
mod messages;
mod participants;
mod path;
mod problem;
mod query;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, patch, post, put},
};

use crate::app::App;
use problem::Problem;

/// The largest body, in bytes.
pub const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;

/// All routes. Whatever else is asked for is answered 404 or 405, in the same form.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/health", get(health::health))
        .route("/v1/conversations", post(conversations::create))
        .route(
            "/v1/conversations/{conversation}/participants/{user}",
            put(participants::add).delete(participants::remove),
        )
        .route("/v1/conversations/{conversation}/messages", post(messages::send).get(messages::history))
        .route("/v1/messages/{message}", patch(messages::edit).delete(messages::delete))
        .fallback(async || Problem::NO_SUCH_PATH)
        .method_not_allowed_fallback(async || Problem::NO_SUCH_METHOD)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(app)
}

/// Whether a path is REST's, so that nothing else can be served there.
pub fn serves(path: &str) -> bool {
    let below =
        |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    below("/health") || below("/v1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rest_has_its_own_paths() {
        assert!(serves("/v1") && serves("/v1/x") && serves("/health"));
        assert!(!serves("/v10") && !serves("/socket.io") && !serves("/healthy"));
    }
}
