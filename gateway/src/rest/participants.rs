//! `/v1/conversations/{id}/participants`: who takes part, and as what.

use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use parlance_domain::{
    command::{Command, CommandName},
    id::{ConversationId, UserId},
    rejection::Rejection,
};
use serde_json::{Map, Value};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    body::Body,
    caller::Caller,
    path::{self, ConversationPath, ParticipantPath},
    problem::Problem,
    query::Query,
    reply, schema,
};
use crate::{app::App, command};

const ROLE_FIELDS: &[(&str, &str)] = &[("role", "role")];

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(add, remove))
}

/// List the participants of a conversation
///
/// A participant, or a backend. In the order of their ids.
#[utoipa::path(
    get,
    path = "/v1/conversations/{conversation}/participants",
    tag = "conversations",
    operation_id = "listParticipants",
    params(schema::InConversation, schema::ParticipantQuery),
    responses((status = 200, description = "The page.", body = schema::ParticipantPage), schema::NotFound),
)]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    ConversationPath(conversation): ConversationPath,
    query: Query,
) -> Result<Json<Value>, Problem> {
    let list = path::command(CommandName::ParticipantList, "conversation", conversation, query.fields()?)?;
    let actor = caller.actor(&app).await?;
    Ok(Json(command::call(&app, &actor, list).await?))
}

/// Add a participant, or give one another role
///
/// With a service key. Without a role a participant stays what they are, and somebody new is a `member`.
#[utoipa::path(
    put,
    path = "/v1/conversations/{conversation}/participants/{user}",
    tag = "conversations",
    operation_id = "addParticipant",
    params(schema::OfParticipant),
    request_body = Option<schema::NewParticipation>,
    responses(
        (status = 201, description = "They take part now.", body = schema::Participation),
        (status = 200, description = "They took part already.", body = schema::Participation),
        schema::NotFound,
    ),
)]
pub(super) async fn add(
    State(app): State<App>,
    caller: Caller,
    ParticipantPath(conversation, user): ParticipantPath,
    body: Option<Body>,
) -> Result<impl IntoResponse, Problem> {
    let actor = caller.administrator()?;
    let fields = body.map(|body| body.fields(ROLE_FIELDS)).transpose()?.unwrap_or_default();
    let add = on(CommandName::ParticipantAdd, conversation, user, fields)?;
    let mut participant = command::call(&app, &actor, add).await?;
    let added = participant.as_object_mut().and_then(|participant| participant.remove("added"));
    Ok((reply::status(added.as_ref()), Json(participant)))
}

/// Remove a participant
///
/// With a service key. From then on they get none of the conversation's events, on every gateway.
#[utoipa::path(
    delete,
    path = "/v1/conversations/{conversation}/participants/{user}",
    tag = "conversations",
    operation_id = "removeParticipant",
    params(schema::OfParticipant),
    responses((status = 204, description = "They do not take part."), schema::NotFound),
)]
pub(super) async fn remove(
    State(app): State<App>,
    caller: Caller,
    ParticipantPath(conversation, user): ParticipantPath,
) -> Result<impl IntoResponse, Problem> {
    let actor = caller.administrator()?;
    let remove = on(CommandName::ParticipantRemove, conversation, user, Map::new())?;
    command::call(&app, &actor, remove).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn on(
    name: CommandName,
    conversation: ConversationId,
    user: UserId,
    mut fields: Map<String, Value>,
) -> Result<Command, Rejection> {
    fields.insert("user".to_owned(), Value::from(String::from(user)));
    path::command(name, "conversation", conversation, fields)
}
