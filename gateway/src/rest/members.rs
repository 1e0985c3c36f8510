//! `/v1/conversations/{id}/members`: who is there now.

use axum::{Json, extract::State};
use parlance_domain::command::CommandName;
use serde_json::Value;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    caller::Caller,
    path::{self, ConversationPath},
    problem::Problem,
    query::Query,
    schema,
};
use crate::{app::App, command};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// List who is in a conversation now
///
/// A participant, or a backend. Whoever has a socket that has joined it, on any gateway: each user once, in the order of
/// the ids. Of a larger number it is some of them, and how many there are about.
#[utoipa::path(
    get,
    path = "/v1/conversations/{conversation}/members",
    tag = "conversations",
    operation_id = "listMembers",
    params(schema::InConversation, schema::MemberQuery),
    responses((status = 200, description = "Who is there.", body = schema::Members), schema::NotFound),
)]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    ConversationPath(conversation): ConversationPath,
    query: Query,
) -> Result<Json<Value>, Problem> {
    let list = path::command(CommandName::MemberList, "conversation", conversation, query.fields()?)?;
    let actor = caller.actor(&app).await?;
    Ok(Json(command::call(&app, &actor, list).await?))
}
