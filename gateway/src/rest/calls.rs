//! Calls: `/v1/conversations/{id}/calls` to ring and to read a page, `/v1/calls/{id}` for what becomes of one. A backend
//! without `X-Act-As` can read, and nothing else.

use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use parlance_domain::{
    call::Call,
    command::{Command, CommandName},
    id::CallId,
    rejection::Rejection,
};
use serde_json::{Map, Value, json};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    body::Body,
    caller::Caller,
    etag::Tagged,
    path::{self, CallPath, ConversationPath},
    problem::Problem,
    query::Query,
    reply, schema,
};
use crate::{
    app::App,
    command::{
        self,
        call::list,
        page::{Cursor, Page},
    },
};

const START_FIELDS: &[(&str, &str)] = &[("type", "type")];
const SIGNAL_FIELDS: &[(&str, &str)] = &[("to", "to"), ("payload", "payload")];

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(start, list))
        .routes(routes!(get))
        .routes(routes!(answer))
        .routes(routes!(end))
        .routes(routes!(signal))
}

/// Start a call
///
/// It rings in the conversation until somebody answers or ends it, or it counts as missed.
#[utoipa::path(
    post,
    path = "/v1/conversations/{conversation}/calls",
    tag = "calls",
    operation_id = "startCall",
    params(schema::InConversation),
    request_body = schema::NewCall,
    responses((status = 201, description = "It rings.", body = schema::Call)),
)]
pub(super) async fn start(
    State(app): State<App>,
    caller: Caller,
    ConversationPath(conversation): ConversationPath,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let fields = body.fields(START_FIELDS)?;
    let start = path::command(CommandName::CallStart, "conversation", conversation, fields)?;
    let call = reply::part(apply(&app, caller, start).await?, "call")?;
    Ok((StatusCode::CREATED, Json(call)))
}

/// Read a page of calls
///
/// Newest first.
#[utoipa::path(
    get,
    path = "/v1/conversations/{conversation}/calls",
    tag = "calls",
    operation_id = "listCalls",
    params(schema::InConversation, schema::CallQuery),
    responses((status = 200, description = "The page.", body = schema::CallPage)),
)]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    ConversationPath(conversation): ConversationPath,
    query: Query,
) -> Result<impl IntoResponse, Problem> {
    let Page { limit, cursor } = Page::<CallId>::take(&mut query.fields()?)?;
    let actor = caller.actor(&app).await?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let (calls, more) = list::list(&app, &actor, &conversation, cursor, limit).await?;
    let next = calls.last().filter(|_| more).map(|call| Cursor::encode(&call.id));
    let calls: Vec<Value> = calls.iter().map(Call::view).collect();
    Ok(Json(json!({ "calls": calls, "nextCursor": next })))
}

/// Read a call
///
/// A participant of its conversation, or a backend.
#[utoipa::path(
    get,
    path = "/v1/calls/{call}",
    tag = "calls",
    operation_id = "getCall",
    params(schema::OfCall),
    responses(
        (status = 200, description = "The call.", body = schema::Call, headers(("ETag" = String))),
        schema::NotFound,
    ),
)]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller,
    CallPath(call): CallPath,
) -> Result<Tagged, Problem> {
    Ok(Tagged(to_call(&app, caller, CommandName::CallGet, call).await?))
}

/// Answer a call
///
/// The first answer makes it ongoing; others join it. A call has at most 100 participants.
#[utoipa::path(
    post,
    path = "/v1/calls/{call}/answer",
    tag = "calls",
    operation_id = "answerCall",
    params(schema::OfCall),
    responses((status = 200, description = "The call as it is now.", body = schema::Call), schema::NotFound),
)]
pub(super) async fn answer(
    State(app): State<App>,
    caller: Caller,
    CallPath(call): CallPath,
) -> Result<impl IntoResponse, Problem> {
    Ok(Json(to_call(&app, caller, CommandName::CallAnswer, call).await?))
}

/// End a call
///
/// For everybody in it. Every participant of its conversation may; before anybody has answered, that declines it.
#[utoipa::path(
    post,
    path = "/v1/calls/{call}/end",
    tag = "calls",
    operation_id = "endCall",
    params(schema::OfCall),
    responses((status = 200, description = "The call as it was at its end.", body = schema::Call), schema::NotFound),
)]
pub(super) async fn end(
    State(app): State<App>,
    caller: Caller,
    CallPath(call): CallPath,
) -> Result<impl IntoResponse, Problem> {
    Ok(Json(to_call(&app, caller, CommandName::CallEnd, call).await?))
}

/// Relay a signal
///
/// To the sockets of one participant, or of all others in the call; nothing is stored. WebRTC's offers, answers and
/// candidates go this way.
#[utoipa::path(
    post,
    path = "/v1/calls/{call}/signals",
    tag = "calls",
    operation_id = "signalCall",
    params(schema::OfCall),
    request_body = schema::NewSignal,
    responses((status = 202, description = "It is on its way.", body = schema::Accepted), schema::NotFound),
)]
pub(super) async fn signal(
    State(app): State<App>,
    caller: Caller,
    CallPath(call): CallPath,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let signal = path::command(CommandName::CallSignal, "call", call, body.fields(SIGNAL_FIELDS)?)?;
    apply(&app, caller, signal).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({}))))
}

/// Does something to a call, and gives the call.
async fn to_call(app: &App, caller: Caller, name: CommandName, call: String) -> Result<Value, Rejection> {
    let command = path::command(name, "call", call, Map::new())?;
    reply::part(apply(app, caller, command).await?, "call")
}

async fn apply(app: &App, caller: Caller, command: Command) -> Result<Value, Rejection> {
    let actor = caller.actor(app).await?;
    command::call(app, &actor, command).await
}
