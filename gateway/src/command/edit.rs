//! `message.edit`: changes the content of one's own message.

use parlance_domain::{
    event::EventKind,
    id::MessageId,
    message::{Content, Message, MessageBody},
    rejection::{Code, Rejection},
};

use super::{
    Actor, Answer,
    change::{self, Change},
};
use crate::app::App;

pub(super) async fn apply(app: &App, actor: &Actor, id: MessageId, content: Content, answer: Answer) {
    let user = match actor.user_id() {
        Ok(user) => user.clone(),
        Err(rejection) => return answer(Err(rejection)),
    };
    let decide = |message: &Message| {
        if message.body.sender.id != user {
            return Err(Rejection::with(Code::Forbidden, "only the sender can edit a message"));
        }
        Ok(Change {
            kind: EventKind::MessageEdited,
            body: MessageBody { content: content.clone(), ..message.body.clone() },
        })
    };
    change::apply(app, actor, id, decide, answer).await;
}
