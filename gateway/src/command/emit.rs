//! `custom.emit`: a backend's own event, for those who are there now: the sockets of a user, of a conversation, or all.
//! Nobody is told when there are none, nor whether there is such a user or conversation.

use parlance_domain::{
    command::{EmitEvent, Recipients},
    entry::Header,
    event::EventKind,
    rejection::Rejection,
    time::Timestamp,
    user_event::UserEvent,
};
use serde_json::Value;

use super::{Actor, failed};
use crate::{app::App, dialect::view::reply};

pub(super) async fn apply(app: &App, actor: &Actor, emit: EmitEvent) -> Result<Value, Rejection> {
    actor.only_backends()?;
    let EmitEvent { to, event } = emit;
    match to {
        Recipients::User(user) => {
            let event = UserEvent::Custom(event);
            let published = app.broker.publish_to_user(&user, &event).await;
            published.map_err(|error| failed("publish for a user", &error))?;
        }
        Recipients::Conversation(conversation) => {
            let header = Header::transient(EventKind::Custom, Timestamp(app.clock.now_ms()), None);
            let body = serde_json::to_string(&event).map_err(|error| failed("encode an event", &error))?;
            let published = app.broker.publish(&conversation, &header, &body).await;
            published.map_err(|error| failed("publish", &error))?;
        }
        Recipients::Everyone => app.broadcasts.emit(&event).await?,
    }
    Ok(reply::nothing())
}
