//! Reading calls: by id, a page of a conversation's, what is newer than a version, and those that nobody ended in time.

use chrono::{DateTime, Utc};
use parlance_domain::{
    call::{Call, CallParticipant, CallParticipantBody, CallStatus},
    id::{CallId, ConversationId},
    time::Timestamp,
    user::Profile,
    version::Version,
};
use sqlx::{query_as, types::Json};
use uuid::Uuid;

use crate::{error::StoreError, row, store::Store};

/// Which calls should be over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overdue {
    /// Those that have rung since before this.
    pub ringing_since: Timestamp,
    /// Those that were answered before this.
    pub ongoing_since: Timestamp,
}

impl Store {
    /// A call in its state now; `None` when it is not stored.
    ///
    /// # Errors
    /// As every query.
    pub async fn call(&self, id: CallId) -> Result<Option<Call>, StoreError> {
        let row: Option<CallRow> = self
            .run("call", async |connection| {
                Ok(query_as(BY_ID).bind(id.uuid()).fetch_optional(connection).await?)
            })
            .await?;
        row.map(CallRow::call).transpose()
    }

    /// A conversation's calls, newest first, at most `limit`: those before `before`, or the newest.
    ///
    /// # Errors
    /// As every query.
    pub async fn calls(
        &self,
        conversation: &ConversationId,
        before: Option<CallId>,
        limit: u64,
    ) -> Result<Vec<Call>, StoreError> {
        let rows: Vec<CallRow> = self
            .run("calls", async |connection| {
                Ok(query_as(PAGE)
                    .bind(conversation.as_str())
                    .bind(before.map_or(Uuid::max(), CallId::uuid))
                    .bind(row::signed(limit))
                    .fetch_all(connection)
                    .await?)
            })
            .await?;
        rows.into_iter().map(CallRow::call).collect()
    }

    /// The calls that changed after `since`, oldest change first, at most `limit`: each in its state now.
    ///
    /// # Errors
    /// As every query.
    pub async fn calls_since(
        &self,
        conversation: &ConversationId,
        since: Version,
        limit: u64,
    ) -> Result<Vec<Call>, StoreError> {
        let rows: Vec<CallRow> = self
            .run("calls_since", async |connection| {
                Ok(query_as(SINCE)
                    .bind(conversation.as_str())
                    .bind(row::signed(since.epoch))
                    .bind(row::signed(since.rev))
                    .bind(row::signed(limit))
                    .fetch_all(connection)
                    .await?)
            })
            .await?;
        rows.into_iter().map(CallRow::call).collect()
    }

    /// The ids of calls that should be over and are not, as far as it is stored: at most `limit` of those beyond
    /// `after`, in the order of the ids.
    ///
    /// # Errors
    /// As every query.
    pub async fn overdue_calls(
        &self,
        overdue: Overdue,
        after: Option<CallId>,
        limit: u64,
    ) -> Result<Vec<CallId>, StoreError> {
        let rows: Vec<(Uuid,)> = self
            .run("overdue_calls", async |connection| {
                Ok(query_as(OVERDUE)
                    .bind(overdue.ringing_since.to_datetime())
                    .bind(overdue.ongoing_since.to_datetime())
                    .bind(after.map_or(Uuid::nil(), CallId::uuid))
                    .bind(row::signed(limit))
                    .fetch_all(connection)
                    .await?)
            })
            .await?;
        rows.into_iter().map(|(id,)| call_id(id)).collect()
    }
}

#[derive(sqlx::FromRow)]
struct CallRow {
    id: Uuid,
    conversation_id: String,
    #[sqlx(rename = "type")]
    kind: String,
    status: String,
    caller: Json<Profile>,
    started_at: DateTime<Utc>,
    answered_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    ended_by: Option<String>,
    epoch: i64,
    rev: i64,
    participants: Json<Vec<CallParticipantBody>>,
}

impl CallRow {
    fn call(self) -> Result<Call, StoreError> {
        let started_at = Timestamp::from(self.started_at);
        let participant = |CallParticipantBody { user, joined_at_ms }| CallParticipant {
            user,
            joined_at: joined_at_ms.map_or(started_at, Timestamp),
        };
        let status = CallStatus::parse(&self.status)
            .ok_or_else(|| StoreError::Unexpected(format!("calls.status {:?}", self.status)))?;
        Ok(Call {
            id: call_id(self.id)?,
            conversation: row::text("calls.conversation_id", self.conversation_id)?,
            kind: row::text("calls.type", self.kind)?,
            status,
            started_by: self.caller.0,
            started_at,
            answered_at: self.answered_at.map(Into::into),
            ended_at: self.ended_at.map(Into::into),
            ended_by: self.ended_by.map(|user| row::text("calls.ended_by", user)).transpose()?,
            participants: self.participants.0.into_iter().map(participant).collect(),
            version: row::version(self.epoch, self.rev),
        })
    }
}

fn call_id(id: Uuid) -> Result<CallId, StoreError> {
    id.try_into().map_err(|problem| StoreError::Unexpected(format!("calls.id {id} {problem}")))
}

/// Who rang comes first, then those who answered, in their order.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, conversation_id, type, status, caller, started_at, answered_at, ended_at, ended_by, ",
            "epoch, rev, ARRAY_TO_JSON(ARRAY(",
            "SELECT json_build_object('user', p.profile, ",
            "'joinedAtMs', floor(extract(epoch FROM p.joined_at) * 1000)::bigint) ",
            "FROM call_participants p WHERE p.call_id = c.id ",
            "ORDER BY p.user_id <> c.started_by, p.joined_at, p.user_id)) AS participants FROM calls c ",
            $rest
        )
    };
}
const BY_ID: &str = select!("WHERE id = $1");
const PAGE: &str = select!("WHERE conversation_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3");
const SINCE: &str =
    select!("WHERE conversation_id = $1 AND (epoch, rev) > ($2, $3) ORDER BY epoch, rev LIMIT $4");

/// In a conversation that was deleted nobody is left to be told, unless it is used again without being created.
const OVERDUE: &str = "
    SELECT c.id FROM calls c JOIN conversations v ON v.id = c.conversation_id
        AND (v.deleted_at IS NULL OR v.deleted_rev > 0 AND c.rev > v.deleted_rev)
    WHERE c.ended_at IS NULL AND c.id > $3 AND c.started_at < greatest($1, $2)
      AND (c.status = 'ringing' AND c.started_at < $1
           OR c.status = 'ongoing' AND coalesce(c.answered_at, c.started_at) < $2)
    ORDER BY c.id LIMIT $4";
