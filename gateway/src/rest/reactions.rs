//! Reactions: `/v1/messages/{id}/reactions` to toggle one, `/v1/messages/{id}/reactions/{emoji}` to add and to remove one.

use axum::{Json, extract::State};
use parlance_domain::command::CommandName;
use serde_json::{Map, Value};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    body::Body,
    caller::Caller,
    path::{self, MessagePath, ReactionPath},
    problem::Problem,
    schema,
};
use crate::{app::App, command};

const TOGGLE_FIELDS: &[(&str, &str)] = &[("emoji", "emoji")];

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(toggle)).routes(routes!(add, remove))
}

/// Toggle a reaction
///
/// Adds the user's reaction, or removes it when it is there.
#[utoipa::path(
    post,
    path = "/v1/messages/{message}/reactions",
    tag = "messages",
    operation_id = "toggleReaction",
    params(schema::OfMessage),
    request_body = schema::NewReaction,
    responses((status = 200, description = "All reactions now.", body = schema::Reacted), schema::NotFound),
)]
pub(super) async fn toggle(
    State(app): State<App>,
    caller: Caller,
    MessagePath(message): MessagePath,
    body: Body,
) -> Result<Json<Value>, Problem> {
    react(&app, caller, CommandName::ReactionToggle, message, body.fields(TOGGLE_FIELDS)?).await
}

/// Add a reaction
///
/// Changes nothing when it is there already.
#[utoipa::path(
    put,
    path = "/v1/messages/{message}/reactions/{emoji}",
    tag = "messages",
    operation_id = "addReaction",
    params(schema::OfReaction),
    responses((status = 200, description = "All reactions now.", body = schema::Reacted), schema::NotFound),
)]
pub(super) async fn add(
    State(app): State<App>,
    caller: Caller,
    ReactionPath(message, emoji): ReactionPath,
) -> Result<Json<Value>, Problem> {
    react(&app, caller, CommandName::ReactionAdd, message, with(emoji)).await
}

/// Remove a reaction
///
/// Changes nothing when it is not there.
#[utoipa::path(
    delete,
    path = "/v1/messages/{message}/reactions/{emoji}",
    tag = "messages",
    operation_id = "removeReaction",
    params(schema::OfReaction),
    responses((status = 200, description = "All reactions now.", body = schema::Reacted), schema::NotFound),
)]
pub(super) async fn remove(
    State(app): State<App>,
    caller: Caller,
    ReactionPath(message, emoji): ReactionPath,
) -> Result<Json<Value>, Problem> {
    react(&app, caller, CommandName::ReactionRemove, message, with(emoji)).await
}

fn with(emoji: String) -> Map<String, Value> {
    Map::from_iter([("emoji".to_owned(), Value::from(emoji))])
}

async fn react(
    app: &App,
    caller: Caller,
    name: CommandName,
    message: String,
    fields: Map<String, Value>,
) -> Result<Json<Value>, Problem> {
    let react = path::command(name, "message", message, fields)?;
    let actor = caller.actor(app).await?;
    Ok(Json(command::call(app, &actor, react).await?))
}
