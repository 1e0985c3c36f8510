//! `message.send`: the message gets its place in the conversation; when the answer is there, the message is in the
//! stream that the worker persists, and, at the acknowledgement level `replica`, on a replica too.

use std::time::Duration;

use parlance_broker::{
    append::{Append, Appended, Object, Once},
    replica::Written,
};
use parlance_domain::{
    command::SendMessage,
    entry::Header,
    event::EventKind,
    id::{ClientId, MessageId},
    message::{Message, MessageBody},
    rejection::Rejection,
};

use super::{Actor, Answer, append, failed, internal};
use crate::{app::App, dialect::view::reply};

/// How long a repeated `client_id` is recognised.
const KEEP: Duration = Duration::from_secs(600);
/// How long a message without one is recognised, which only the gateway itself repeats.
const KEEP_OWN: Duration = Duration::from_secs(60);

pub(super) async fn apply(app: &App, actor: &Actor, send: SendMessage, answer: Answer) {
    match place(app, actor, send).await {
        Ok((message, written)) => append::acknowledge(app, written, reply::sent(&message), answer),
        Err(rejection) => answer(Err(rejection)),
    }
}

async fn place(app: &App, actor: &Actor, send: SendMessage) -> Result<(Message, Option<Written>), Rejection> {
    let profile = actor.profile()?.clone();
    let SendMessage { conversation, content, kind, client_id, reply_to, attachments, metadata } = send;
    let id = app.new_message_id(conversation.as_str());
    let (once_id, keep) = match &client_id {
        Some(client_id) => (client_id.clone(), KEEP),
        None => (own_client_id(id)?, KEEP_OWN),
    };
    let once = app.broker.keys().once("message.send", &conversation, &profile.id, &once_id);
    let notify = parlance_domain::notification::NotifyPolicy::Never; // UNFINISHED: the dialect says
    let body =
        MessageBody { id, sender: profile, kind, content, attachments, metadata, reply_to, client_id, notify };
    let append = Append {
        conversation,
        kind: EventKind::MessageCreated,
        body: serde_json::to_string(&body).map_err(|error| failed("encode a message", &error))?,
        origin: actor.origin(),
        acl: None,
        once: Once { key: once, keep, mark: id.to_string() },
        object: Some(Object { id: id.into(), expected: None, fields: vec![("sender", body.sender.id.to_string())] }),
    };
    let (appended, written) = append::authorized(app, actor, &append).await?;
    let message = match appended {
        Appended::Before { mark, header } => first(app, &append, &mark, &header).await?,
        Appended::Now(header) => Message::created(append.conversation, &header, body),
        Appended::Reauthorize(_) | Appended::Stale | Appended::Overloaded => {
            return Err(internal("an append ended without a place"));
        }
    };
    Ok((message, written))
}

/// Even a message without a `client_id` is recognised when only the answer of Redis was lost.
fn own_client_id(id: MessageId) -> Result<ClientId, Rejection> {
    ClientId::new(id.to_string()).map_err(|error| failed("name a message", &error))
}

/// The message that a repeated command made the first time: in the hot log while it is new, then in Postgres.
async fn first(app: &App, append: &Append, mark: &str, header: &Header) -> Result<Message, Rejection> {
    let id: MessageId = mark.parse().map_err(|error| failed("read a kept reply", &error))?;
    let log = app
        .broker
        .log_after(&append.conversation, header.version.rev.saturating_sub(1), 1)
        .await
        .map_err(|error| failed("read the hot log", &error))?;
    let logged = log.into_iter().find_map(|envelope| match envelope.event {
        parlance_domain::event::Event::MessageCreated(message) if message.body.id == id => Some(*message),
        _ => None,
    });
    if let Some(message) = logged {
        return Ok(message);
    }
    let stored = app.store.message(id).await.map_err(|error| failed("read a message", &error))?;
    stored.ok_or_else(|| internal("the first message of this client id is not found"))
}
