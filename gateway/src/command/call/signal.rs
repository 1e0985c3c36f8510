//! `call.signal`: hands what one client says to the sockets of others, wherever they are connected, as it is. Nothing
//! is stored, and who is not connected does not get it.

use parlance_domain::{
    call::{Call, CallSignal},
    command::SignalCall,
    id::UserId,
    rejection::{Code, Rejection},
    user_event::UserEvent,
};
use serde_json::Value;

use super::{Actor, failed, not_over, visible};
use crate::{app::App, dialect::view::reply};

pub(in super::super) async fn apply(
    app: &App,
    actor: &Actor,
    signal: SignalCall,
) -> Result<Value, Rejection> {
    let SignalCall { call: id, to, payload } = signal;
    let from = actor.profile()?.clone();
    let call = visible(app, actor, id).await?;
    not_over(&call)?;
    let recipients = match to {
        Some(user) if is_member(app, &call, &user).await? => vec![user],
        Some(_) => return Err(Rejection::with(Code::NotFound, "there is no such participant")),
        None => others(app, &call, &from.id).await?,
    };
    let event = UserEvent::CallSignal(Box::new(CallSignal {
        call: id,
        conversation: call.conversation.clone(),
        from,
        payload,
    }));
    for user in &recipients {
        let published = app.broker.publish_to_user(user, &event).await;
        published.map_err(|error| failed("publish a signal", &error))?;
    }
    Ok(reply::nothing())
}

/// All others in the call, apart from those who take part in the conversation no longer.
async fn others(app: &App, call: &Call, from: &UserId) -> Result<Vec<UserId>, Rejection> {
    let mut others = Vec::new();
    for user in call.participants.iter().map(|one| &one.user.id).filter(|user| *user != from) {
        if is_member(app, call, user).await? {
            others.push(user.clone());
        }
    }
    if others.is_empty() {
        return Err(Rejection::with(Code::Conflict, "nobody else is in the call: name whom it is to"));
    }
    Ok(others)
}

async fn is_member(app: &App, call: &Call, user: &UserId) -> Result<bool, Rejection> {
    app.membership.takes_part(user, &call.conversation).await
}
