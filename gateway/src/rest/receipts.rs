//! `/v1/conversations/{id}/receipts`: how far a user has got.

use axum::{Json, extract::State};
use parlance_domain::{command::CommandName, rejection::Rejection};
use serde_json::Value;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    body::Body,
    caller::Caller,
    path::{self, ConversationPath},
    problem::Problem,
    schema,
};
use crate::{app::App, command};

const FIELDS: &[(&str, &str)] = &[("type", "type"), ("seq", "seq"), ("messageIds", "messages")];

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create))
}

/// Say how far the user has got
///
/// A cursor only moves forward; one that is farther already stays. When it is answered, the cursor is in the stream that
/// is persisted; cursors are gathered before over an interval (`gateway.receipts_interval`).
#[utoipa::path(
    post,
    path = "/v1/conversations/{conversation}/receipts",
    tag = "messages",
    operation_id = "createReceipt",
    params(schema::InConversation),
    request_body = schema::NewReceipt,
    responses((status = 200, description = "It is done.", body = schema::Nothing), schema::NotFound),
)]
pub(super) async fn create(
    State(app): State<App>,
    caller: Caller,
    ConversationPath(conversation): ConversationPath,
    body: Body,
) -> Result<Json<Value>, Problem> {
    let mut fields = body.fields(FIELDS)?;
    let name = match fields.remove("type").unwrap_or_default() {
        Value::String(word) if word == "delivered" => CommandName::ReceiptDelivered,
        Value::String(word) if word == "read" => CommandName::ReceiptRead,
        Value::Null => return Err(Rejection::invalid("type", "is missing").into()),
        _ => return Err(Rejection::invalid("type", "is neither delivered nor read").into()),
    };
    let receipt = path::command(name, "conversation", conversation, fields)?;
    let actor = caller.actor(&app).await?;
    Ok(Json(command::call(&app, &actor, receipt).await?))
}
