//! Messages: `/v1/conversations/{id}/messages` to send one and to read history, `/v1/messages/{id}` to change one. A
//! backend without `X-Act-As` can read, and nothing else.

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::IntoResponse,
};
use parlance_domain::{command::CommandName, rejection::Rejection};
use serde_json::{Map, Value};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    body::Body,
    caller::Caller,
    etag::{self, Tagged},
    idempotency::KeyedName,
    path::{self, ConversationPath, MessagePath},
    problem::Problem,
    query::Query,
    reply, schema,
};
use crate::{
    app::App,
    command::{self, Actor},
};

const SEND_FIELDS: &[(&str, &str)] = &[
    ("content", "content"),
    ("type", "type"),
    ("clientId", "client_id"),
    ("replyTo", "reply_to"),
    ("attachments", "attachments"),
    ("metadata", "metadata"),
];
const EDIT_FIELDS: &[(&str, &str)] = &[("content", "content")];

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(send, history)).routes(routes!(get, edit, delete))
}

/// Send a message
///
/// The same `clientId` of the same user again within ten minutes is answered with the first message. When it is
/// answered, the message is in the stream that is persisted.
#[utoipa::path(
    post,
    path = "/v1/conversations/{conversation}/messages",
    tag = "messages",
    operation_id = "sendMessage",
    params(schema::InConversation),
    request_body = schema::NewMessage,
    responses((status = 201, description = "The message.", body = schema::Message), schema::NotFound),
)]
pub(super) async fn send(
    State(app): State<App>,
    caller: Caller,
    ConversationPath(conversation): ConversationPath,
    keyed: Option<Extension<KeyedName>>,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let mut fields = body.fields(SEND_FIELDS)?;
    if let Some(Extension(KeyedName(name))) = keyed
        && fields.get("client_id").is_none_or(Value::is_null)
    {
        fields.insert("client_id".to_owned(), Value::from(String::from(name)));
    }
    let send = path::command(CommandName::MessageSend, "conversation", conversation, fields)?;
    let actor = caller.actor(&app).await?;
    let message = reply::part(command::call(&app, &actor, send).await?, "message")?;
    Ok((StatusCode::CREATED, Json(message)))
}

/// Read a page of messages
///
/// The newest ones, unless a parameter says which. Reading goes on towards the older messages from the newest page and
/// `before`, towards the newer ones `after` a place; `around` and `page` in the direction of `order`. A page ends at 1 MiB
/// of content.
#[utoipa::path(
    get,
    path = "/v1/conversations/{conversation}/messages",
    tag = "messages",
    operation_id = "listMessages",
    params(schema::InConversation, schema::HistoryQuery),
    responses((status = 200, description = "The page.", body = schema::MessagePage), schema::NotFound),
)]
pub(super) async fn history(
    State(app): State<App>,
    caller: Caller,
    ConversationPath(conversation): ConversationPath,
    query: Query,
) -> Result<impl IntoResponse, Problem> {
    let history = path::command(CommandName::MessageHistory, "conversation", conversation, query.fields()?)?;
    let actor = caller.actor(&app).await?;
    Ok(Json(command::call(&app, &actor, history).await?))
}

/// Read a message
///
/// A participant, or a backend.
#[utoipa::path(
    get,
    path = "/v1/messages/{message}",
    tag = "messages",
    operation_id = "getMessage",
    params(schema::OfMessage),
    responses(
        (status = 200, description = "The message.", body = schema::Message, headers(("ETag" = String))),
        schema::NotFound,
    ),
)]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller,
    MessagePath(message): MessagePath,
) -> Result<Tagged, Problem> {
    let actor = caller.actor(&app).await?;
    Ok(Tagged(read(&app, &actor, message).await?))
}

async fn read(app: &App, actor: &Actor, message: String) -> Result<Value, Rejection> {
    let get = path::command(CommandName::MessageGet, "message", message, Map::new())?;
    reply::part(command::call(app, actor, get).await?, "message")
}

/// Edit a message
///
/// The sender only. `If-Match` is compared right before the message is edited.
#[utoipa::path(
    patch,
    path = "/v1/messages/{message}",
    tag = "messages",
    operation_id = "editMessage",
    params(schema::OfMessage, schema::IfMatch),
    request_body = schema::MessageEdit,
    responses(
        (status = 200, description = "The message as it is now.", body = schema::Message),
        schema::NotFound,
        schema::PreconditionFailed,
    ),
)]
pub(super) async fn edit(
    State(app): State<App>,
    caller: Caller,
    MessagePath(message): MessagePath,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let fields = body.fields(EDIT_FIELDS)?;
    let edit = path::command(CommandName::MessageEdit, "message", message.clone(), fields)?;
    let actor = caller.actor(&app).await?;
    if headers.contains_key(header::IF_MATCH) {
        etag::matches(&headers, &read(&app, &actor, message).await?)?;
    }
    Ok(Json(reply::part(command::call(&app, &actor, edit).await?, "message")?))
}

/// Delete a message
///
/// The sender, or a user with a moderator's role. Its place stays, its content is gone.
#[utoipa::path(
    delete,
    path = "/v1/messages/{message}",
    tag = "messages",
    operation_id = "deleteMessage",
    params(schema::OfMessage),
    responses((status = 200, description = "What is left of it.", body = schema::Message), schema::NotFound),
)]
pub(super) async fn delete(
    State(app): State<App>,
    caller: Caller,
    MessagePath(message): MessagePath,
) -> Result<impl IntoResponse, Problem> {
    let delete = path::command(CommandName::MessageDelete, "message", message, Map::new())?;
    let actor = caller.actor(&app).await?;
    Ok(Json(reply::part(command::call(&app, &actor, delete).await?, "message")?))
}
