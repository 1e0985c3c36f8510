//! `/v1/presence` and `/v1/users/{id}/presence`: who is online, and what others see of a user.

use axum::{Json, extract::State};
use parlance_domain::{
    command::{Command, CommandName, GetPresence},
    rejection::Code,
};
use serde_json::Value;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{body::Body, caller::Caller, path::UserPath, problem::Problem, query::Query, reply, schema};
use crate::{app::App, command};

const FIELDS: &[(&str, &str)] = &[("status", "status")];

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get, set))
}

/// List who is online
///
/// With a service key. Users who are online, away or busy; a page may have fewer of them than it may have at most, and
/// who comes or goes meanwhile may be in it or not.
#[utoipa::path(
    get,
    path = "/v1/presence",
    tag = "users",
    operation_id = "listPresence",
    params(schema::PresenceQuery),
    responses((status = 200, description = "The page.", body = schema::PresencePage)),
)]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    query: Query,
) -> Result<Json<Value>, Problem> {
    let actor = caller.administrator()?;
    let list = Command::parse(CommandName::PresenceList, query.fields()?)?;
    Ok(Json(command::call(&app, &actor, list).await?))
}

/// Read a user's presence
///
/// What everybody sees. Of whom nothing is known, that he is offline.
#[utoipa::path(
    get,
    path = "/v1/users/{user}/presence",
    tag = "users",
    operation_id = "getPresence",
    params(schema::OfUser),
    responses((status = 200, description = "The presence.", body = schema::Presence)),
)]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller,
    UserPath(user): UserPath,
) -> Result<Json<Value>, Problem> {
    let actor = caller.actor(&app).await?;
    let get = Command::PresenceGet(GetPresence { users: vec![user] });
    let mut reply = command::call(&app, &actor, get).await?;
    let presence = reply.get_mut("presences").and_then(|presences| presences.get_mut(0)).map(Value::take);
    Ok(Json(presence.ok_or(Code::Internal)?))
}

/// Choose what others see of a user
///
/// The user themselves, or a backend. It holds until the user's last socket has gone; who has none is refused as
/// `conflict`.
#[utoipa::path(
    put,
    path = "/v1/users/{user}/presence",
    tag = "users",
    operation_id = "setPresence",
    params(schema::OfUser),
    request_body = schema::NewPresence,
    responses((status = 200, description = "The presence.", body = schema::Presence), schema::Conflict),
)]
pub(super) async fn set(
    State(app): State<App>,
    caller: Caller,
    UserPath(user): UserPath,
    body: Body,
) -> Result<Json<Value>, Problem> {
    let set = Command::parse(CommandName::PresenceSet, body.fields(FIELDS)?)?;
    let actor = caller.owner(user)?;
    Ok(Json(reply::part(command::call(&app, &actor, set).await?, "presence")?))
}
