//! Changing a message: read, decided and written with a compare-and-set, so that the newest state is always one that
//! somebody decided on knowing the state before it.

use parlance_broker::{
    append::{Append, Appended, Object},
    objects::MessageObject,
    replica::Written,
};
use parlance_domain::{
    event::EventKind,
    id::MessageId,
    message::{ChangedMessage, Message, MessageBody},
    rejection::{Code, Rejection},
};

use super::{Actor, Answer, append, conversation, failed, internal, persisted};
use crate::{app::App, dialect::view::reply};

/// How often a change is decided again because another one came first.
const ATTEMPTS: u32 = 16;

/// What a message becomes.
pub(super) struct Change {
    pub(super) kind: EventKind,
    pub(super) body: MessageBody,
}

/// Changes a message as `decide` says of its state, and answers with the message.
pub(super) async fn apply(
    app: &App,
    actor: &Actor,
    id: MessageId,
    decide: impl Fn(&Message) -> Result<Change, Rejection> + Send + Sync,
    answer: Answer,
) {
    match place(app, actor, id, decide).await {
        Ok((message, written)) => append::acknowledge(app, written, reply::sent(&message), answer),
        Err(rejection) => answer(Err(rejection)),
    }
}

/// # Errors
/// `not_found`, also for a message that was taken back or is in a conversation of others; what `decide` refuses;
/// what an append can be refused for.
async fn place(
    app: &App,
    actor: &Actor,
    id: MessageId,
    decide: impl Fn(&Message) -> Result<Change, Rejection> + Send + Sync,
) -> Result<(Message, Option<Written>), Rejection> {
    for _ in 0..ATTEMPTS {
        let message = current(app, id).await?;
        // Whoever may not be in the conversation is not told that there is such a message.
        app.membership.authorize(actor.asker()?, &message.conversation).await.map_err(hide)?;
        if message.deleted_at.is_some() {
            return Err(unknown());
        }
        let Change { kind, body } = decide(&message)?;
        let changed = message.changed(body);
        let append = to_append(app, actor, &message, kind, &changed)?;
        let (appended, written) = append::authorized(app, actor, &append).await?;
        match appended {
            Appended::Stale => {}
            Appended::Now(header) | Appended::Before { header, .. } => {
                return Ok((Message::after(message.conversation, &header, changed), written));
            }
            Appended::Reauthorize(_) | Appended::Overloaded => {
                return Err(internal("an append ended without a place"));
            }
        }
    }
    Err(Code::Unavailable.into())
}

fn to_append(
    app: &App,
    actor: &Actor,
    message: &Message,
    kind: EventKind,
    changed: &ChangedMessage,
) -> Result<Append, Rejection> {
    let id = message.body.id;
    let once = append::once(app, kind, &message.conversation, actor.user_id()?, id.to_string())?;
    let mut fields = vec![("sender", message.body.sender.id.to_string()), ("seq", message.seq.0.to_string())];
    if kind == EventKind::MessageDeleted {
        // Nobody reacts to it any more.
        fields.extend([("deleted", String::from("1")), ("reactions", String::new())]);
    }
    Ok(Append {
        conversation: message.conversation.clone(),
        kind,
        body: serde_json::to_string(changed).map_err(|error| failed("encode a message", &error))?,
        origin: actor.origin(),
        trace: actor.trace.clone(),
        acl: None,
        once,
        object: Some(Object { id: id.into(), expected: Some(message.version), fields }),
    })
}

/// A message in its newest state. One that went with its conversation is not found, whoever still has it.
pub(super) async fn current(app: &App, id: MessageId) -> Result<Message, Rejection> {
    let message = newest(app, id).await?;
    conversation::still_has(app, &message.conversation, message.seq).await?;
    Ok(message)
}

/// Redis knows which state is the newest while Postgres may not have it.
async fn newest(app: &App, id: MessageId) -> Result<Message, Rejection> {
    let object = app.broker.object(id).await.map_err(|error| failed("read an object", &error))?;
    let Some(object) = object else {
        return stored(app, id).await?.ok_or_else(unknown);
    };
    if let Some(message) = logged(app, &object).await? {
        return Ok(message);
    }
    if let Some(message) = stored(app, id).await?.filter(|message| message.version >= object.version) {
        return Ok(message);
    }
    // The hot log was emptied when Redis had been away, before Postgres had everything.
    persisted::wait(app, &object.place.conversation).await?;
    stored(app, id).await?.ok_or_else(unknown)
}

/// The state that the object speaks of, when the hot log still has it.
async fn logged(app: &App, object: &MessageObject) -> Result<Option<Message>, Rejection> {
    let after = object.version.rev.saturating_sub(1);
    let logged = app.broker.log_after(&object.place.conversation, after, 1).await;
    let logged = logged.map_err(|error| failed("read the hot log", &error))?;
    let message = logged.into_iter().find_map(|envelope| envelope.event.into_message());
    Ok(message.filter(|message| message.body.id == object.place.id && message.version >= object.version))
}

/// A message as Postgres has it.
pub(super) async fn stored(app: &App, id: MessageId) -> Result<Option<Message>, Rejection> {
    app.store.message(id).await.map_err(|error| failed("read a message", &error))
}

pub(super) fn unknown() -> Rejection {
    Rejection::with(Code::NotFound, "there is no such message")
}

pub(super) fn hide(rejection: Rejection) -> Rejection {
    if rejection.code == Code::NotAParticipant { unknown() } else { rejection }
}
