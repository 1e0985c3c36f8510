//! Changing a message: read, decided and written with a compare-and-set, so that the newest state is always one that
//! somebody decided on knowing the state before it.

use std::time::Duration;

use parlance_broker::{
    append::{Append, Appended, Object, Once},
    replica::Written,
};
use parlance_domain::{
    event::EventKind,
    id::{ClientId, MessageId},
    message::{ChangedMessage, Message, MessageBody},
    rejection::{Code, Rejection},
};

use super::{Actor, Answer, append, failed, internal};
use crate::{app::App, dialect::view::reply};

/// How often a change is decided again because another one came first.
const ATTEMPTS: u32 = 16;
/// How long an append of a change is recognised, which only the gateway itself repeats.
const KEEP: Duration = Duration::from_secs(60);

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
        app.membership.authorize(actor.user_id()?, &message.conversation).await.map_err(hide)?;
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
    let attempt = ClientId::new(format!("{:032x}", rand::random::<u128>()));
    let attempt = attempt.map_err(|error| failed("name a change", &error))?;
    let key = app.broker.keys().once(kind.as_str(), &message.conversation, actor.user_id()?, &attempt);
    Ok(Append {
        conversation: message.conversation.clone(),
        kind,
        body: serde_json::to_string(changed).map_err(|error| failed("encode a message", &error))?,
        origin: actor.origin(),
        acl: None,
        once: Once { key, keep: KEEP, mark: id.to_string() },
        object: Some(Object {
            id,
            expected: Some(message.version),
            fields: vec![("sender", message.body.sender.id.to_string()), ("seq", message.seq.0.to_string())],
        }),
    })
}

/// A message in its newest state: Redis knows which that is while Postgres may not have it.
pub(super) async fn current(app: &App, id: MessageId) -> Result<Message, Rejection> {
    let object = app.broker.object(id).await.map_err(|error| failed("read an object", &error))?;
    if let Some(object) = object {
        let after = object.version.rev.saturating_sub(1);
        let logged = app.broker.log_after(&object.place.conversation, after, 1).await;
        let logged = logged.map_err(|error| failed("read the hot log", &error))?;
        let message = logged.into_iter().find_map(|envelope| envelope.event.into_message());
        if let Some(message) = message.filter(|message| message.body.id == id) {
            return Ok(message);
        }
    }
    let stored = app.store.message(id).await.map_err(|error| failed("read a message", &error))?;
    stored.ok_or_else(unknown)
}

fn unknown() -> Rejection {
    Rejection::with(Code::NotFound, "there is no such message")
}

fn hide(rejection: Rejection) -> Rejection {
    if rejection.code == Code::NotAParticipant { unknown() } else { rejection }
}
