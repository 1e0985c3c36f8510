//! `GET /health`: whether a gateway answers at all. Whether it is ready stands on the admin listener.

use axum::Json;
use serde_json::{Value, json};

/// 200 `{"status":"ok"}`. Needs no token.
pub(super) async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}
