//! `typing.start` and `typing.stop`: for those who are there now.

use parlance_domain::{
    command::TypingState,
    entry::Header,
    event::{EventKind, Typing},
    id::ConversationId,
    rejection::Rejection,
    time::Timestamp,
};
use serde_json::Value;

use super::{Actor, failed};
use crate::{app::App, dialect::view::reply};

pub(super) async fn apply(
    app: &App,
    actor: &Actor,
    conversation: ConversationId,
    state: TypingState,
) -> Result<Value, Rejection> {
    let user = actor.profile()?.clone();
    app.membership.authorize(&user.id, &conversation).await?;
    let kind = match state {
        TypingState::Started => EventKind::TypingStarted,
        TypingState::Stopped => EventKind::TypingStopped,
    };
    let header = Header::transient(kind, Timestamp(app.clock.now_ms()), actor.origin());
    let body = serde_json::to_string(&Typing { user }).map_err(|error| failed("encode typing", &error))?;
    app.broker.publish(&conversation, &header, &body).await.map_err(|error| failed("publish", &error))?;
    Ok(reply::nothing())
}
