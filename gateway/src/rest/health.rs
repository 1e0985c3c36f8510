//! `GET /health`: whether a gateway answers at all. Whether it is ready stands on the admin listener.

use axum::Json;
use serde_json::{Value, json};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::schema;
use crate::app::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(health))
}

/// Whether the gateway answers at all
///
/// Whether it is ready stands at `/ready` on the admin port.
#[utoipa::path(
    get,
    path = "/health",
    tag = "service",
    operation_id = "getHealth",
    responses((status = 200, description = "It does.", body = schema::Health)),
    security(()),
)]
pub(super) async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}
