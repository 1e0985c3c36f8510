//! `conversation.join`: from the answer on, the socket gets every event of the conversation. One that is exclusive then
//! takes the socket out of every other.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use parlance_domain::{
    command::JoinConversation,
    id::ConversationId,
    rejection::{Code, Rejection},
};
use tokio::sync::oneshot;

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

pub(super) async fn apply(app: &App, actor: &Actor, asked: JoinConversation, answer: Answer) {
    let JoinConversation { conversation, exclusive } = asked;
    let socket = match own_socket(actor) {
        Ok(socket) => socket,
        Err(rejection) => return answer(Err(rejection)),
    };
    if let Err(rejection) = app.limits.join(&socket.user) {
        return answer(Err(rejection));
    }
    let (joined, user) = (conversation.clone(), socket.user.clone());
    let (finish, finished) = oneshot::channel();
    let done: Done = Box::new(move |outcome| {
        let is_in = outcome.is_ok();
        answer(outcome.map(|now| {
            // A dialect that does not tell who is there is not asked what it would say.
            let list = now.members.unwrap_or_default();
            let (members, count) = list.including(&user);
            reply::joined(&joined, now.heads, &members, count)
        }));
        // Only a join that is exclusive is waited for.
        let _ = finish.send(is_in);
    });
    join(app, socket.clone(), conversation.clone(), None, done).await;
    // What the socket asks for next has to wait: it may be to join again what is left here.
    if exclusive && finished.await == Ok(true) {
        leave_others(app, &socket, &conversation).await;
    }
}

/// Takes the socket out of every conversation but one. When it returns, nothing more of them is handed to it.
async fn leave_others(app: &App, socket: &Arc<Session>, kept: &ConversationId) {
    let others = socket.joined_beyond(|conversation| conversation == kept);
    for conversation in &others {
        app.typing.left(socket.key, &socket.user, conversation);
    }
    app.fanout.leave_all(socket, others).await;
}

/// The socket joins the conversation that its handshake implies; returns when it is in it.
///
/// # Errors
/// Those of `conversation.join`.
pub(crate) async fn implied(
    app: &App,
    socket: &Arc<Session>,
    conversation: ConversationId,
) -> Result<(), Rejection> {
    let (finish, finished) = oneshot::channel();
    let done: Done = Box::new(move |outcome| {
        // The socket may have gone.
        let _ = finish.send(outcome.map(drop));
    });
    join(app, Arc::clone(socket), conversation, None, done).await;
    finished.await.unwrap_or_else(|_| Err(Code::Unavailable.into()))
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
