//! Somebody comes, becomes something else, or goes. The conversation's row is locked meanwhile, so that of two changes
//! the event of the first is appended first.

use parlance_domain::{
    conversation::{ParticipantChange, ParticipantRole},
    event::EventKind,
    id::{ConversationId, SessionId, UserId},
    user::Profile,
};
use sqlx::{PgConnection, query_as, query_scalar};

use super::participant_role;
use crate::{conversation::lock, error::StoreError, outbox, store::Store, user};

/// Somebody who was made to take part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// Who, and as what.
    pub participant: ParticipantChange,
    /// Whether they did not take part before.
    pub is_new: bool,
    /// Whether anything changed, so that an event waits in the outbox.
    pub changed: bool,
}

/// What became of a command to remove a participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It is done, and its event waits in the outbox.
    Done,
    /// They did not take part.
    Nothing,
    /// There is no such conversation.
    NoConversation,
}

impl Store {
    /// Makes somebody take part, or gives a participant another role, and puts the event in the outbox: call
    /// [`Store::flush_outbox`] next. Without a role a participant stays what he is, and somebody new is a `member`.
    /// `None` when there is no such conversation.
    ///
    /// # Errors
    /// As every query.
    pub async fn add_participant(
        &self,
        conversation: &ConversationId,
        user: &UserId,
        role: Option<&ParticipantRole>,
        origin: Option<&SessionId>,
    ) -> Result<Option<Added>, StoreError> {
        self.transaction("add_participant", async |connection| {
            if !lock(connection, conversation).await? {
                return Ok(None);
            }
            let current: Option<String> = query_scalar(ROLE)
                .bind(conversation.as_str())
                .bind(user.as_str())
                .fetch_optional(&mut *connection)
                .await?;
            let is_new = current.is_none();
            let current = current.map(|role| participant_role(&role)).transpose()?;
            let wanted = role.or(current.as_ref()).cloned().unwrap_or_default();
            let changed = current.as_ref() != Some(&wanted);
            let participant =
                ParticipantChange { participant: profile(connection, user).await?, role: wanted };
            if changed {
                sqlx::query(ADD)
                    .bind(conversation.as_str())
                    .bind(user.as_str())
                    .bind(participant.role.as_str())
                    .execute(&mut *connection)
                    .await?;
                let kind = EventKind::ParticipantAdded;
                outbox::enqueue(connection, conversation, kind, &participant, origin).await?;
            }
            Ok(Some(Added { participant, is_new, changed }))
        })
        .await
    }

    /// Makes somebody take part no longer, and puts the event in the outbox: call [`Store::flush_outbox`] next.
    ///
    /// # Errors
    /// As every query.
    pub async fn remove_participant(
        &self,
        conversation: &ConversationId,
        user: &UserId,
        origin: Option<&SessionId>,
    ) -> Result<Removal, StoreError> {
        self.transaction("remove_participant", async |connection| {
            if !lock(connection, conversation).await? {
                return Ok(Removal::NoConversation);
            }
            let role: Option<(String,)> = query_as(REMOVE)
                .bind(conversation.as_str())
                .bind(user.as_str())
                .fetch_optional(&mut *connection)
                .await?;
            let Some((role,)) = role else {
                return Ok(Removal::Nothing);
            };
            let participant = profile(connection, user).await?;
            let change = ParticipantChange { participant, role: participant_role(&role)? };
            outbox::enqueue(connection, conversation, EventKind::ParticipantRemoved, &change, origin).await?;
            Ok(Removal::Done)
        })
        .await
    }
}

async fn profile(connection: &mut PgConnection, user: &UserId) -> Result<Profile, StoreError> {
    let known = user::profiles(connection, std::slice::from_ref(user)).await?;
    Ok(known.into_iter().next().unwrap_or_else(|| Profile::unknown(user.clone())))
}

const ROLE: &str = "
    SELECT role FROM participants WHERE conversation_id = $1 AND user_id = $2 AND left_at IS NULL";

const ADD: &str = "
    INSERT INTO participants AS p (conversation_id, user_id, role, joined_at) VALUES ($1, $2, $3, now())
    ON CONFLICT (conversation_id, user_id) DO UPDATE SET
        role = EXCLUDED.role, left_at = NULL,
        joined_at = CASE WHEN p.left_at IS NULL THEN p.joined_at ELSE EXCLUDED.joined_at END";

const REMOVE: &str = "
    UPDATE participants SET left_at = now()
    WHERE conversation_id = $1 AND user_id = $2 AND left_at IS NULL RETURNING role";
