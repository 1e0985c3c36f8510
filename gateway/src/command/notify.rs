//! `notification.send`: a backend tells a user something. It is stored when it is answered, and all sockets that the user
//! has now are told; those that he has later find it in his list.

use parlance_domain::{
    command::Notify, id::NotificationId, notification::Notification, rejection::Rejection,
    user_event::UserEvent,
};
use serde_json::Value;

use super::{Actor, failed};
use crate::{app::App, dialect::view::reply};

pub(super) async fn apply(app: &App, actor: &Actor, notify: Notify) -> Result<Value, Rejection> {
    actor.only_backends()?;
    let Notify { user, kind, text, data } = notify;
    let now = u64::try_from(app.clock.now_ms()).unwrap_or(0);
    let new = Notification {
        id: NotificationId::new(now, rand::random(), 0),
        user,
        kind: kind.as_str().to_owned(),
        text,
        data,
        conversation: None,
        message_id: None,
        message: None,
        absent: None,
        created_at_ms: 0,
        read_at_ms: None,
    };
    let stored = app.store.insert_notification(new).await;
    let notification = stored.map_err(|error| failed("store a notification", &error))?;
    announce(app, &notification).await;
    Ok(reply::notified(&notification))
}

/// Tells the user's sockets. It is stored whether or not that works: a worker finds what was not announced.
async fn announce(app: &App, notification: &Notification) {
    let event = UserEvent::Notification(Box::new(notification.clone()));
    if let Err(error) = app.broker.publish_to_user(&notification.user, &event).await {
        tracing::warn!(%error, "failed to announce a notification, a worker will");
        return;
    }
    if let Err(error) = app.store.mark_announced(notification.id).await {
        tracing::warn!(%error, "failed to note that a notification was announced, a worker will announce it again");
    }
}
