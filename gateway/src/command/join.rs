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
    fanout::{Join, JoinRefusal, Joined, Member, Place},
    membership::Asker,
    socket::session::Session,
};

/// How often a join is authorised anew, because the membership changed while it waited, before it is given up.
const ATTEMPTS: u32 = 4;

pub(super) async fn apply(app: &App, actor: &Actor, conversation: ConversationId, answer: Answer) {
    let socket = match own_socket(actor) {
        Ok(socket) => socket,
        Err(rejection) => return answer(Err(rejection)),
    };
    if let Err(rejection) = app.limits.join(&socket.user) {
        return answer(Err(rejection));
    }
    let (joined, user) = (conversation.clone(), socket.user.clone());
    let done: Done = Box::new(move |outcome| {
        answer(outcome.map(|now| {
            // A dialect that does not tell who is there is not asked what it would say.
            let list = now.members.unwrap_or_default();
            let (members, count) = list.including(&user);
            reply::joined(&joined, now.heads, &members, count)
        }));
    });
    join(app, socket, conversation, None, done).await;
}

/// The socket that the command came from, which alone can be in a conversation.
pub(super) fn own_socket(actor: &Actor) -> Result<Arc<Session>, Rejection> {
    actor.socket.clone().ok_or_else(|| Rejection::with(Code::Forbidden, "only a socket can join"))
}

/// Takes what became of a join. Called exactly once; must not block.
pub(super) type Done = Box<dyn FnOnce(Result<Joined, Rejection>) + Send>;

/// Authorises and asks for a join that goes on after `since`; returns when it has been asked for.
pub(super) async fn join(
    app: &App,
    socket: Arc<Session>,
    conversation: ConversationId,
    since: Option<Place>,
    done: Done,
) {
    Attempt { app: app.clone(), socket, conversation, since, noted: false, left: ATTEMPTS }.run(done).await;
}

/// A join that may have to begin again.
#[derive(Clone)]
struct Attempt {
    app: App,
    socket: Arc<Session>,
    conversation: ConversationId,
    since: Option<Place>,
    /// It was this attempt that noted the conversation at the socket; what was noted before is not undone by it.
    noted: bool,
    /// How often more it may begin again.
    left: u32,
}

impl Attempt {
    /// Boxed, because it may call itself.
    fn run(self, done: Done) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let Self { app, socket, conversation, since, left, .. } = self.clone();
            let grants = socket.grants();
            let asker = Asker { user: &socket.user, grants: &grants };
            let acl = match app.membership.authorize(asker, &conversation).await {
                Ok(acl) => acl,
                Err(rejection) => return self.give_up(rejection, done),
            };
            if left < ATTEMPTS && !socket.has_joined(&conversation) {
                let rejection = Rejection::with(Code::Conflict, "the conversation was left meanwhile");
                return done(Err(rejection));
            }
            // Noted before it is asked for, so that a socket that ends meanwhile is taken out again.
            let noted = match socket.joining(&conversation, app.config.limits.joined_conversations) {
                Ok(noted) => noted,
                Err(rejection) => return done(Err(rejection)),
            };
            let member = Member::of(&socket);
            let lists_members = since.is_none() && socket.dialect.lists_members_on_join();
            let attempt = Self { noted: self.noted || noted, ..self };
            let confirm = Box::new(move |outcome| attempt.confirm(outcome, done));
            app.fanout.join(conversation, Join { member, acl, since, lists_members, confirm });
        })
    }

    fn confirm(self, outcome: Result<Joined, JoinRefusal>, done: Done) {
        let rejection = match outcome {
            Ok(now) => return done(Ok(now)),
            Err(JoinRefusal::Rejected(rejection)) => rejection,
            Err(JoinRefusal::Outdated) if self.left > 0 => {
                self.app.membership.forget(&self.conversation);
                let lifecycle = self.app.lifecycle.clone();
                lifecycle.spawn_request("join", Self { left: self.left - 1, ..self }.run(done));
                return;
            }
            Err(JoinRefusal::Outdated) => Code::Unavailable.into(),
        };
        self.give_up(rejection, done);
    }

    fn give_up(self, rejection: Rejection, done: Done) {
        // Who goes on from a place is taken out of the room before he is asked to begin again.
        let taken_out = self.since.is_some() && self.left < ATTEMPTS;
        if self.noted || taken_out {
            self.socket.left(&self.conversation);
        }
        done(Err(rejection));
    }
}
