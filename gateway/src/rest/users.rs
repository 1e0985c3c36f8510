//! `/v1/users`: what is known of users, one by one and in bulk.

use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use parlance_domain::command::{Command, CommandName};
use serde_json::{Map, Value};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    body::Body,
    caller::Caller,
    etag::Tagged,
    path::{self, UserPath},
    problem::Problem,
    query::Query,
    reply, schema,
};
use crate::{app::App, command};

const FIELDS: &[(&str, &str)] = &[
    ("name", "name"),
    ("username", "username"),
    ("avatar", "avatar"),
    ("email", "email"),
    ("role", "role"),
    ("metadata", "metadata"),
];
const IMPORT_FIELDS: &[(&str, &str)] = &[("users", "users")];

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, import)).routes(routes!(get, put, delete))
}

/// List users
///
/// With a service key. In the order of their ids.
#[utoipa::path(
    get,
    path = "/v1/users",
    tag = "users",
    operation_id = "listUsers",
    params(schema::UserQuery),
    responses((status = 200, description = "The page.", body = schema::UserPage)),
)]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    query: Query,
) -> Result<Json<Value>, Problem> {
    let actor = caller.administrator()?;
    let list = Command::parse(CommandName::UserList, query.fields()?)?;
    Ok(Json(command::call(&app, &actor, list).await?))
}

/// Write many users
///
/// With a service key. All of them are written, or none; each as if alone.
#[utoipa::path(
    put,
    path = "/v1/users",
    tag = "users",
    operation_id = "importUsers",
    request_body = schema::UserImport,
    responses((status = 200, description = "They are written.", body = schema::UsersImported)),
)]
pub(super) async fn import(
    State(app): State<App>,
    caller: Caller,
    body: Body,
) -> Result<Json<Value>, Problem> {
    let actor = caller.administrator()?;
    let import = Command::parse(CommandName::UserImport, body.fields(IMPORT_FIELDS)?)?;
    Ok(Json(command::call(&app, &actor, import).await?))
}

/// Read a user
///
/// A backend and the user themselves read everything; others what everybody sees: id, name, avatar and role.
#[utoipa::path(
    get,
    path = "/v1/users/{user}",
    tag = "users",
    operation_id = "getUser",
    params(schema::OfUser),
    responses(
        (status = 200, description = "The user.", body = schema::ReadUser, headers(("ETag" = String))),
        schema::NotFound,
    ),
)]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller,
    UserPath(user): UserPath,
) -> Result<Tagged, Problem> {
    let get = path::command(CommandName::UserGet, "user", user, Map::new())?;
    let actor = caller.actor(&app).await?;
    Ok(Tagged(reply::part(command::call(&app, &actor, get).await?, "user")?))
}

/// Write a user
///
/// With a service key. What is left out is forgotten. Name, avatar and role claims of a token replace these when its user
/// connects; connected sockets show their user as they were when they connected.
#[utoipa::path(
    put,
    path = "/v1/users/{user}",
    tag = "users",
    operation_id = "putUser",
    params(schema::OfUser),
    request_body = schema::NewUser,
    responses(
        (status = 201, description = "Nothing was known of them.", body = schema::User),
        (status = 200, description = "They were known.", body = schema::User),
    ),
)]
pub(super) async fn put(
    State(app): State<App>,
    caller: Caller,
    UserPath(user): UserPath,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let actor = caller.administrator()?;
    let put = path::command(CommandName::UserPut, "user", user, body.fields(FIELDS)?)?;
    let written = command::call(&app, &actor, put).await?;
    Ok((reply::status(written.get("created")), Json(reply::part(written, "user")?)))
}

/// Delete a user
///
/// With a service key. What is known of them is forgotten. Their messages keep who they were, and they take part where
/// they took part, under their id.
#[utoipa::path(
    delete,
    path = "/v1/users/{user}",
    tag = "users",
    operation_id = "deleteUser",
    params(schema::OfUser),
    responses((status = 204, description = "Nothing is known of them any more."), schema::NotFound),
)]
pub(super) async fn delete(
    State(app): State<App>,
    caller: Caller,
    UserPath(user): UserPath,
) -> Result<impl IntoResponse, Problem> {
    let actor = caller.administrator()?;
    let delete = path::command(CommandName::UserDelete, "user", user, Map::new())?;
    command::call(&app, &actor, delete).await?;
    Ok(StatusCode::NO_CONTENT)
}
