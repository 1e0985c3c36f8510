//! `/v1/users/{id}/sessions` and `/v1/users/{id}/revoke`: a user's connected sockets, and the tokens by which they live.

use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use parlance_domain::command::{Command, CommandName};
use serde_json::Value;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    body::Body,
    caller::Caller,
    path::{self, UserPath},
    problem::Problem,
    schema,
};
use crate::{app::App, command};

/// What a revocation may say, and what a command calls it.
const REVOCATION_FIELDS: &[(&str, &str)] = &[("before", "before")];

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, disconnect)).routes(routes!(revoke))
}

/// List a user's sockets
///
/// With a service key. On all gateways.
#[utoipa::path(
    get,
    path = "/v1/users/{user}/sessions",
    tag = "users",
    operation_id = "listSessions",
    params(schema::OfUser),
    responses((status = 200, description = "The sockets.", body = schema::Sessions)),
)]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    UserPath(user): UserPath,
) -> Result<Json<Value>, Problem> {
    let actor = caller.administrator()?;
    Ok(Json(command::call(&app, &actor, Command::SessionList(user)).await?))
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

/// Revoke a user's tokens
///
/// With a service key. Tokens of the user that were issued (`iat`) before the moment are refused by every gateway from now
/// on; sockets that live by one get `error` with the code `token_revoked` and are disconnected for good. A token without
/// `iat` is always older. Most tokens tell the second in which they were issued and no more, which then counts from its
/// beginning: one of the same second as the moment is refused, too. So give a new token an `iat` that is not before the
/// `before` of the answer. It is known for ever, unless `auth.revocation_ttl` is set. A moment that is
/// earlier than that of a revocation before changes nothing.
#[utoipa::path(
    post,
    path = "/v1/users/{user}/revoke",
    tag = "users",
    operation_id = "revokeTokens",
    params(schema::OfUser),
    request_body = Option<schema::Revocation>,
    responses((status = 200, description = "The moment in force.", body = schema::Revoked)),
)]
pub(super) async fn revoke(
    State(app): State<App>,
    caller: Caller,
    UserPath(user): UserPath,
    body: Option<Body>,
) -> Result<Json<Value>, Problem> {
    let actor = caller.administrator()?;
    let fields = body.map(|body| body.fields(REVOCATION_FIELDS)).transpose()?.unwrap_or_default();
    let revoke = path::command(CommandName::UserRevoke, "user", user, fields)?;
    Ok(Json(command::call(&app, &actor, revoke).await?))
}
