//! `GET /health`: whether a gateway answers at all. Whether it is ready stands on the admin listener.

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderValue, header},
    middleware::Next,
    response::Response,
};
use parlance_domain::time::Timestamp;
use serde_json::{Value, json};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::schema;
use crate::app::App;

const PATH: &str = "/health";

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(health))
}

/// Whether the gateway answers at all
///
/// Whether it is ready stands at `/ready` on the admin port. Every page may read this, whatever its origin.
#[utoipa::path(
    get,
    path = "/health",
    tag = "service",
    operation_id = "getHealth",
    responses((status = 200, description = "It does.", body = schema::Health)),
    security(()),
)]
pub(super) async fn health(State(app): State<App>) -> Json<Value> {
    Json(json!({ "status": "ok", "timestamp": Timestamp(app.clock.now_ms()) }))
}

/// Middleware: lets every page read the answer, because clients look whether a gateway is there before they connect.
pub(super) async fn for_every_page(request: Request, next: Next) -> Response {
    let is_health = request.uri().path() == PATH;
    let mut response = next.run(request).await;
    if is_health {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.remove(header::ACCESS_CONTROL_ALLOW_CREDENTIALS);
    }
    response
}
