//! `/v1/conversations/{id}/messages`: sending one and reading history, for a user. A backend without `X-Act-As` can
//! read, but not send.

use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use parlance_domain::{
    command::{Command, CommandName},
    id::ConversationId,
    rejection::{Code, Rejection},
};
use serde_json::{Map, Value};

use super::{body::Body, caller::Caller, path::ConversationPath, problem::Problem, query::Query};
use crate::{app::App, command};

const SEND_FIELDS: &[(&str, &str)] = &[
    ("content", "content"),
    ("type", "type"),
    ("clientId", "client_id"),
    ("replyTo", "reply_to"),
    ("attachments", "attachments"),
    ("metadata", "metadata"),
];
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
    let mut reply = command::call(&app, &actor, send).await?;
    let message = reply.get_mut("message").map(Value::take).ok_or(Code::Internal)?;
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

fn command(
    name: CommandName,
    conversation: ConversationId,
    mut fields: Map<String, Value>,
) -> Result<Command, Rejection> {
    fields.insert("conversation".to_owned(), Value::from(String::from(conversation)));
    Command::parse(name, fields)
}
