//! `/v1/users/{id}/notifications`: what a user was told, for the user himself and for backends, who also make some.

use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use parlance_domain::command::{Command, CommandName};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    body::Body,
    caller::Caller,
    path::{self, UserPath},
    problem::Problem,
    query::Query,
    reply, schema,
};
use crate::{app::App, command};

const NOTIFY_FIELDS: &[(&str, &str)] = &[("type", "type"), ("text", "text"), ("data", "data")];
const READ_FIELDS: &[(&str, &str)] = &[("notificationIds", "notifications")];

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, notify)).routes(routes!(read))
}

/// Notify a user
///
/// With a service key. All sockets of the user that are connected now are told, and it stands in the user's list from
/// then on. That there is no such user is no error.
#[utoipa::path(
    post,
    path = "/v1/users/{user}/notifications",
    tag = "notifications",
    operation_id = "notifyUser",
    params(schema::OfUser),
    request_body = schema::NewNotification,
    responses((status = 201, description = "The notification.", body = schema::Notification)),
)]
pub(super) async fn notify(
    State(app): State<App>,
    caller: Caller,
    UserPath(user): UserPath,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let actor = caller.administrator()?;
    let fields = body.fields(NOTIFY_FIELDS)?;
    let notify = path::command(CommandName::NotificationSend, "user", user, fields)?;
    let notification = reply::part(command::call(&app, &actor, notify).await?, "notification")?;
    Ok((StatusCode::CREATED, Json(notification)))
}

/// List a user's notifications
///
/// Newest first. The user, or a backend.
#[utoipa::path(
    get,
    path = "/v1/users/{user}/notifications",
    tag = "notifications",
    operation_id = "listNotifications",
    params(schema::OfUser, schema::NotificationQuery),
    responses((status = 200, description = "The page.", body = schema::NotificationPage)),
)]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    UserPath(user): UserPath,
    query: Query,
) -> Result<impl IntoResponse, Problem> {
    let list = Command::parse(CommandName::NotificationList, query.fields()?)?;
    let actor = caller.owner(user)?;
    Ok(Json(command::call(&app, &actor, list).await?))
}

/// Mark notifications as read
///
/// The user, or a backend. Those of others, and those that there are not, are passed over.
#[utoipa::path(
    post,
    path = "/v1/users/{user}/notifications/read",
    tag = "notifications",
    operation_id = "readNotifications",
    params(schema::OfUser),
    request_body = schema::ReadNotifications,
    responses((status = 200, description = "How many were not read before.", body = schema::MarkedNotifications)),
)]
pub(super) async fn read(
    State(app): State<App>,
    caller: Caller,
    UserPath(user): UserPath,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let read = Command::parse(CommandName::NotificationRead, body.fields(READ_FIELDS)?)?;
    let actor = caller.owner(user)?;
    Ok(Json(command::call(&app, &actor, read).await?))
}
