//! `typing.start` and `typing.stop`: for those who are there now. A message of the user ends it too.

use parlance_domain::{
    command::TypingState,
    id::ConversationId,
    rejection::{Code, Rejection},
};
use serde_json::Value;

use super::{Actor, failed};
use crate::{
    app::App,
    dialect::view::reply,
    membership::Standing,
    typing::{self, Start, Started},
};

pub(super) async fn apply(
    app: &App,
    actor: &Actor,
    conversation: ConversationId,
    state: TypingState,
) -> Result<Value, Rejection> {
    let standing = app.membership.standing(actor.asker()?, &conversation).await?;
    match state {
        TypingState::Started => start(app, actor, conversation, standing).await?,
        TypingState::Stopped => {
            let wrote = app.typing.stop(actor.user_id()?, &conversation);
            // A request may have come to another gateway than the start did.
            if wrote || actor.socket.is_none() {
                tell_stopped(app, actor, &conversation).await?;
            }
        }
    }
    Ok(reply::nothing())
}

async fn start(
    app: &App,
    actor: &Actor,
    conversation: ConversationId,
    standing: Standing,
) -> Result<(), Rejection> {
    let profile = standing.profile(actor.profile()?);
    if !actor.service && !app.limits.typing(&profile.id) {
        return Ok(());
    }
    let socket = actor.socket.as_ref().map(|socket| socket.key);
    let expiry = actor.behaviour(app).typing_expiry;
    let start = Start { conversation: conversation.clone(), profile: profile.clone(), socket, expiry };
    let believed = match app.typing.start(start) {
        Started::Tell(believed) => believed,
        Started::Known => return Ok(()),
        Started::TooMany => {
            return Err(Rejection::with(Code::LimitReached, "you write in too many conversations at once"));
        }
    };
    let user = profile.id.clone();
    let started = typing::started(profile, believed);
    typing::tell(&app.broker, &app.clock, &conversation, actor.origin(), started).await.map_err(|error| {
        // The next start is told again.
        app.typing.stop(&user, &conversation);
        failed("publish", &error)
    })
}

/// The actor has sent what he wrote: the others are told that he stopped, if they were told that he began. When they
/// cannot be told, they do not believe it much longer.
pub(super) async fn sent(app: &App, actor: &Actor, conversation: &ConversationId) {
    let wrote = actor.user_id().is_ok_and(|user| app.typing.stop(user, conversation));
    if wrote {
        // Logged where it failed; the message is sent all the same.
        let _ = tell_stopped(app, actor, conversation).await;
    }
}

async fn tell_stopped(app: &App, actor: &Actor, conversation: &ConversationId) -> Result<(), Rejection> {
    let stopped = typing::stopped(actor.profile()?.clone());
    let told = typing::tell(&app.broker, &app.clock, conversation, actor.origin(), stopped).await;
    told.map_err(|error| failed("publish", &error))
}
