//! Making a conversation: from nothing, of one that appeared by being used, and of an id that was deleted.

use std::collections::{BTreeMap, HashSet};

use parlance_domain::{
    conversation::{Conversation, ParticipantRole, Title},
    event::EventKind,
    id::{ConversationId, SessionId, UserId},
    message::Metadata,
};
use sqlx::{PgConnection, query_as, query_scalar, types::Json};

use super::read;
use crate::{error::StoreError, outbox, row, store::Store};

/// What a conversation shall be.
#[derive(Debug, Clone)]
pub struct NewConversation {
    /// Its id.
    pub id: ConversationId,
    /// Its name, if it has one.
    pub title: Option<Title>,
    /// The application's own fields.
    pub metadata: Metadata,
    /// Who takes part, as what; of one who is named twice the first counts.
    pub participants: Vec<(UserId, ParticipantRole)>,
}

/// What became of a command to create a conversation.
#[derive(Debug, Clone, PartialEq)]
pub enum Creation {
    /// It is there now, and its event waits in the outbox.
    Created(Conversation),
    /// It was there already, with the same title, fields and participants in the same roles.
    Exists(Conversation),
    /// It was there already and is different.
    Conflict,
}

impl Store {
    /// Creates a conversation with its participants, and puts its event in the outbox: call
    /// [`Store::flush_outbox`] next. One that appeared by being used becomes a created one; it, and one that was
    /// deleted, keeps its numbers.
    ///
    /// # Errors
    /// As every query.
    pub async fn create_conversation(
        &self,
        new: &NewConversation,
        origin: Option<&SessionId>,
    ) -> Result<Creation, StoreError> {
        self.transaction("create_conversation", async |connection| {
            let id: Option<String> = query_scalar(CREATE)
                .bind(new.id.as_str())
                .bind(new.title.as_ref().map(Title::as_str))
                .bind(Json(&new.metadata))
                .fetch_optional(&mut *connection)
                .await?;
            if id.is_none() {
                return compare(connection, new).await;
            }
            enrol(connection, new).await?;
            let Some(stored) = read(connection, &new.id).await? else {
                return Err(StoreError::Unexpected(String::from(
                    "a conversation that was inserted is not there",
                )));
            };
            let conversation = stored.conversation;
            outbox::enqueue(connection, &new.id, EventKind::ConversationCreated, &conversation, origin)
                .await?;
            Ok(Creation::Created(conversation))
        })
        .await
    }
}

async fn enrol(connection: &mut PgConnection, new: &NewConversation) -> Result<(), StoreError> {
    let mut seen = HashSet::new();
    let (users, roles): (Vec<&str>, Vec<&str>) = new
        .participants
        .iter()
        .filter(|(user, _)| seen.insert(user))
        .map(|(user, role)| (user.as_str(), role.as_str()))
        .unzip();
    sqlx::query(ENROL).bind(new.id.as_str()).bind(&users).bind(&roles).execute(connection).await?;
    Ok(())
}

async fn compare(connection: &mut PgConnection, new: &NewConversation) -> Result<Creation, StoreError> {
    let mut wanted: BTreeMap<&str, &str> = BTreeMap::new();
    for (user, role) in &new.participants {
        wanted.entry(user.as_str()).or_insert(role.as_str());
    }
    let members: Vec<(String, String)> = query_as(MEMBERS)
        .bind(new.id.as_str())
        .bind(row::signed(wanted.len() as u64 + 1))
        .fetch_all(&mut *connection)
        .await?;
    let members: BTreeMap<&str, &str> =
        members.iter().map(|(user, role)| (user.as_str(), role.as_str())).collect();
    let stored = read(connection, &new.id).await?.map(|stored| stored.conversation);
    Ok(match stored {
        Some(stored) if stored.title == new.title && stored.metadata == new.metadata && members == wanted => {
            Creation::Exists(stored)
        }
        _ => Creation::Conflict,
    })
}

/// Answers nothing when somebody created it before. Either way the row is locked from here on.
const CREATE: &str = "
    INSERT INTO conversations AS c (id, title, metadata, created_at)
    VALUES ($1, $2, $3, date_trunc('milliseconds', now()))
    ON CONFLICT (id) DO UPDATE SET title = EXCLUDED.title, metadata = EXCLUDED.metadata,
        created_at = EXCLUDED.created_at, updated_at = NULL, deleted_at = NULL
    WHERE c.created_at IS NULL
    RETURNING id";

/// Rows of former members and of cursors become members again; their cursors stay. They joined in the order in which they
/// are named; rows are locked in the order of the bytes, as by the worker.
const ENROL: &str = "
    INSERT INTO participants AS p (conversation_id, user_id, role, joined_at)
    SELECT $1, wanted.member, wanted.role, now() + wanted.place * interval '1 microsecond'
    FROM UNNEST($2::text[], $3::text[]) WITH ORDINALITY AS wanted (member, role, place)
    ORDER BY wanted.member COLLATE \"C\"
    ON CONFLICT (conversation_id, user_id) DO UPDATE SET role = EXCLUDED.role, left_at = NULL,
        joined_at = CASE WHEN p.left_at IS NULL THEN p.joined_at ELSE EXCLUDED.joined_at END";

const MEMBERS: &str = "
    SELECT user_id, role FROM participants WHERE conversation_id = $1 AND left_at IS NULL LIMIT $2";
