//! `/v1/stats`: how much there is to do.

use axum::{Json, extract::State};
use parlance_domain::command::Command;
use serde_json::Value;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{caller::Caller, problem::Problem, schema};
use crate::{app::App, command};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get))
}

/// Count sockets, users and rooms
///
/// With a service key. Of all gateways together and of each of them, as they said it at most five seconds ago. A user with
/// sockets at several gateways, and a conversation that is joined at several, counts once in all.
#[utoipa::path(
    get,
    path = "/v1/stats",
    tag = "service",
    operation_id = "getStats",
    responses((status = 200, description = "The numbers.", body = schema::Stats)),
)]
pub(super) async fn get(State(app): State<App>, caller: Caller) -> Result<Json<Value>, Problem> {
    let actor = caller.administrator()?;
    Ok(Json(command::call(&app, &actor, Command::Stats).await?))
}
