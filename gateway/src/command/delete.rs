//! `message.delete`: takes a message back. Its place is kept, its content is gone. Senders may, and moderators.

use parlance_domain::{
    event::EventKind,
    id::MessageId,
    message::{Attachments, Content, Message, MessageBody, Metadata},
    rejection::{Code, Rejection},
};
use serde_json::Value;

use super::{
    Actor,
    change::{self, Change},
};
use crate::{app::App, dialect::view::reply};

pub(super) async fn apply(app: &App, actor: &Actor, id: MessageId) -> Result<Value, Rejection> {
    let profile = actor.profile()?.clone();
    let moderates =
        profile.role.as_ref().is_some_and(|role| app.config.gateway.moderator_roles.contains(role));
    let decide = |message: &Message| {
        if message.body.sender.id != profile.id && !moderates {
            return Err(Rejection::with(
                Code::Forbidden,
                "only the sender or a moderator can delete a message",
            ));
        }
        let body = MessageBody {
            content: Content::gone(),
            attachments: Attachments::default(),
            metadata: Metadata::default(),
            ..message.body.clone()
        };
        Ok(Change { kind: EventKind::MessageDeleted, body })
    };
    let message = change::apply(app, actor, id, decide).await?;
    Ok(reply::sent(&message))
}
