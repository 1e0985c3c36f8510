//! `message.delete`: takes a message back. Its place is kept, its content is gone. Senders may, and moderators.

use parlance_domain::{
    event::EventKind,
    id::MessageId,
    message::{Attachments, Content, Message, MessageBody, Metadata},
    rejection::{Code, Rejection},
};

use super::{
    Actor, Answer,
    change::{self, Change},
};
use crate::app::App;

pub(super) async fn apply(app: &App, actor: &Actor, id: MessageId, answer: Answer) {
    let profile = match actor.profile() {
        Ok(profile) => profile.clone(),
        Err(rejection) => return answer(Err(rejection)),
    };
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
    change::apply(app, actor, id, decide, answer).await;
}
