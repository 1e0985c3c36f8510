//! `reaction.toggle`, `reaction.add` and `reaction.remove`: decided by the append script, in one step with the event, from
//! the reactions that the message's object holds. What Redis does not hold is read from Postgres and handed to it.
//!
//! Reading the reactions to messages is here, too: Postgres, and over it what it may not have yet.

use std::collections::{HashMap, HashSet};

use parlance_broker::{
    append::{
        Append, Object,
        reaction::{Reacted, Reacting, StoredReactions},
    },
    replica::Written,
};
use parlance_domain::{
    command::React,
    entry::Envelope,
    event::{Event, EventKind},
    id::MessageId,
    message::{Message, Place},
    reaction::{MAX_EMOJIS, MAX_REACTIONS, Reactions, Reactor},
    rejection::{Code, Rejection},
    user::Profile,
    version::Version,
};
use parlance_store::reaction::by_emoji;
use serde_json::json;

use super::{
    Actor, Answer, append,
    change::{self, hide, unknown},
    conversation, failed, persisted,
};
use crate::{app::App, dialect::view::reply};

/// How often it is tried again because something has to be read first.
const ATTEMPTS: u32 = 8;

/// Answers with all reactions to the message then, whether something changed or not.
pub(super) async fn apply(app: &App, actor: &Actor, react: React, answer: Answer) {
    match place(app, actor, &react).await {
        Ok((active, reactions, written)) => {
            let reply = reply::reacted(react.message, &react.emoji, active, &reactions);
            append::acknowledge(app, written, reply, answer);
        }
        Err(rejection) => answer(Err(rejection)),
    }
}

/// Whether the reaction is there then, and all reactions.
///
/// # Errors
/// `not_found`, also for a message that was taken back or is in a conversation of others; `limit_reached`; what an
/// append can be refused for.
async fn place(
    app: &App,
    actor: &Actor,
    react: &React,
) -> Result<(bool, Reactions, Option<Written>), Rejection> {
    let profile = actor.profile()?;
    let place = find(app, react.message).await?;
    conversation::still_has(app, &place.conversation, place.seq).await?;
    let mut reacting = to_append(app, actor, profile, &place, react)?;
    for _ in 0..ATTEMPTS {
        // Whoever may not be in the conversation is not told that there is such a message.
        let acl = app.membership.authorize(actor.asker()?, &place.conversation).await.map_err(hide)?;
        reacting.append.acl = acl;
        let (reacted, written) = append::react(app, &reacting).await?;
        match reacted {
            Reacted::Now(_, update) => return Ok((update.active, update.reactions, written)),
            Reacted::Unchanged { active, reactions } => return Ok((active, reactions, written)),
            Reacted::Before { active, .. } => return Ok((active, now(app, &place).await?, written)),
            Reacted::Unloaded { behind } => load(app, &place, behind, &mut reacting).await?,
            Reacted::Reauthorize(_) => app.membership.forget(&place.conversation),
            Reacted::Gone => return Err(unknown()),
            Reacted::LimitReached => return Err(full()),
            Reacted::Overloaded => return Err(Code::Overloaded.into()),
        }
    }
    Err(Code::Unavailable.into())
}

/// Where the message is; `not_found` when it was taken back.
async fn find(app: &App, id: MessageId) -> Result<Place, Rejection> {
    let object = app.broker.object(id).await.map_err(|error| failed("read an object", &error))?;
    match object {
        Some(object) if object.deleted => Err(unknown()),
        Some(object) => Ok(object.place),
        None => {
            let Message { conversation, seq, body, .. } = stored(app, id).await?;
            Ok(Place { id, conversation, seq, sender: body.sender.id })
        }
    }
}

fn to_append(
    app: &App,
    actor: &Actor,
    profile: &Profile,
    place: &Place,
    React { message, emoji, change }: &React,
) -> Result<Reacting, Rejection> {
    let kind = EventKind::ReactionUpdated;
    // The script goes on after the last field.
    let mut body = json!({"message": message, "seq": place.seq, "user": profile, "emoji": emoji}).to_string();
    body.pop();
    body.push(',');
    let append = Append {
        conversation: place.conversation.clone(),
        kind,
        body,
        origin: actor.origin(),
        trace: actor.trace.clone(),
        acl: None,
        once: append::once(app, kind, &place.conversation, &profile.id, String::from("reaction"))?,
        object: Some(Object { id: (*message).into(), expected: None, fields: Vec::new() }),
    };
    let reactor = Reactor { id: profile.id.clone(), name: profile.name.clone() };
    Ok(Reacting { append, change: *change, emoji: emoji.clone(), reactor, stored: None })
}

/// Reads from Postgres what Redis does not know of the message and the reactions to it. Postgres has all of it, or, when
/// Redis is `behind`, has it together with what waits in the stream now.
async fn load(app: &App, place: &Place, behind: bool, reacting: &mut Reacting) -> Result<(), Rejection> {
    if behind {
        persisted::wait(app, &place.conversation).await?;
    }
    let message = stored(app, place.id).await?;
    let found = app.store.reactions(&[place.id]).await;
    let found = found.map_err(|error| failed("read reactions", &error))?.remove(&place.id);
    let found = found.unwrap_or_default();
    let reactions = found.iter().map(|one| (&one.emoji, &one.reactor, one.version));
    reacting.stored = Some(StoredReactions::new(reactions));
    let Version { epoch, rev } = message.version;
    if let Some(object) = &mut reacting.append.object {
        object.fields = vec![
            ("sender", message.body.sender.id.to_string()),
            ("seq", message.seq.0.to_string()),
            ("state", format!("{epoch}:{rev}")),
        ];
    }
    Ok(())
}

/// The message in Postgres; `not_found` when it was taken back.
async fn stored(app: &App, id: MessageId) -> Result<Message, Rejection> {
    let message = change::stored(app, id).await?;
    message.filter(|message| message.deleted_at.is_none()).ok_or_else(unknown)
}

/// The reactions to one message.
async fn now(app: &App, place: &Place) -> Result<Reactions, Rejection> {
    let logged = app.broker.log_unpersisted(&place.conversation).await;
    let logged = logged.map_err(|error| failed("read the hot log", &error))?;
    Ok(of_messages(app, &[place.id], &logged).await?.remove(&place.id).unwrap_or_default())
}

/// The reactions to messages of one conversation: what Postgres has, and over it what it may not have yet. `logged` are
/// the events of the hot log that were not persisted, in any order, read before this is called. Messages without
/// reactions are left out.
///
/// # Errors
/// `unavailable` while Postgres is away.
pub(super) async fn of_messages(
    app: &App,
    messages: &[MessageId],
    logged: &[Envelope],
) -> Result<HashMap<MessageId, Reactions>, Rejection> {
    let logged = newest(logged);
    let asked: HashSet<MessageId> = messages.iter().copied().collect();
    let to_read: Vec<MessageId> = asked.iter().copied().filter(|id| !logged.contains_key(id)).collect();
    let stored = app.store.reactions(&to_read).await;
    let stored = stored.map_err(|error| failed("read reactions", &error))?;
    let stored = stored.into_iter().map(|(id, reactions)| (id, by_emoji(&reactions)));
    let logged = logged.into_iter().filter(|(id, _)| asked.contains(id));
    let logged = logged.map(|(id, (_, reactions))| (id, reactions.cloned().unwrap_or_default()));
    Ok(stored.chain(logged).filter(|(_, reactions)| !reactions.is_empty()).collect())
}

/// The newest that events say of the reactions to each message; a message that was taken back has none. Each update has
/// all of them, so it is the answer as it was when the log was read, whatever Postgres has by now.
fn newest(logged: &[Envelope]) -> HashMap<MessageId, (Version, Option<&Reactions>)> {
    let mut newest: HashMap<MessageId, (Version, Option<&Reactions>)> = HashMap::new();
    for Envelope { header, event, .. } in logged {
        let (id, reactions) = match event {
            Event::ReactionUpdated(update) => (update.message, Some(&update.reactions)),
            Event::MessageCreated(message) | Event::MessageDeleted(message) => (message.body.id, None),
            _ => continue,
        };
        let known = newest.entry(id).or_insert((header.version, reactions));
        if known.0 < header.version {
            *known = (header.version, reactions);
        }
    }
    newest
}

fn full() -> Rejection {
    let text = format!("a message has at most {MAX_EMOJIS} emoji and {MAX_REACTIONS} reactions");
    Rejection::with(Code::LimitReached, text)
}
