//! `message.get`: one message as it is now, with the reactions to it and how far it has got.

use parlance_domain::{id::MessageId, reaction::Reactions, rejection::Rejection};
use serde_json::Value;

use super::{
    Actor, Answer,
    change::{self, hide},
    failed, query, react, status,
};
use crate::{app::App, dialect::view::reply};

pub(super) fn apply(app: &App, actor: &Actor, id: MessageId, answer: Answer) {
    let (task, reader) = (app.clone(), actor.clone());
    query::beside(app, actor, async move { read(&task, &reader, id).await }, answer);
}

/// # Errors
/// `not_found`, also for a message in a conversation of others; `unavailable`.
async fn read(app: &App, actor: &Actor, id: MessageId) -> Result<Value, Rejection> {
    let message = change::current(app, id).await?;
    if !actor.reads_everything() {
        app.membership.authorize(actor.asker()?, &message.conversation).await.map_err(hide)?;
    }
    let logged = app.broker.log_unpersisted(&message.conversation).await;
    let logged = logged.map_err(|error| failed("read the hot log", &error))?;
    let ids = [id];
    let (reactions, statuses) =
        tokio::try_join!(react::of_messages(app, &ids, &logged), status::of(app, &message.conversation))?;
    let none = Reactions::default();
    let reactions = reactions.get(&id).unwrap_or(&none);
    Ok(reply::found(&reply::stored(&message, reactions, statuses.of(&message))))
}
