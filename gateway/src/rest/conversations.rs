//! `/v1/conversations`: making, reading, changing and deleting one.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
};
use parlance_domain::{
    command::{Command, CommandName},
    id::ConversationId,
};
use serde_json::{Map, Value};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    body::Body,
    caller::Caller,
    etag::{self, Tagged},
    path::{self, ConversationPath},
    problem::Problem,
    reply, schema,
};
use crate::{
    app::App,
    command::{self, Actor},
};

const NEW_FIELDS: &[(&str, &str)] =
    &[("id", "id"), ("title", "title"), ("participants", "participants"), ("metadata", "metadata")];
const CHANGE_FIELDS: &[(&str, &str)] = &[("title", "title"), ("metadata", "metadata")];

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create)).routes(routes!(get, update, delete))
}

/// Create a conversation
///
/// With a service key. Creating it again with the same title, metadata and participants in the same roles changes
/// nothing. It can begin with at most 1,000 participants; the others are added one by one.
#[utoipa::path(
    post,
    path = "/v1/conversations",
    tag = "conversations",
    operation_id = "createConversation",
    request_body = schema::NewConversation,
    responses(
        (status = 201, description = "It is new.", body = schema::Conversation),
        (status = 200, description = "It was there already.", body = schema::Conversation),
    ),
)]
pub(super) async fn create(
    State(app): State<App>,
    caller: Caller,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let actor = caller.administrator()?;
    let create = Command::parse(CommandName::ConversationCreate, body.fields(NEW_FIELDS)?)?;
    let created = command::call(&app, &actor, create).await?;
    Ok((reply::status(created.get("created")), Json(reply::part(created, "conversation")?)))
}

/// Read a conversation
///
/// A participant, or a backend. To everybody else there is no such conversation.
#[utoipa::path(
    get,
    path = "/v1/conversations/{conversation}",
    tag = "conversations",
    operation_id = "getConversation",
    params(schema::InConversation),
    responses(
        (status = 200, description = "The conversation.", body = schema::Conversation, headers(("ETag" = String))),
        schema::NotFound,
    ),
)]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller,
    ConversationPath(conversation): ConversationPath,
) -> Result<Tagged, Problem> {
    let actor = caller.actor(&app).await?;
    Ok(Tagged(read(&app, &actor, conversation).await?))
}

/// Change a conversation
///
/// With a service key. What is left out stays as it is; a title of `null` takes the title away; metadata are replaced as a
/// whole. What is so already is told to nobody.
#[utoipa::path(
    patch,
    path = "/v1/conversations/{conversation}",
    tag = "conversations",
    operation_id = "updateConversation",
    params(schema::InConversation, schema::IfMatch),
    request_body = schema::ConversationChange,
    responses(
        (
            status = 200,
            description = "The conversation as it is now.",
            body = schema::Conversation,
            headers(("ETag" = String)),
        ),
        schema::NotFound,
        schema::PreconditionFailed,
    ),
)]
pub(super) async fn update(
    State(app): State<App>,
    caller: Caller,
    ConversationPath(conversation): ConversationPath,
    headers: HeaderMap,
    body: Body,
) -> Result<Tagged, Problem> {
    let actor = caller.administrator()?;
    let fields = body.fields(CHANGE_FIELDS)?;
    let update =
        path::command(CommandName::ConversationUpdate, "conversation", conversation.clone(), fields)?;
    if headers.contains_key(axum::http::header::IF_MATCH) {
        etag::matches(&headers, &read(&app, &actor, conversation).await?)?;
    }
    Ok(Tagged(reply::part(command::call(&app, &actor, update).await?, "conversation")?))
}

/// Delete a conversation
///
/// With a service key. Everything in it goes, and nobody takes part any more. The same id can be created again.
#[utoipa::path(
    delete,
    path = "/v1/conversations/{conversation}",
    tag = "conversations",
    operation_id = "deleteConversation",
    params(schema::InConversation),
    responses((status = 204, description = "It is gone."), schema::NotFound),
)]
pub(super) async fn delete(
    State(app): State<App>,
    caller: Caller,
    ConversationPath(conversation): ConversationPath,
) -> Result<impl IntoResponse, Problem> {
    let actor = caller.administrator()?;
    let delete = path::command(CommandName::ConversationDelete, "conversation", conversation, Map::new())?;
    command::call(&app, &actor, delete).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn read(app: &App, actor: &Actor, conversation: ConversationId) -> Result<Value, Problem> {
    let get = path::command(CommandName::ConversationGet, "conversation", conversation, Map::new())?;
    Ok(reply::part(command::call(app, actor, get).await?, "conversation")?)
}
