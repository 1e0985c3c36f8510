//! The commands around conversations and their participants.

use std::collections::HashSet;

use serde_json::Value;

use crate::{
    command::{Fields, limit},
    conversation::{MAX_PARTICIPANTS_A_COMMAND, ParticipantRole, Title},
    id::{ConversationId, UserId},
    message::Metadata,
    rejection::Rejection,
    version::Version,
};

/// How many conversations one resume names at the most.
pub const MAX_RESUMED: usize = 200;
/// How many conversations or participants one page has.
pub const MAX_LIST_LIMIT: u64 = 100;
const DEFAULT_LIST_LIMIT: u64 = 50;

/// `conversation.join`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinConversation {
    /// Which.
    pub conversation: ConversationId,
    /// Whether the socket then leaves every other.
    pub exclusive: bool,
}

/// `conversation.create`.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateConversation {
    /// Its id; one is made when there is none.
    pub id: Option<ConversationId>,
    /// Its name.
    pub title: Option<Title>,
    /// The application's own fields.
    pub metadata: Metadata,
    /// Who takes part, as what; each once.
    pub participants: Vec<(UserId, ParticipantRole)>,
}

/// `conversation.update`: what is left out stays as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct UpdateConversation {
    /// Which.
    pub conversation: ConversationId,
    /// Its new name; `Some(None)` takes the name away.
    pub title: Option<Option<Title>>,
    /// The application's own fields, all of them.
    pub metadata: Option<Metadata>,
}

/// `participant.add`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddParticipant {
    /// Where.
    pub conversation: ConversationId,
    /// Who.
    pub user: UserId,
    /// As what; left out, what he is already, else `member`.
    pub role: Option<ParticipantRole>,
}

/// `conversation.list`: a user's conversations, those with the newest messages first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListConversations {
    /// Whose, when a backend asks; a user asks for his own.
    pub user: Option<UserId>,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// At most this many.
    pub limit: u64,
}

/// `participant.list`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListParticipants {
    /// Of which conversation.
    pub conversation: ConversationId,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// At most this many.
    pub limit: u64,
}

/// `session.resume`: joins conversations again, from the last event that the client has of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume {
    /// Each conversation with the client's epoch and offset in it.
    pub conversations: Vec<(ConversationId, Version)>,
}

impl CreateConversation {
    pub(super) fn parse(fields: &mut Fields) -> Result<Self, Rejection> {
        Ok(Self {
            id: fields.optional("id")?,
            title: fields.text("title")?.map(Title::new).transpose()?,
            metadata: Metadata::new(fields.object("metadata")?.unwrap_or_default())?,
            participants: participants(fields.list("participants")?)?,
        })
    }
}

fn participants(list: Option<Vec<Value>>) -> Result<Vec<(UserId, ParticipantRole)>, Rejection> {
    let items = list.ok_or_else(|| Rejection::invalid("participants", "is missing"))?;
    if items.len() > MAX_PARTICIPANTS_A_COMMAND {
        let problem = "names more than 1000 users; add the others one by one";
        return Err(Rejection::invalid("participants", problem));
    }
    let mut known = HashSet::new();
    let mut participants = Vec::with_capacity(items.len());
    for (place, item) in items.into_iter().enumerate() {
        let (user, role) = participant(&format!("participants[{place}]"), item)?;
        if known.insert(user.clone()) {
            participants.push((user, role));
        }
    }
    Ok(participants)
}

/// `"<user id>"` or `{"id": "<user id>", "role": "<role>"}`.
fn participant(field: &str, item: Value) -> Result<(UserId, ParticipantRole), Rejection> {
    let user = |text: String| UserId::new(text).map_err(|problem| Rejection::invalid(field, problem));
    match item {
        Value::String(id) => Ok((user(id)?, ParticipantRole::default())),
        Value::Object(item) => {
            let mut item = Fields::new(item);
            let id = item.text("id")?.ok_or_else(|| Rejection::invalid(field, "has no id"))?;
            let role = item.text("role")?.map(|role| ParticipantRole::new(&role)).transpose()?;
            match item.rest() {
                Some(unknown) => Err(Rejection::invalid(field, format!("has an unknown field {unknown:?}"))),
                None => Ok((user(id)?, role.unwrap_or_default())),
            }
        }
        _ => Err(Rejection::invalid(field, "is no text")),
    }
}

impl JoinConversation {
    pub(super) fn parse(fields: &mut Fields) -> Result<Self, Rejection> {
        let conversation = fields.required("conversation")?;
        Ok(Self { conversation, exclusive: fields.flag("exclusive")?.unwrap_or_default() })
    }
}

impl UpdateConversation {
    pub(super) fn parse(fields: &mut Fields) -> Result<Self, Rejection> {
        let title = match fields.take_nullable("title") {
            None => None,
            Some(Value::Null) => Some(None),
            Some(Value::String(title)) => Some(Some(Title::new(title)?)),
            Some(_) => return Err(Rejection::invalid("title", "is no text")),
        };
        let metadata = fields.object("metadata")?.map(Metadata::new).transpose()?;
        if title.is_none() && metadata.is_none() {
            return Err(Rejection::invalid("title", "or metadata is missing"));
        }
        Ok(Self { conversation: fields.required("conversation")?, title, metadata })
    }
}

impl AddParticipant {
    pub(super) fn parse(fields: &mut Fields) -> Result<Self, Rejection> {
        Ok(Self {
            conversation: fields.required("conversation")?,
            user: fields.required("user")?,
            role: fields.text("role")?.map(|role| ParticipantRole::new(&role)).transpose()?,
        })
    }
}

impl ListConversations {
    pub(super) fn parse(fields: &mut Fields) -> Result<Self, Rejection> {
        Ok(Self {
            user: fields.optional("user")?,
            cursor: fields.text("cursor")?,
            limit: limit(fields, DEFAULT_LIST_LIMIT, MAX_LIST_LIMIT)?,
        })
    }
}

impl ListParticipants {
    pub(super) fn parse(fields: &mut Fields) -> Result<Self, Rejection> {
        Ok(Self {
            conversation: fields.required("conversation")?,
            cursor: fields.text("cursor")?,
            limit: limit(fields, DEFAULT_LIST_LIMIT, MAX_LIST_LIMIT)?,
        })
    }
}

impl Resume {
    pub(super) fn parse(fields: &mut Fields) -> Result<Self, Rejection> {
        let missing = || Rejection::invalid("conversations", "is missing");
        let named = fields.object("conversations")?.ok_or_else(missing)?;
        if named.len() > MAX_RESUMED {
            return Err(Rejection::invalid("conversations", "are more than 200"));
        }
        let position = |(id, position): (String, Value)| {
            let field = format!("conversations.{id}");
            let id =
                ConversationId::new(&id).map_err(|problem| Rejection::invalid("conversations", problem))?;
            let Value::Object(position) = position else {
                return Err(Rejection::invalid(&field, "is no object"));
            };
            let mut position = Fields::new(position);
            let mut number = |name: &str| {
                position.number(name)?.ok_or_else(|| Rejection::invalid(&field, format!("has no {name}")))
            };
            Ok((id, Version::new(number("epoch")?, number("offset")?)))
        };
        Ok(Self { conversations: named.into_iter().map(position).collect::<Result<_, _>>()? })
    }
}
