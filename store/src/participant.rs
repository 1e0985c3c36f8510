//! Who takes part in a conversation. The rows here are the truth of membership; events only say that it changed.

mod change;
mod list;

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use parlance_domain::{
    conversation::ParticipantRole,
    id::{ConversationId, UserId},
    time::Timestamp,
    user::Profile,
    version::Version,
};
use sqlx::{query_as, query_scalar};

pub use change::{Added, Removal};
pub use list::ListedParticipant;

use crate::{error::StoreError, row, store::Store};

/// Somebody who takes part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub user: UserId,
    /// As what, in the application's words; `member` when it did not say.
    pub role: String,
}

/// Somebody's membership after it was last changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParticipantState {
    /// Who.
    pub participant: Profile,
    /// As what.
    pub role: ParticipantRole,
    /// Whether they take part now.
    pub member: bool,
    /// The event that announced the change.
    pub version: Version,
    /// When they joined or left.
    pub at: Timestamp,
}

impl Store {
    /// Who takes part, earliest first; `None` when there is no such conversation.
    ///
    /// # Errors
    /// As every query.
    pub async fn members(&self, conversation: &ConversationId) -> Result<Option<Vec<Member>>, StoreError> {
        let rows: Vec<(Option<String>, Option<String>)> = self
            .run("members", async |connection| {
                Ok(query_as(MEMBERS).bind(conversation.as_str()).fetch_all(connection).await?)
            })
            .await?;
        if rows.is_empty() {
            return Ok(None);
        }
        // A conversation without members answers one row of nulls.
        let member = |(user, role): (Option<String>, Option<String>)| {
            Some(
                row::text("participants.user_id", user?)
                    .map(|user| Member { user, role: role.unwrap_or_default() }),
            )
        };
        rows.into_iter().filter_map(member).collect::<Result<_, _>>().map(Some)
    }

    /// As what somebody takes part; `None` when he does not, also because there is no such conversation.
    ///
    /// # Errors
    /// As every query.
    pub async fn member_role(
        &self,
        conversation: &ConversationId,
        user: &UserId,
    ) -> Result<Option<ParticipantRole>, StoreError> {
        let role: Option<String> = self
            .run("member_role", async |connection| {
                Ok(query_scalar(MEMBER_ROLE)
                    .bind(conversation.as_str())
                    .bind(user.as_str())
                    .fetch_optional(connection)
                    .await?)
            })
            .await?;
        role.as_deref().map(participant_role).transpose()
    }

    /// Those of some users who take part now; nobody takes part in a conversation that is not there.
    ///
    /// # Errors
    /// As every query.
    pub async fn members_among(
        &self,
        conversation: &ConversationId,
        users: &[UserId],
    ) -> Result<HashSet<UserId>, StoreError> {
        let users: Vec<&str> = users.iter().map(UserId::as_str).collect();
        let members: Vec<String> = self
            .run("members_among", async |connection| {
                Ok(query_scalar(AMONG).bind(conversation.as_str()).bind(&users).fetch_all(connection).await?)
            })
            .await?;
        members.into_iter().map(|user| row::text("participants.user_id", user)).collect()
    }

    /// The memberships that changed after `since`, oldest change first, each in its state now: `limit` of them, and
    /// those that the same event announced as the last one (a creation announces all participants at once).
    ///
    /// # Errors
    /// As every query.
    pub async fn participants_since(
        &self,
        conversation: &ConversationId,
        since: Version,
        limit: u64,
    ) -> Result<Vec<ParticipantState>, StoreError> {
        let rows: Vec<ParticipantRow> = self
            .run("participants_since", async |connection| {
                Ok(query_as(SINCE)
                    .bind(conversation.as_str())
                    .bind(row::signed(since.epoch))
                    .bind(row::signed(since.rev))
                    .bind(row::signed(limit))
                    .fetch_all(connection)
                    .await?)
            })
            .await?;
        rows.into_iter().map(ParticipantRow::state).collect()
    }
}

pub(crate) fn participant_role(word: &str) -> Result<ParticipantRole, StoreError> {
    ParticipantRole::new(word)
        .map_err(|problem| StoreError::Unexpected(format!("participants.role {word:?}: {problem}")))
}

#[derive(sqlx::FromRow)]
struct ParticipantRow {
    user_id: String,
    name: Option<String>,
    avatar: Option<String>,
    role: Option<String>,
    participant_role: String,
    joined_at: Option<DateTime<Utc>>,
    left_at: Option<DateTime<Utc>>,
    epoch: i64,
    rev: i64,
}

impl ParticipantRow {
    fn state(self) -> Result<ParticipantState, StoreError> {
        Ok(ParticipantState {
            participant: row::profile(
                "participants.user_id",
                self.user_id,
                self.name,
                self.avatar,
                self.role,
            )?,
            role: participant_role(&self.participant_role)?,
            member: self.left_at.is_none(),
            version: row::version(self.epoch, self.rev),
            at: row::time(self.left_at.or(self.joined_at)),
        })
    }
}

const MEMBERS: &str = "
    SELECT p.user_id, p.role FROM conversations c
    LEFT JOIN participants p ON p.conversation_id = c.id AND p.left_at IS NULL
    WHERE c.id = $1 ORDER BY p.joined_at, p.user_id";

const MEMBER_ROLE: &str = "
    SELECT p.role FROM conversations c JOIN participants p ON p.conversation_id = c.id
    WHERE c.id = $1 AND p.user_id = $2 AND p.left_at IS NULL";

const AMONG: &str = "
    SELECT user_id FROM participants WHERE conversation_id = $1 AND user_id = ANY($2) AND left_at IS NULL";

const SINCE: &str = "
    SELECT p.user_id, u.name, u.avatar, u.role, p.role AS participant_role, p.joined_at, p.left_at, p.epoch, p.rev
    FROM participants p LEFT JOIN users u ON u.id = p.user_id
    WHERE p.conversation_id = $1 AND (p.epoch, p.rev) > ($2, $3) ORDER BY p.epoch, p.rev FETCH FIRST ($4) ROWS WITH TIES";
