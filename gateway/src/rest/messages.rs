//! Messages: `/v1/conversations/{id}/messages` to send one and to read history, `/v1/messages/{id}` to change one. A
//! backend without `X-Act-As` can read, and nothing else.

use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use parlance_domain::{
    command::{Command, CommandName},
    id::ConversationId,
    rejection::{Code, Rejection},
};
use serde_json::{Map, Value};

use super::{
    body::Body,
    caller::Caller,
    path::{ConversationPath, MessagePath},
    problem::Problem,
    query::Query,
};
use crate::{app::App, command};

const SEND_FIELDS: &[(&str, &str)] = &[
    ("content", "content"),
    ("type", "type"),
    ("clientId", "client_id"),
    ("replyTo", "reply_to"),
    ("attachments", "attachments"),
    ("metadata", "metadata"),
];
const EDIT_FIELDS: &[(&str, &str)] = &[("content", "content")];
const HISTORY_FIELDS: &[&str] = &["before", "after", "limit"];

/// 201 with the message. The same `clientId` again within ten minutes is answered with the first message.
pub(super) async fn send(
    State(app): State<App>,
    caller: Caller,
    ConversationPath(conversation): ConversationPath,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let send = command(CommandName::MessageSend, conversation, body.fields(SEND_FIELDS)?)?;
    let actor = caller.actor(&app).await?;
    let message = message_of(command::call(&app, &actor, send).await?)?;
    Ok((StatusCode::CREATED, Json(message)))
}

/// 200 `{"messages":[…],"hasMore":…}`, oldest first.
pub(super) async fn history(
    State(app): State<App>,
    caller: Caller,
    ConversationPath(conversation): ConversationPath,
    query: Query,
) -> Result<impl IntoResponse, Problem> {
    let history = command(CommandName::MessageHistory, conversation, query.fields(HISTORY_FIELDS)?)?;
    let actor = caller.actor(&app).await?;
    Ok(Json(command::call(&app, &actor, history).await?))
}

/// 200 with the message as it is now.
pub(super) async fn edit(
    State(app): State<App>,
    caller: Caller,
    MessagePath(message): MessagePath,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let mut fields = body.fields(EDIT_FIELDS)?;
    fields.insert("message".to_owned(), Value::from(message));
    change(&app, caller, CommandName::MessageEdit, fields).await
}

/// 200 with what is left of the message.
pub(super) async fn delete(
    State(app): State<App>,
    caller: Caller,
    MessagePath(message): MessagePath,
) -> Result<impl IntoResponse, Problem> {
    let fields = Map::from_iter([("message".to_owned(), Value::from(message))]);
    change(&app, caller, CommandName::MessageDelete, fields).await
}

async fn change(
    app: &App,
    caller: Caller,
    name: CommandName,
    fields: Map<String, Value>,
) -> Result<Json<Value>, Problem> {
    let change = Command::parse(name, fields)?;
    let actor = caller.actor(app).await?;
    Ok(Json(message_of(command::call(app, &actor, change).await?)?))
}

fn message_of(mut reply: Value) -> Result<Value, Rejection> {
    Ok(reply.get_mut("message").map(Value::take).ok_or(Code::Internal)?)
}

fn command(
    name: CommandName,
    conversation: ConversationId,
    mut fields: Map<String, Value>,
) -> Result<Command, Rejection> {
    fields.insert("conversation".to_owned(), Value::from(String::from(conversation)));
    Command::parse(name, fields)
}
