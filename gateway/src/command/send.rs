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
    event::{Event, EventKind},
    id::{ClientId, ConversationId, MessageId},
    message::{Message, MessageBody, Place},
    rejection::Rejection,
};

use super::{
    Actor, Answer, append,
    change::{self, unknown},
    failed, internal, typing,
};
use crate::{
    app::App,
    dialect::{EventName, view::reply},
};

/// How long a repeated `client_id` is recognised.
const KEEP: Duration = Duration::from_secs(600);

pub(super) async fn apply(app: &App, actor: &Actor, send: SendMessage, answer: Answer) {
    match place(app, actor, send).await {
        Ok((message, written)) => {
            append::acknowledge(app, written, reply::sent(&message), answer);
            typing::sent(app, actor, &message.conversation).await;
        }
        Err(rejection) => answer(Err(rejection)),
    }
}

async fn place(app: &App, actor: &Actor, send: SendMessage) -> Result<(Message, Option<Written>), Rejection> {
    let profile = actor.profile()?;
    if !actor.service {
        app.limits.send(&profile.id)?;
    }
    let SendMessage { conversation, content, kind, client_id, reply_to, attachments, metadata } = send;
    let standing = app.membership.standing(actor.asker()?, &conversation).await?;
    let profile = standing.profile(profile);
    let id = app.new_message_id(conversation.as_str());
    let (once_id, keep) = match &client_id {
        Some(client_id) => (client_id.clone(), KEEP),
        None => (own_client_id(id)?, append::KEEP_OWN),
    };
    let key = app.broker.keys().once("message.send", &conversation, &profile.id, &once_id);
    let once = Once { key, keep, mark: id.to_string() };
    // Which clients are told is decided where they are; here only that somebody may be.
    let notify = app.dialects.strongest_notify();
    let tells_activity = app.dialects.speak_of(EventName::ConversationActivity);
    let body = MessageBody {
        id,
        sender: profile,
        kind,
        content,
        attachments,
        metadata,
        reply_to,
        client_id,
        notify,
        tells_activity,
    };
    let append = Append {
        conversation,
        kind: EventKind::MessageCreated,
        body: serde_json::to_string(&body).map_err(|error| failed("encode a message", &error))?,
        origin: actor.origin(),
        trace: actor.trace.clone(),
        acl: standing.acl,
        once,
        object: Some(Object {
            id: id.into(),
            expected: None,
            fields: vec![("sender", body.sender.id.to_string())],
        }),
    };
    let (appended, written) = if may_be_appended(app, &append, &body).await? {
        append::authorized(app, actor, &append).await?
    } else {
        // What was sent when the other message was still there is answered all the same.
        append::before(app, &append).await?.ok_or_else(unknown)?
    };
    let message = match appended {
        Appended::Before { mark, header } => first(app, &append.conversation, &mark, &header).await?,
        Appended::Now(header) => Message::created(append.conversation, &header, body),
        Appended::Reauthorize(_) | Appended::Stale | Appended::Overloaded => {
            return Err(internal("an append ended without a place"));
        }
    };
    Ok((message, written))
}

/// Whether the message that it answers, if it answers one, is there. Who asks takes part: nobody else is told of messages.
async fn may_be_appended(app: &App, append: &Append, body: &MessageBody) -> Result<bool, Rejection> {
    let Some(answered) = body.reply_to else { return Ok(true) };
    is_there(app, answered, &append.conversation).await
}

/// Whether there is such a message in the conversation, which was not taken back and did not go when that was deleted.
async fn is_there(app: &App, id: MessageId, conversation: &ConversationId) -> Result<bool, Rejection> {
    let object = app.broker.object(id).await.map_err(|error| failed("read an object", &error))?;
    let deleted = app.broker.deleted_seq(conversation).await;
    let deleted = deleted.map_err(|error| failed("read what was deleted", &error))?;
    if let Some(object) = object {
        let Place { conversation: place, seq, .. } = object.place;
        return Ok(place == *conversation && seq > deleted && !object.deleted);
    }
    let stored = change::stored(app, id).await?;
    let fits = |message: Message| {
        message.conversation == *conversation && message.seq > deleted && message.deleted_at.is_none()
    };
    Ok(stored.is_some_and(fits))
}

/// Even a message without a `client_id` is recognised when only the answer of Redis was lost.
fn own_client_id(id: MessageId) -> Result<ClientId, Rejection> {
    ClientId::new(id.to_string()).map_err(|error| failed("name a message", &error))
}

/// The message that a repeated command made the first time: in the hot log while it is new, then in Postgres.
async fn first(
    app: &App,
    conversation: &ConversationId,
    mark: &str,
    header: &Header,
) -> Result<Message, Rejection> {
    let id: MessageId = mark.parse().map_err(|error| failed("read a kept reply", &error))?;
    let log = app
        .broker
        .log_after(conversation, header.version.rev.saturating_sub(1), 1)
        .await
        .map_err(|error| failed("read the hot log", &error))?;
    let logged = log.into_iter().find_map(|envelope| match envelope.event {
        Event::MessageCreated(message) if message.body.id == id => Some(*message),
        _ => None,
    });
    if let Some(message) = logged {
        return Ok(message);
    }
    let stored = change::stored(app, id).await?;
    stored.ok_or_else(|| internal("the first message of this client id is not found"))
}
