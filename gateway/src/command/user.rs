//! `user.put`, `user.import`, `user.get`, `user.list` and `user.delete`: what is known of users. Backends write and read
//! everything; users read all of themselves, and of others what everybody sees.
//!
//! What a token says of its user is written when he connects. A socket shows its user as he was when it connected.

use parlance_domain::{
    command::ListUsers,
    id::UserId,
    rejection::{Code, Rejection},
    user::User,
};
use parlance_store::user::StoredUser;
use serde_json::{Value, json};

use super::{
    Actor, Answer, failed,
    page::{self, Cursor},
    query,
};
use crate::{app::App, dialect::view::reply};

/// Writes what is known of a user; what is left out is forgotten.
///
/// # Errors
/// `forbidden` without a service key; `unavailable`.
pub(super) async fn put(app: &App, actor: &Actor, user: User) -> Result<Value, Rejection> {
    actor.only_backends()?;
    let created = write(app, std::slice::from_ref(&user)).await?;
    // Somebody may have deleted him at once.
    let stored = find(app, &user.id).await?;
    let view = stored.map_or_else(|| user.view(None), |stored| view(&stored));
    Ok(reply::user_put(&view, created > 0))
}

/// Writes what is known of many users, of all or of none.
///
/// # Errors
/// `forbidden` without a service key; `unavailable`.
pub(super) async fn import(app: &App, actor: &Actor, users: &[User]) -> Result<Value, Rejection> {
    actor.only_backends()?;
    let created = write(app, users).await?;
    Ok(reply::users_imported(created, users.len() as u64 - created))
}

/// Reads what is known of a user.
pub(super) fn get(app: &App, actor: &Actor, id: UserId, answer: Answer) {
    let (task, reader) = (app.clone(), actor.clone());
    query::beside(app, actor, async move { read(&task, &reader, &id).await }, answer);
}

/// # Errors
/// `not_found`; `unavailable`.
async fn read(app: &App, actor: &Actor, id: &UserId) -> Result<Value, Rejection> {
    let stored = find(app, id).await?;
    if actor.reads_everything() {
        return stored.map(|stored| reply::user(&view(&stored))).ok_or_else(unknown);
    }
    let reader = actor.profile()?;
    if reader.id != *id {
        return stored.map(|stored| reply::user(&json!(stored.user.profile()))).ok_or_else(unknown);
    }
    // Everybody is known to himself.
    Ok(reply::user(&stored.map_or_else(|| User::of(reader.clone()).view(None), |stored| view(&stored))))
}

/// Reads who is known.
pub(super) fn list(app: &App, actor: &Actor, list: ListUsers, answer: Answer) {
    if let Err(rejection) = actor.only_backends() {
        return answer(Err(rejection));
    }
    let task = app.clone();
    query::beside(app, actor, async move { read_page(&task, list).await }, answer);
}

/// # Errors
/// `invalid_payload` for a cursor of nobody's; `unavailable`.
async fn read_page(app: &App, ListUsers { cursor, limit }: ListUsers) -> Result<Value, Rejection> {
    let after: Option<UserId> = cursor.as_deref().map(Cursor::decode).transpose()?;
    let found = app.store.users(after.as_ref(), limit + 1).await;
    let mut found = found.map_err(|error| failed("read users", &error))?;
    let next = page::cut(&mut found, limit, |last| last.user.id.clone());
    let users: Vec<Value> = found.iter().map(view).collect();
    Ok(reply::users(&users, next.as_deref()))
}

/// Forgets what is known of a user. Where he takes part stays, and his messages keep who he was.
///
/// # Errors
/// `forbidden` without a service key; `not_found`; `unavailable`.
pub(super) async fn delete(app: &App, actor: &Actor, id: &UserId) -> Result<Value, Rejection> {
    actor.only_backends()?;
    let deleted = app.store.delete_user(id).await.map_err(|error| failed("delete a user", &error))?;
    if deleted { Ok(reply::nothing()) } else { Err(unknown()) }
}

async fn write(app: &App, users: &[User]) -> Result<u64, Rejection> {
    app.store.put_users(users).await.map_err(|error| failed("write users", &error))
}

async fn find(app: &App, id: &UserId) -> Result<Option<StoredUser>, Rejection> {
    app.store.user(id).await.map_err(|error| failed("read a user", &error))
}

fn view(stored: &StoredUser) -> Value {
    stored.user.view(Some(stored.updated_at))
}

fn unknown() -> Rejection {
    Rejection::with(Code::NotFound, "there is no such user")
}
