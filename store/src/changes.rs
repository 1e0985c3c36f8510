//! What changed in a conversation since a position, from the rows as they are now: for whoever missed the events.
//!
//! One reading is bounded, so each kind of row says how far it goes. What was changed again since stands at its newest
//! version, and what was deleted with its conversation is not there any more.

use chrono::{DateTime, Utc};
use parlance_domain::{
    call::Call,
    conversation::Conversation,
    id::ConversationId,
    message::Message,
    reaction::ReactionUpdate,
    time::Timestamp,
    version::{Heads, Version},
};
use sqlx::{PgConnection, query_as};

use crate::{
    error::StoreError, message::since::messages_since, participant::ParticipantState, row, store::Store,
};

mod reaction;

/// How much of each kind one reading takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The most rows.
    pub rows: u64,
    /// The row that takes it to so many bytes of content is the last.
    pub bytes: u64,
}

/// Rows that changed, in their state now.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Up to which version they are all there are; `None` when there are no others at all.
    pub until: Option<Version>,
}

/// What changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Changes {
    /// Messages; among them, beyond [`Changed::until`], all that were created up to there.
    pub messages: Changed<Message>,
    /// Memberships.
    pub participants: Changed<ParticipantState>,
    /// Reactions that came or went, each with all reactions to its message as they are now.
    pub reactions: Changed<ReactionState>,
    /// Calls.
    pub calls: Changed<Call>,
    /// Its title or fields, and the event that changed them last.
    pub conversation: Option<(Conversation, Version)>,
    /// When it was last deleted with everything in it, if that was after the position.
    pub deleted: Option<Deletion>,
}

/// A reaction that came or went.
#[derive(Debug, Clone, PartialEq)]
pub struct ReactionState {
    /// What became of it, and all reactions to its message as they are now.
    pub update: ReactionUpdate,
    /// The event that changed it last.
    pub version: Version,
    /// When that was.
    pub at: Timestamp,
}

/// That a conversation was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deletion {
    /// The event.
    pub rev: u64,
    /// When, as far as that is known: an id that is used again forgets it.
    pub at: Timestamp,
}

impl Store {
    /// What changed after `since`, whose epoch is that of `newest`; what is newer than `newest` may be left out.
    ///
    /// # Errors
    /// As every query.
    pub async fn changes_since(
        &self,
        conversation: &ConversationId,
        since: Heads,
        newest: Version,
        bounds: Bounds,
    ) -> Result<Changes, StoreError> {
        let messages = self
            .run("changes_since", async |connection| {
                messages_since(connection, conversation, since, newest, bounds).await
            })
            .await?;
        let participants = self.participants_since(conversation, since.version, bounds.rows).await?;
        let calls = self.calls_since(conversation, since.version, bounds.rows).await?;
        let head = self.run("changes_since", async |connection| head(connection, conversation).await).await?;
        Ok(Changes {
            messages,
            participants: changed(participants, bounds, |row| row.version),
            reactions: self.reactions_since(conversation, since.version, bounds).await?,
            calls: changed(calls, bounds, |row| row.version),
            conversation: self.conversation_since(conversation, since.version, head).await?,
            deleted: head.deletion().filter(|deletion| deletion.rev > since.version.rev),
        })
    }

    async fn conversation_since(
        &self,
        conversation: &ConversationId,
        since: Version,
        head: HeadRow,
    ) -> Result<Option<(Conversation, Version)>, StoreError> {
        let version = head.state();
        if version <= since || version.rev <= head.deleted_rev() {
            return Ok(None);
        }
        // One that is being deleted has nothing to tell any more.
        let stored = self.conversation(conversation).await?.filter(|stored| !stored.deleted);
        Ok(stored.map(|stored| (stored.conversation, version)))
    }
}

fn changed<T>(rows: Vec<T>, bounds: Bounds, version: impl Fn(&T) -> Version) -> Changed<T> {
    let until = rows.last().map(version).filter(|_| rows.len() as u64 >= bounds.rows);
    Changed { rows, until }
}

#[derive(Debug, Clone, Copy, Default, sqlx::FromRow)]
struct HeadRow {
    state_epoch: i64,
    state_rev: i64,
    deleted_rev: i64,
    deleted_at: Option<DateTime<Utc>>,
}

impl HeadRow {
    fn state(self) -> Version {
        row::version(self.state_epoch, self.state_rev)
    }

    fn deleted_rev(self) -> u64 {
        row::unsigned(self.deleted_rev)
    }

    fn deletion(self) -> Option<Deletion> {
        let deletion = Deletion { rev: self.deleted_rev(), at: row::time(self.deleted_at) };
        (deletion.rev > 0).then_some(deletion)
    }
}

async fn head(connection: &mut PgConnection, conversation: &ConversationId) -> Result<HeadRow, StoreError> {
    let row: Option<HeadRow> = query_as(HEAD).bind(conversation.as_str()).fetch_optional(connection).await?;
    Ok(row.unwrap_or_default())
}

/// An id that is used again has been deleted before it was created.
const HEAD: &str = "
    SELECT state_epoch, state_rev, deleted_rev, COALESCE(deleted_at, created_at) AS deleted_at
    FROM conversations WHERE id = $1";
