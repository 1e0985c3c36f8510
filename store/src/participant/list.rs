//! Pages of those who take part, in the order of their ids: so a page costs the same in a conversation of any size.

use chrono::{DateTime, Utc};
use parlance_domain::{
    conversation::ParticipantRole,
    id::{ConversationId, UserId},
    time::Timestamp,
    user::Profile,
    version::Seq,
};
use sqlx::query_as;

use super::participant_role;
use crate::{error::StoreError, row, store::Store};

/// Somebody who takes part, with everything that is known of that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedParticipant {
    /// Who.
    pub participant: Profile,
    /// As what.
    pub role: ParticipantRole,
    /// Since when.
    pub joined_at: Option<Timestamp>,
    /// Up to where messages were delivered to them, as far as it is stored.
    pub delivered: Seq,
    /// Up to where they have read, as far as it is stored.
    pub read: Seq,
}

impl Store {
    /// Those who take part, after the one with the id `after`, at most `limit`. Nobody takes part in a conversation that
    /// is not there.
    ///
    /// # Errors
    /// As every query.
    pub async fn participants(
        &self,
        conversation: &ConversationId,
        after: Option<&UserId>,
        limit: u64,
    ) -> Result<Vec<ListedParticipant>, StoreError> {
        let rows: Vec<ListedRow> = self
            .run("participants", async |connection| {
                Ok(query_as(LIST)
                    .bind(conversation.as_str())
                    .bind(after.map(UserId::as_str).unwrap_or_default())
                    .bind(row::signed(limit))
                    .fetch_all(connection)
                    .await?)
            })
            .await?;
        rows.into_iter().map(ListedRow::participant).collect()
    }
}

#[derive(sqlx::FromRow)]
struct ListedRow {
    user_id: String,
    name: Option<String>,
    avatar: Option<String>,
    role: Option<String>,
    participant_role: String,
    joined_at: Option<DateTime<Utc>>,
    delivered_seq: i64,
    read_seq: i64,
}

impl ListedRow {
    fn participant(self) -> Result<ListedParticipant, StoreError> {
        Ok(ListedParticipant {
            participant: row::profile(
                "participants.user_id",
                self.user_id,
                self.name,
                self.avatar,
                self.role,
            )?,
            role: participant_role(&self.participant_role)?,
            joined_at: self.joined_at.map(Timestamp::from),
            delivered: row::seq(self.delivered_seq),
            read: row::seq(self.read_seq),
        })
    }
}

/// No id is empty, so the first page comes after the empty text.
const LIST: &str = "
    SELECT p.user_id, u.name, u.avatar, u.role, p.role AS participant_role, p.joined_at, p.delivered_seq, p.read_seq
    FROM participants p LEFT JOIN users u ON u.id = p.user_id
    WHERE p.conversation_id = $1 AND p.user_id > $2 AND p.left_at IS NULL ORDER BY p.user_id LIMIT $3";
