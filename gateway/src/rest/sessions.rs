//! `/v1/users/{id}/sessions`: a user's connected sockets.

use axum::{extract::State, http::StatusCode, response::IntoResponse};
use parlance_domain::command::Command;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{caller::Caller, path::UserPath, problem::Problem, schema};
use crate::{app::App, command};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(disconnect))
}

/// Disconnect a user
///
/// With a service key. All sockets of the user, on every gateway, get a Socket.IO DISCONNECT: clients see `io server
/// disconnect` and do not come back by themselves. The user's tokens stay valid, and a gateway that has lost Redis at
/// this moment does not hear of it. That nobody is connected, or that there is no such user, is no error.
#[utoipa::path(
    delete,
    path = "/v1/users/{user}/sessions",
    tag = "users",
    operation_id = "disconnectUser",
    params(schema::OfUser),
    responses((status = 204, description = "The sockets are told to go.")),
)]
pub(super) async fn disconnect(
    State(app): State<App>,
    caller: Caller,
    UserPath(user): UserPath,
) -> Result<impl IntoResponse, Problem> {
    let actor = caller.administrator()?;
    command::call(&app, &actor, Command::Disconnect(user)).await?;
    Ok(StatusCode::NO_CONTENT)
}
