//! `call.start`: rings. Everybody in the conversation is told, the caller's own sockets too.

use parlance_broker::replica::Written;
use parlance_domain::{
    call::{Call, CallBody},
    command::StartCall,
    event::EventKind,
    rejection::Rejection,
};

use super::{Actor, Answer, append, internal, state_after, to_append};
use crate::{app::App, dialect::view::reply};

pub(in super::super) async fn apply(app: &App, actor: &Actor, start: StartCall, answer: Answer) {
    match place(app, actor, start).await {
        Ok((call, written)) => append::acknowledge(app, written, reply::call(&call), answer),
        Err(rejection) => answer(Err(rejection)),
    }
}

async fn place(app: &App, actor: &Actor, start: StartCall) -> Result<(Call, Option<Written>), Rejection> {
    let StartCall { conversation, kind } = start;
    let id = app.new_call_id(conversation.as_str());
    let body = CallBody::start(id, kind, actor.profile()?.clone());
    let append = to_append(app, actor, &conversation, EventKind::CallStarted, &body, None)?;
    let (appended, written) = append::authorized(app, actor, &append).await?;
    let call = state_after(&append, appended, body)?;
    Ok((call.ok_or_else(|| internal("a new call was stale"))?, written))
}
