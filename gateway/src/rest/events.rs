//! `/v1/users/{id}/events`, `/v1/conversations/{id}/events` and `/v1/events`: a backend's own events.

use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use parlance_domain::command::{Command, CommandName};
use serde_json::Value;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    body::Body,
    caller::Caller,
    path::{ConversationPath, UserPath},
    problem::Problem,
    schema,
};
use crate::{app::App, command};

const FIELDS: &[(&str, &str)] = &[("event", "event"), ("data", "data")];

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(emit_to_user))
        .routes(routes!(emit_to_conversation))
        .routes(routes!(emit_to_everyone))
}

/// Emit an event to a user
///
/// With a service key. Every socket of the user that is connected now gets it, under this name and with these data in
/// every dialect. That nobody is connected, or that there is no such user, is no error.
#[utoipa::path(
    post,
    path = "/v1/users/{user}/events",
    tag = "events",
    operation_id = "emitToUser",
    params(schema::OfUser),
    request_body = schema::CustomEvent,
    responses((status = 202, description = "It is on its way.", body = schema::Nothing)),
)]
pub(super) async fn emit_to_user(
    State(app): State<App>,
    caller: Caller,
    UserPath(user): UserPath,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    emit(&app, caller, body, Some(("user", String::from(user)))).await
}

/// Emit an event to a conversation
///
/// With a service key. Every socket that has joined the conversation gets it, under this name and with these data in
/// every dialect. It has no place in the conversation's order and is not kept. That nobody has joined, or that there is
/// no such conversation, is no error.
#[utoipa::path(
    post,
    path = "/v1/conversations/{conversation}/events",
    tag = "events",
    operation_id = "emitToConversation",
    params(schema::InConversation),
    request_body = schema::CustomEvent,
    responses((status = 202, description = "It is on its way.", body = schema::Nothing)),
)]
pub(super) async fn emit_to_conversation(
    State(app): State<App>,
    caller: Caller,
    ConversationPath(conversation): ConversationPath,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    emit(&app, caller, body, Some(("conversation", String::from(conversation)))).await
}

/// Emit an event to everyone
///
/// With a service key. Every socket of every gateway gets it, in every namespace, under this name and with these data.
/// It is meant for what is rare; a socket with more than a hundred packets to read misses it.
#[utoipa::path(
    post,
    path = "/v1/events",
    tag = "events",
    operation_id = "emitToEveryone",
    request_body = schema::CustomEvent,
    responses((status = 202, description = "It is on its way.", body = schema::Nothing)),
)]
pub(super) async fn emit_to_everyone(
    State(app): State<App>,
    caller: Caller,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    emit(&app, caller, body, None).await
}

async fn emit(
    app: &App,
    caller: Caller,
    body: Body,
    to: Option<(&str, String)>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let actor = caller.administrator()?;
    let mut fields = body.fields(FIELDS)?;
    fields.extend(to.map(|(name, id)| (name.to_owned(), Value::from(id))));
    let emit = Command::parse(CommandName::CustomEmit, fields)?;
    Ok((StatusCode::ACCEPTED, Json(command::call(app, &actor, emit).await?)))
}
