//! `conversation.leave`: from the answer on, the socket gets nothing of the conversation. Leaving twice is fine.

use parlance_domain::{
    id::ConversationId,
    rejection::{Code, Rejection},
};

use super::{Actor, Answer};
use crate::{app::App, dialect::view::reply};

pub(super) fn apply(app: &App, actor: &Actor, conversation: ConversationId, answer: Answer) {
    let Some(socket) = &actor.socket else {
        return answer(Err(Rejection::with(Code::Forbidden, "only a socket can leave")));
    };
    let (socket, left) = (socket.clone(), conversation.clone());
    let key = socket.key;
    app.typing.left(key, &socket.user, &conversation);
    app.fanout.leave(
        conversation,
        key,
        Box::new(move |outcome| {
            if outcome.is_ok() {
                socket.left(&left);
            }
            answer(outcome.map(|()| reply::left(&left)));
        }),
    );
}
