//! `/docs`: a page to browse the OpenAPI document with, Swagger UI, whose files are all in the binary.

use std::sync::{Arc, LazyLock};

use axum::{
    Router,
    extract::Path,
    http::{StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use utoipa_swagger_ui::Config;

use super::problem::Problem;

const DOCUMENT: &str = "/v1/openapi.json";

/// Nothing but what this server has, neither script nor style in the page itself, and nobody frames it. Pictures stand in
/// the styles, because Swagger UI has them so.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/docs", get(async || Redirect::permanent("/docs/")))
        .route("/docs/", get(async || file("index.html")))
        .route("/docs/{*file}", get(async |Path(name): Path<String>| file(&name)))
}

/// A file of the page.
fn file(name: &str) -> Response {
    static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
        // Who comes back has to show a key or a token again: nothing is kept in the browser. The validator is a service of
        // somebody else, who would be told where this server is.
        Arc::new(Config::new([DOCUMENT]).persist_authorization(false).validator_url("none").use_base_layout())
    });
    match utoipa_swagger_ui::serve(name, CONFIG.clone()) {
        Ok(Some(file)) => {
            let headers = [
                (header::CONTENT_TYPE, file.content_type),
                (header::CONTENT_SECURITY_POLICY, POLICY.to_owned()),
            ];
            (StatusCode::OK, headers, file.bytes.into_owned()).into_response()
        }
        Ok(None) => Problem::NO_SUCH_PATH.into_response(),
        Err(error) => {
            tracing::error!(%error, name, "failed to make a file of the documentation page");
            Problem::from(parlance_domain::rejection::Code::Internal).into_response()
        }
    }
}
