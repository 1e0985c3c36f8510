//! `conversation.join`: from the answer on, the socket gets every event of the conversation.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use parlance_domain::{
    id::ConversationId,
    rejection::{Code, Rejection},
};

use super::{Actor, Answer};
use crate::{
    app::App,
    dialect::view::reply,
    fanout::{Join, JoinRefusal, Member},
    socket::session::Session,
};

/// How often a join is authorised anew, because the membership changed while it waited, before it is given up.
const ATTEMPTS: u32 = 4;

pub(super) async fn apply(app: &App, actor: &Actor, conversation: ConversationId, answer: Answer) {
    let Some(socket) = actor.socket.clone() else {
        return answer(Err(Rejection::with(Code::Forbidden, "only a socket can join")));
    };
    attempt(app.clone(), socket, conversation, answer, ATTEMPTS).await;
}

/// Authorises and asks for the join; returns when it has been asked for. Boxed, because it may have to begin again.
fn attempt(
    app: App,
    socket: Arc<Session>,
    conversation: ConversationId,
    answer: Answer,
    attempts: u32,
) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        let acl = match app.membership.authorize(&socket.user, &conversation).await {
            Ok(acl) => acl,
            Err(rejection) => return answer(Err(rejection)),
        };
        if attempts < ATTEMPTS && !socket.has_joined(&conversation) {
            return answer(Err(Rejection::with(Code::Conflict, "the conversation was left meanwhile")));
        }
        // Noted before it is asked for, so that a socket that ends meanwhile is taken out again.
        if let Err(rejection) = socket.joining(&conversation, app.config.limits.joined_conversations) {
            return answer(Err(rejection));
        }
        let member = Member::of(&socket);
        let (joining, joined) = (app.clone(), conversation.clone());
        let confirm = Box::new(move |outcome| {
            let rejection = match outcome {
                Ok(heads) => return answer(Ok(reply::joined(&joined, heads))),
                Err(JoinRefusal::Rejected(rejection)) => rejection,
                Err(JoinRefusal::Outdated) if attempts > 0 => {
                    joining.membership.forget(&joined);
                    let again = attempt(joining.clone(), socket, joined, answer, attempts - 1);
                    joining.lifecycle.spawn_request("join", again);
                    return;
                }
                Err(JoinRefusal::Outdated) => Code::Unavailable.into(),
            };
            socket.left(&joined);
            answer(Err(rejection));
        });
        app.fanout.join(conversation, Join { member, acl, confirm });
    })
}
