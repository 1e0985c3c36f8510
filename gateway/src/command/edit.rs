//! `message.edit`: changes the content of one's own message.

use parlance_domain::{
    event::EventKind,
    id::MessageId,
    message::{Content, Message, MessageBody},
    rejection::{Code, Rejection},
};
use serde_json::Value;

use super::{
    Actor,
    change::{self, Change},
};
use crate::{app::App, dialect::view::reply};

pub(super) async fn apply(
    app: &App,
    actor: &Actor,
    id: MessageId,
    content: Content,
) -> Result<Value, Rejection> {
    let user = actor.user_id()?.clone();
    let decide = |message: &Message| {
        if message.body.sender.id != user {
            return Err(Rejection::with(Code::Forbidden, "only the sender can edit a message"));
        }
        Ok(Change {
            kind: EventKind::MessageEdited,
            body: MessageBody { content: content.clone(), ..message.body.clone() },
        })
    };
    let message = change::apply(app, actor, id, decide).await?;
    Ok(reply::sent(&message))
}
