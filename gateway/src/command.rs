//! Commands: the one way to state, for sockets, requests and backends alike. One file a command.
//!
//! [`apply`] is the table of contents. A command that waits for something slow (history, a receipt's interval,
//! a join, a replica) answers later and does not hold up the ones behind it.

pub mod append;
mod authenticate;
pub(crate) mod call;
mod change;
mod conversation;
mod conversation_list;
mod delete;
mod disconnect;
mod echo;
mod edit;
mod emit;
mod history;
mod identify;
mod join;
mod leave;
mod member_list;
mod message_get;
mod notifications;
mod notify;
pub mod page;
mod participant;
mod persisted;
mod ping;
mod place;
mod presence;
mod query;
mod react;
mod receipt;
pub mod receipts;
mod resume;
mod revoke;
mod send;
mod session_list;
mod stats;
mod status;
mod typing;
mod unread;
mod user;

use std::{borrow::Cow, sync::Arc, time::Instant};

use futures_util::future::BoxFuture;
use parlance_broker::BrokerError;
use parlance_chassis::traces::Span;
use parlance_domain::{
    command::{Command, CommandName},
    id::{SessionId, UserId},
    rejection::{Code, Rejection},
    trace::TraceParent,
    user::Profile,
};
use parlance_store::StoreError;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::{
    app::App,
    auth::{Grants, Identity},
    dialect::{Behaviour, Dialect},
    membership::Asker,
    socket::session::Session,
};
pub(crate) use join::implied as join_implied;

/// Who asks.
#[derive(Debug, Clone)]
pub struct Actor {
    /// The user who asks, or for whom a backend does; a backend may act for none.
    pub profile: Option<Profile>,
    /// The socket that the command came from; none for a request.
    pub socket: Option<Arc<Session>>,
    /// Whether it is a backend with a service key.
    pub service: bool,
    /// The dialect whose route it is; none for a request to the gateway's own paths.
    pub route_of: Option<Arc<Dialect>>,
    /// What the user's token lets him use. A backend may use everything, for whomever it acts: it is who issues tokens.
    pub grants: Grants,
    /// Where the trace of the command goes on, if it is traced.
    pub trace: Option<TraceParent>,
}

impl Actor {
    /// A user's request.
    pub fn user(identity: Identity) -> Self {
        let grants = identity.grants;
        Self {
            profile: Some(identity.user),
            socket: None,
            service: false,
            route_of: None,
            grants,
            trace: None,
        }
    }

    /// A backend's request, for a user or for none.
    pub fn service(user: Option<Profile>) -> Self {
        Self {
            profile: user,
            socket: None,
            service: true,
            route_of: None,
            grants: Grants::Everything,
            trace: None,
        }
    }

    /// The same, by a route of this dialect.
    pub fn by_route_of(self, dialect: Arc<Dialect>) -> Self {
        Self { route_of: Some(dialect), ..self }
    }

    /// A user's socket.
    pub fn socket(socket: &Arc<Session>) -> Self {
        let (profile, grants) = socket.standing();
        let socket = Some(socket.clone());
        Self { profile: Some(profile), socket, service: false, route_of: None, grants, trace: None }
    }

    /// The user.
    ///
    /// # Errors
    /// `forbidden` for a backend that acts for none.
    pub fn profile(&self) -> Result<&Profile, Rejection> {
        self.profile.as_ref().ok_or_else(|| Rejection::with(Code::Forbidden, "this needs a user to act for"))
    }

    /// Whether it is a backend that acts for nobody, which may read everything.
    fn reads_everything(&self) -> bool {
        self.service && self.profile.is_none()
    }

    /// # Errors
    /// `forbidden` for whoever is no backend.
    fn only_backends(&self) -> Result<(), Rejection> {
        if self.service { Ok(()) } else { Err(Rejection::with(Code::Forbidden, "this needs a service key")) }
    }

    fn user_id(&self) -> Result<&UserId, Rejection> {
        Ok(&self.profile()?.id)
    }

    /// As whom the actor uses conversations.
    ///
    /// # Errors
    /// `forbidden` for a backend that acts for none.
    pub(crate) fn asker(&self) -> Result<Asker<'_>, Rejection> {
        Ok(Asker { user: self.user_id()?, grants: &self.grants })
    }

    /// What is done for the dialect that it was asked in; a request to the gateway's own paths has the default one.
    fn behaviour(&self, app: &App) -> Behaviour {
        let dialect = self.socket.as_ref().map(|socket| &socket.dialect).or(self.route_of.as_ref());
        let dialect = dialect.cloned().or_else(|| app.dialects.configured());
        dialect.map(|dialect| *dialect.behaviour()).unwrap_or_default()
    }

    /// Whether what the actor is answered with goes by this field of the reply, which is looked up for that alone.
    fn asks_for(&self, command: CommandName, field: &str) -> bool {
        let dialect = self.socket.as_ref().map(|socket| &socket.dialect).or(self.route_of.as_ref());
        dialect.is_some_and(|dialect| dialect.names_in_reply(command, field))
    }

    fn origin(&self) -> Option<SessionId> {
        self.socket.as_ref().map(|socket| socket.id.clone())
    }
}

/// Takes a command's reply: the canonical view, or why not. Called exactly once; must not block.
pub type Answer = Box<dyn FnOnce(Result<Value, Rejection>) + Send>;

/// Carries a command out. When it returns, everything that the actor asks for later comes after it; `answer` may
/// be called later still.
pub async fn apply(app: &App, actor: &Actor, command: Command, answer: Answer) {
    let name = command.name().as_str();
    let span = app.traces.begin(name);
    let traced = span.traceparent().map(|trace| Actor { trace: TraceParent::new(&trace), ..actor.clone() });
    let actor = traced.as_ref().unwrap_or(actor);
    let answer = counted(name, span, answer);
    carry_out(app, actor, command, answer).await;
}

/// Each on the heap: what all of them need together, in turn, is more than a thread has for its stack.
fn carry_out<'a>(app: &'a App, actor: &'a Actor, command: Command, answer: Answer) -> BoxFuture<'a, ()> {
    match command {
        Command::Authenticate(token) => {
            Box::pin(async move { answer(authenticate::apply(app, actor, &token).await) })
        }
        Command::Identify(user) => Box::pin(async move { answer(identify::apply(actor, &user)) }),
        Command::Resume(resume) => Box::pin(resume::apply(app, actor, resume, answer)),
        Command::Echo(payload) => Box::pin(async move { answer(echo::apply(&payload)) }),
        Command::Ping => Box::pin(async move { answer(ping::apply(app)) }),
        Command::Join(join) => Box::pin(join::apply(app, actor, join, answer)),
        Command::Leave(conversation) => {
            Box::pin(async move { leave::apply(app, actor, conversation, answer) })
        }
        Command::ConversationList(list) => {
            Box::pin(async move { conversation_list::apply(app, actor, list, answer) })
        }
        Command::Send(send) => Box::pin(send::apply(app, actor, *send, answer)),
        Command::Edit(message, content) => Box::pin(edit::apply(app, actor, message, content, answer)),
        Command::Delete(message) => Box::pin(delete::apply(app, actor, message, answer)),
        Command::MessageGet(message) => {
            Box::pin(async move { message_get::apply(app, actor, message, answer) })
        }
        Command::React(react) => Box::pin(react::apply(app, actor, react, answer)),
        Command::History(history) => Box::pin(async move { history::apply(app, actor, history, answer) }),
        Command::Receipt(receipt) => Box::pin(receipt::apply(app, actor, receipt, answer)),
        Command::Typing(conversation, state) => {
            Box::pin(async move { answer(typing::apply(app, actor, conversation, state).await) })
        }
        Command::MemberList(list) => Box::pin(async move { member_list::apply(app, actor, list, answer) }),
        Command::Stats => Box::pin(async move { answer(stats::apply(app, actor).await) }),
        Command::PresenceSet(status) => {
            Box::pin(async move { answer(presence::set(app, actor, status).await) })
        }
        Command::PresenceGet(get) => Box::pin(async move { presence::get(app, actor, get, answer) }),
        Command::PresenceList(list) => Box::pin(async move { presence::list(app, actor, list, answer) }),
        Command::SessionList(user) => Box::pin(async move { session_list::apply(app, actor, user, answer) }),
        Command::CallStart(start) => Box::pin(call::start::apply(app, actor, start, answer)),
        Command::CallAnswer(call) => Box::pin(call::answer::apply(app, actor, call, answer)),
        Command::CallEnd(call) => Box::pin(call::end::apply(app, actor, call, answer)),
        Command::CallSignal(signal) => {
            Box::pin(async move { answer(call::signal::apply(app, actor, signal).await) })
        }
        Command::CallGet(call) => Box::pin(async move { answer(call::get::apply(app, actor, call).await) }),
        Command::Emit(event) => Box::pin(async move { answer(emit::apply(app, actor, *event).await) }),
        Command::Disconnect(user) => {
            Box::pin(async move { answer(disconnect::apply(app, actor, &user).await) })
        }
        Command::Revoke(revoke) => Box::pin(async move { answer(revoke::apply(app, actor, revoke).await) }),
        Command::NotificationList(list) => {
            Box::pin(async move { notifications::list(app, actor, &list, answer) })
        }
        Command::NotificationRead(read) => {
            Box::pin(async move { answer(notifications::read(app, actor, read).await) })
        }
        Command::Notify(notify) => Box::pin(async move { answer(notify::apply(app, actor, *notify).await) }),
        Command::ConversationGet(id) => {
            Box::pin(async move { conversation::get::apply(app, actor, id, answer) })
        }
        Command::ConversationCreate(create) => {
            Box::pin(async move { answer(conversation::create::apply(app, actor, *create).await) })
        }
        Command::ConversationUpdate(update) => {
            Box::pin(async move { answer(conversation::update::apply(app, actor, *update).await) })
        }
        Command::ConversationDelete(id) => {
            Box::pin(async move { answer(conversation::delete::apply(app, actor, &id).await) })
        }
        Command::ParticipantList(list) => {
            Box::pin(async move { participant::list(app, actor, list, answer) })
        }
        Command::ParticipantAdd(add) => {
            Box::pin(async move { answer(participant::add(app, actor, add).await) })
        }
        Command::ParticipantRemove(id, user) => {
            Box::pin(async move { answer(participant::remove(app, actor, &id, &user).await) })
        }
        Command::UserPut(user) => Box::pin(async move { answer(user::put(app, actor, *user).await) }),
        Command::UserImport(users) => Box::pin(async move { answer(user::import(app, actor, &users).await) }),
        Command::UserGet(user) => Box::pin(async move { user::get(app, actor, user, answer) }),
        Command::UserList(list) => Box::pin(async move { user::list(app, actor, list, answer) }),
        Command::UserDelete(user) => Box::pin(async move { answer(user::delete(app, actor, &user).await) }),
    }
}

/// Carries a command out and waits for its reply.
///
/// # Errors
/// Why it was not carried out.
pub async fn call(app: &App, actor: &Actor, command: Command) -> Result<Value, Rejection> {
    let (reply, answered) = oneshot::channel();
    let answer: Answer = Box::new(move |outcome| {
        // Who asked may have gone.
        let _ = reply.send(outcome);
    });
    apply(app, actor, command, answer).await;
    answered.await.unwrap_or_else(|_| Err(Code::Unavailable.into()))
}

/// Counts what becomes of a command and how long its answer takes, and ends its span with it.
fn counted(command: &'static str, mut span: Span, answer: Answer) -> Answer {
    let begun = Instant::now();
    Box::new(move |outcome| {
        let result = outcome.as_ref().map_or_else(|rejection| rejection.code.as_str(), |_| "ok");
        metrics::counter!(crate::metrics::COMMANDS.name, "command" => command, "result" => result)
            .increment(1);
        metrics::histogram!(crate::metrics::COMMAND_SECONDS.name, "command" => command)
            .record(begun.elapsed());
        tracing::debug!(command, result, "command");
        if outcome.is_err() {
            span.fail(result);
        }
        drop(span);
        answer(outcome);
    })
}

/// What a client is told when Redis or Postgres failed; the operator gets the cause.
fn failed(doing: &'static str, error: &(dyn std::error::Error + 'static)) -> Rejection {
    let unavailable = error.downcast_ref::<BrokerError>().is_some_and(BrokerError::is_retryable)
        || error.downcast_ref::<StoreError>().is_some_and(StoreError::is_retryable);
    tracing::warn!(%error, "failed to {doing}");
    if unavailable {
        Code::Unavailable.into()
    } else {
        internal("the server failed; the command may be tried again")
    }
}

fn internal(text: impl Into<Cow<'static, str>>) -> Rejection {
    Rejection::with(Code::Internal, text)
}
