//! `conversation.join`: from the answer on, the socket gets every event of the conversation.

use parlance_domain::{
    id::ConversationId,
    rejection::{Code, Rejection},
    version::Heads,
};
use serde_json::json;

use super::{Actor, Answer};
use crate::{app::App, fanout::Member};

pub(super) async fn apply(app: &App, actor: &Actor, conversation: ConversationId, answer: Answer) {
    let Some(socket) = actor.socket.clone() else {
        return answer(Err(Rejection::with(Code::Forbidden, "only a socket can join")));
    };
    if let Err(rejection) = app.membership.may_read(&socket.user, &conversation).await {
        return answer(Err(rejection));
    }
    // Counted before it is asked for, so that a socket that ends meanwhile is taken out again.
    if let Err(rejection) = socket.joining(&conversation, app.config.limits.joined_conversations) {
        return answer(Err(rejection));
    }
    let member = Member::of(&socket);
    let joined = conversation.clone();
    app.fanout.join(
        conversation,
        member,
        Box::new(move |outcome| {
            if outcome.is_err() {
                socket.left(&joined);
            }
            tracing::debug!(conversation = %joined, user = %socket.user, ok = outcome.is_ok(), "join");
            answer(outcome.map(|Heads { version, seq }| {
                json!({
                    "conversationId": joined,
                    "epoch": version.epoch,
                    "offset": version.rev,
                    "seq": seq,
                })
            }));
        }),
    );
}
