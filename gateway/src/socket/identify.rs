//! Sockets that say by an event who they are: in a dialect whose clients are believed that, and only there, a socket without
//! any identity is let in and can do nothing but say it. It is not waited for it for long.

use std::sync::Arc;

use parlance_domain::{
    command::Command,
    id::UserId,
    rejection::{Code, Rejection},
};

use super::{
    cluster::SocketRef,
    connect::{self, SocketOf},
    receive::{self, carry_out},
    session::{Acknowledgement, Inbound, Session, Stranger, TakenIn, emit_through},
    wire::KillReason,
};
use crate::{
    app::App,
    dialect::{Call, Context},
    limits::Limit,
    membership::Standing,
};

/// Ends the socket's transport unless it says soon who it is: its client comes back, and can say it then.
pub(super) fn expect(app: &App, stranger: &Arc<Stranger>) {
    let patience = app.config.socket.connect_timeout;
    let stranger = Arc::clone(stranger);
    app.lifecycle.spawn_request("a socket that is to say who it is", async move {
        if tokio::time::timeout(patience, stranger.over()).await.is_err() {
            tracing::debug!(address = ?stranger.wire.address(), "a socket did not say who it is");
            stranger.wire.kill(KillReason::Stranger);
        }
    });
}

/// Takes in what a socket sends that is not known, or was not a moment ago.
pub(super) fn take_in(app: &App, stranger: &Arc<Stranger>, socket: SocketRef, inbound: Inbound) {
    if let Some(session) = stranger.session() {
        return receive::take_in(app, &session, inbound);
    }
    if stranger.is_banned() {
        return;
    }
    if let Err(rejection) = stranger.admit() {
        return refuse(stranger, &socket, inbound, &rejection);
    }
    match stranger.take_in(inbound) {
        TakenIn::Belongs(session, inbound) => receive::take_in(app, &session, inbound),
        TakenIn::Full(inbound) => refuse(stranger, &socket, inbound, &Code::Overloaded.into()),
        TakenIn::Waits(false) | TakenIn::Dropped => {}
        TakenIn::Waits(true) => {
            let (app_of_task, stranger) = (app.clone(), Arc::clone(stranger));
            app.lifecycle.spawn_request("events of an unknown socket", async move {
                listen(&app_of_task, &stranger, &socket).await;
            });
        }
    }
}

/// Carries out what waits, also when that makes it a session.
async fn listen(app: &App, stranger: &Stranger, socket: &SocketRef) {
    while let Some(inbound) = stranger.dequeue() {
        let Some(user) = stated(stranger, &inbound) else {
            refuse(stranger, socket, inbound, &Code::TokenMissing.into());
            continue;
        };
        let known = match user {
            Ok(user) => become_known(app, stranger, socket, user).await,
            Err(rejection) => Err(rejection),
        };
        match known {
            Err(rejection) => refuse(stranger, socket, inbound, &rejection),
            Ok(None) => return,
            Ok(Some(session)) => return begin(app, &session, socket, inbound).await,
        }
    }
}

/// Who a socket says it is, by an event that says so; `None` for any other event.
fn stated(stranger: &Stranger, inbound: &Inbound) -> Option<Result<UserId, Rejection>> {
    let (event, arguments) = receive::read(&inbound.packet)?;
    let decoded = stranger.dialect.decode(&event, arguments, context(stranger));
    if !stranger.dialect.is_identifying(&decoded.call) {
        return None;
    }
    match decoded.command {
        Ok(Command::Identify(user)) => Some(Ok(user)),
        Ok(_) => None,
        Err(rejection) => Some(Err(rejection)),
    }
}

fn context(stranger: &Stranger) -> Context<'_> {
    Context { conversation: stranger.conversation.as_ref(), user: None }
}

/// The session that the socket becomes; `None` when the socket is gone.
///
/// # Errors
/// `limit_reached` when the user has as many sockets as he may; why he may not use the conversation that the handshake
/// implies.
async fn become_known(
    app: &App,
    stranger: &Stranger,
    socket: &SocketRef,
    user: UserId,
) -> Result<Option<Arc<Session>>, Rejection> {
    // It costs what a handshake does.
    connect::may_connect(app, &stranger.wire)?;
    let place = app.limits.connect(&user)?;
    let identity = connect::claimed(app, user).await;
    let standing = match &stranger.conversation {
        Some(conversation) => connect::standing(app, &identity, conversation).await?,
        None => Standing::default(),
    };
    let socket_of = SocketOf {
        dialect: Arc::clone(&stranger.dialect),
        namespace: Arc::clone(&stranger.namespace),
        wire: Arc::clone(&stranger.wire),
        conversation: stranger.conversation.clone(),
        role: standing.role,
        place: Some(place),
    };
    let session = connect::new_session(app, identity, socket_of);
    if !stranger.become_known(&session) {
        return Ok(None);
    }
    session.wire.admit();
    tracing::info!(user = %session.user, session = %session.id, dialect = session.dialect.name(), "identified");
    connect::opened(app, &session, || socket.clone());
    Ok(Some(session))
}

/// Answers the event that said who it is, greets, and carries out what was sent behind it.
async fn begin(app: &App, session: &Arc<Session>, socket: &SocketRef, inbound: Inbound) {
    if !connect::enter_implied(app, session).await {
        return;
    }
    carry_out(app, session, inbound).await;
    connect::greet(app, session, socket).await;
    while let Some(inbound) = session.dequeue() {
        carry_out(app, session, inbound).await;
    }
}

/// Answers an event that is not carried out. Who goes on being refused is not listened to any more.
fn refuse(stranger: &Stranger, socket: &SocketRef, inbound: Inbound, rejection: &Rejection) {
    metrics::counter!(crate::metrics::EVENTS_REFUSED.name, "code" => rejection.code.as_str()).increment(1);
    let (event, arguments) = receive::read(&inbound.packet).unwrap_or_default();
    let call = stranger.dialect.decode(&event, arguments, context(stranger)).call;
    respond(stranger, socket, &call, rejection, inbound.ack);
    if stranger.refused() {
        Limit::Abuse.count();
        stranger.wire.mute();
        stranger.wire.kill(KillReason::Abuse);
    }
}

fn respond(
    stranger: &Stranger,
    socket: &SocketRef,
    call: &Call,
    rejection: &Rejection,
    ack: Option<Acknowledgement>,
) {
    let answer = stranger.dialect.answer(call, Err(rejection), ack.is_some());
    if let (Some(ack), Some(payload)) = (ack, &answer.ack) {
        stranger.wire.queued(payload.get().len());
        if ack.sender.send(payload).is_err() {
            stranger.wire.kill(KillReason::SlowReader);
        }
    }
    if answer.emits.is_empty() || !stranger.may_complain() {
        return;
    }
    for frame in &answer.emits {
        emit_through(&stranger.wire, socket, frame);
    }
}
