//! The conversation that a handshake implies: the socket is in it before it is greeted, and before anything is carried out
//! that it sends.

use std::sync::Arc;

use crate::{
    app::App,
    command,
    socket::{receive::carry_out, session::Session, wire::KillReason},
};

/// Joins the conversation, if there is one; false when that is not possible now: the transport is ended then, so that the
/// client comes back and is told why, or gets in.
pub(in crate::socket) async fn enter(app: &App, session: &Arc<Session>) -> bool {
    let Some(conversation) = session.implied_conversation() else { return true };
    match command::join_implied(app, session, conversation.clone()).await {
        Ok(()) => true,
        Err(rejection) => {
            tracing::debug!(%rejection, session = %session.id, "failed to join what a handshake implies");
            session.wire.kill(KillReason::Overload);
            false
        }
    }
}

/// Carries out what came while the conversation was being joined, and what comes behind it.
pub(super) fn go_on(app: &App, session: &Arc<Session>) {
    if session.implied_conversation().is_none() {
        return;
    }
    let (app_of_task, session) = (app.clone(), Arc::clone(session));
    app.lifecycle.spawn_request("socket events", async move {
        while let Some(inbound) = session.dequeue() {
            carry_out(&app_of_task, &session, inbound).await;
        }
    });
}
