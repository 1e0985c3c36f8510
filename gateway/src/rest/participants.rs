//! `/v1/conversations/{id}/participants/{userId}`: who takes part, for backends.

use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use serde_json::json;

use super::{caller::Caller, path::ParticipantPath, problem::Problem};
use crate::{app::App, command::conversation};

/// 201 with the participant, or 200 when he took part already.
pub(super) async fn add(
    State(app): State<App>,
    caller: Caller,
    ParticipantPath(conversation, user): ParticipantPath,
) -> Result<impl IntoResponse, Problem> {
    let actor = caller.administrator()?;
    let is_new = conversation::add_participant(&app, &actor, &conversation, &user).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let participant = app.profile_of(user).await?;
    Ok((status, Json(json!({ "conversationId": conversation, "participant": participant }))))
}

/// 204, also when he did not take part.
pub(super) async fn remove(
    State(app): State<App>,
    caller: Caller,
    ParticipantPath(conversation, user): ParticipantPath,
) -> Result<impl IntoResponse, Problem> {
    let actor = caller.administrator()?;
    conversation::remove_participant(&app, &actor, &conversation, &user).await?;
    Ok(StatusCode::NO_CONTENT)
}
