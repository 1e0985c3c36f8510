//! `notification.list` and `notification.read`: a user's own notifications, on whatever device.

use parlance_domain::{
    command::{ListNotifications, ReadNotifications},
    id::{NotificationId, UserId},
    notification::NotifyPolicy,
    rejection::Rejection,
    time::Timestamp,
};
use parlance_store::notification::NotificationPage;
use serde_json::Value;

use super::{
    Actor, Answer, failed,
    page::{self, Cursor},
    query,
};
use crate::{app::App, dialect::view::reply};

/// Where a page ended: when the last one was made, in unix milliseconds, and which it is.
type Place = (i64, NotificationId);

pub(super) fn list(app: &App, actor: &Actor, list: &ListNotifications, answer: Answer) {
    let (user, after) = match place(actor, list) {
        Ok(place) => place,
        Err(rejection) => return answer(Err(rejection)),
    };
    let app_of_query = app.clone();
    let granted = app.membership.granted(&actor.grants);
    let page = NotificationPage {
        after,
        limit: list.limit,
        unread: list.unread,
        present: shows_present(app, actor),
        granted,
    };
    query::beside(app, actor, async move { read_page(&app_of_query, &user, page).await }, answer);
}

/// Whether what came while the user was there is a notification for who asks: where his dialect notifies of it.
fn shows_present(app: &App, actor: &Actor) -> bool {
    actor.behaviour(app).notify == NotifyPolicy::Always
}

fn place(
    actor: &Actor,
    list: &ListNotifications,
) -> Result<(UserId, Option<(Timestamp, NotificationId)>), Rejection> {
    let user = actor.user_id()?.clone();
    let place: Option<Place> = list.cursor.as_deref().map(Cursor::decode).transpose()?;
    Ok((user, place.map(|(at, id)| (Timestamp(at), id))))
}

async fn read_page(app: &App, user: &UserId, mut page: NotificationPage) -> Result<Value, Rejection> {
    let limit = page.limit;
    // One more than asked for tells whether there are more.
    page.limit += 1;
    let found = app.store.notifications(user, &page).await;
    let mut found = found.map_err(|error| failed("read notifications", &error))?;
    let unread = app.store.unread_notifications(user, page.granted.as_deref(), page.present).await;
    let unread = unread.map_err(|error| failed("count notifications", &error))?;
    let next = page::cut(&mut found, limit, |last| -> Place { (last.created_at_ms, last.id) });
    Ok(reply::notifications(&found, unread, next.as_deref()))
}

pub(super) async fn read(app: &App, actor: &Actor, read: ReadNotifications) -> Result<Value, Rejection> {
    let (user, ids) = (actor.user_id()?, read.notifications.as_deref());
    let marked = app.store.read_notifications(user, ids, shows_present(app, actor)).await;
    Ok(reply::marked(marked.map_err(|error| failed("mark notifications", &error))?))
}
