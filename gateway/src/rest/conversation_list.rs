//! `/v1/conversations` and `/v1/users/{id}/conversations`: a user's conversations.

use axum::{Json, extract::State};
use parlance_domain::command::{Command, CommandName};
use serde_json::Value;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    caller::Caller,
    path::{self, UserPath},
    problem::Problem,
    query::Query,
    schema,
};
use crate::{app::App, command};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(own)).routes(routes!(of_user))
}

/// List the user's conversations
///
/// Those with the newest activity first, each with its newest message and how many messages are unread. A page ends
/// early when it takes more than 1 MiB.
#[utoipa::path(
    get,
    path = "/v1/conversations",
    tag = "conversations",
    operation_id = "listConversations",
    params(schema::ConversationListQuery),
    responses((status = 200, description = "The page.", body = schema::ConversationPage)),
)]
pub(super) async fn own(
    State(app): State<App>,
    caller: Caller,
    query: Query,
) -> Result<Json<Value>, Problem> {
    list(&app, caller, Command::parse(CommandName::ConversationList, query.fields()?)?).await
}

/// List a user's conversations
///
/// With a service key, or the user themselves.
#[utoipa::path(
    get,
    path = "/v1/users/{user}/conversations",
    tag = "conversations",
    operation_id = "listConversationsOfUser",
    params(schema::OfUser, schema::ConversationListQuery),
    responses((status = 200, description = "The page.", body = schema::ConversationPage)),
)]
pub(super) async fn of_user(
    State(app): State<App>,
    caller: Caller,
    UserPath(user): UserPath,
    query: Query,
) -> Result<Json<Value>, Problem> {
    list(&app, caller, path::command(CommandName::ConversationList, "user", user, query.fields()?)?).await
}

async fn list(app: &App, caller: Caller, list: Command) -> Result<Json<Value>, Problem> {
    let actor = caller.actor(app).await?;
    Ok(Json(command::call(app, &actor, list).await?))
}
