//! `call.end`: ends a call for all, or declines it. Every participant of the conversation may.

use parlance_domain::{
    call::{CallBody, CallStatus},
    event::EventKind,
    id::CallId,
};

use super::{Actor, Answer, change, not_over};
use crate::app::App;

pub(in super::super) async fn apply(app: &App, actor: &Actor, id: CallId, answer: Answer) {
    let user = match actor.user_id() {
        Ok(user) => user.clone(),
        Err(rejection) => return answer(Err(rejection)),
    };
    let decide = |call: &_| {
        not_over(call)?;
        Ok(CallBody { status: CallStatus::Ended, ended_by: Some(user.clone()), ..call.body() })
    };
    change(app, actor, id, EventKind::CallEnded, decide, answer).await;
}
