//! `/v1/conversations/{id}/typing`: whether a user is writing.

use axum::{Json, extract::State};
use parlance_domain::{command::CommandName, rejection::Rejection};
use serde_json::{Map, Value};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    body::Body,
    caller::Caller,
    path::{self, ConversationPath},
    problem::Problem,
    schema,
};
use crate::{app::App, command};

const FIELDS: &[(&str, &str)] = &[("state", "state")];

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(tell))
}

/// Say whether the user is writing
///
/// Those who are in the conversation now are told; nothing is stored. It is over by itself some seconds after the last
/// `started`.
#[utoipa::path(
    post,
    path = "/v1/conversations/{conversation}/typing",
    tag = "messages",
    operation_id = "tellTyping",
    params(schema::InConversation),
    request_body = schema::NewTyping,
    responses((status = 200, description = "They are told.", body = schema::Nothing), schema::NotFound),
)]
pub(super) async fn tell(
    State(app): State<App>,
    caller: Caller,
    ConversationPath(conversation): ConversationPath,
    body: Body,
) -> Result<Json<Value>, Problem> {
    let name = match body.fields(FIELDS)?.remove("state").unwrap_or_default() {
        Value::String(word) if word == "started" => CommandName::TypingStart,
        Value::String(word) if word == "stopped" => CommandName::TypingStop,
        Value::Null => return Err(Rejection::invalid("state", "is missing").into()),
        _ => return Err(Rejection::invalid("state", "is neither started nor stopped").into()),
    };
    let typing = path::command(name, "conversation", conversation, Map::new())?;
    let actor = caller.actor(&app).await?;
    Ok(Json(command::call(&app, &actor, typing).await?))
}
