//! Reading reactions: who reacted to a message with what. The worker writes them.

use std::collections::HashMap;

use parlance_domain::{
    id::MessageId,
    reaction::{Emoji, Reaction, Reactions, Reactor},
    user::Profile,
    version::Version,
};
use sqlx::{query_as, types::Json};
use uuid::Uuid;

use crate::{error::StoreError, row, store::Store};

/// A reaction that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredReaction {
    /// With what.
    pub emoji: Emoji,
    /// Whose, with the name of then.
    pub reactor: Reactor,
    /// The event that brought it.
    pub version: Version,
}

impl Store {
    /// The reactions to messages, in the order in which they came. Messages without any, and those that were taken
    /// back, are left out.
    ///
    /// # Errors
    /// As every query.
    pub async fn reactions(
        &self,
        messages: &[MessageId],
    ) -> Result<HashMap<MessageId, Vec<StoredReaction>>, StoreError> {
        if messages.is_empty() {
            return Ok(HashMap::new());
        }
        let ids: Vec<Uuid> = messages.iter().map(|id| id.uuid()).collect();
        let rows: Vec<ReactionRow> = self
            .run("reactions", async |connection| {
                Ok(query_as(REACTIONS).bind(&ids).fetch_all(connection).await?)
            })
            .await?;
        let mut found: HashMap<MessageId, Vec<StoredReaction>> = HashMap::new();
        for row in rows {
            let id = MessageId::try_from(row.message_id).map_err(|problem| {
                StoreError::Unexpected(format!("reactions.message_id {} {problem}", row.message_id))
            })?;
            found.entry(id).or_default().push(row.reaction()?);
        }
        Ok(found)
    }
}

/// Reactions in the order in which they came, by their emoji, as events carry them.
pub fn by_emoji(reactions: &[StoredReaction]) -> Reactions {
    let mut all: Vec<Reaction> = Vec::new();
    for StoredReaction { emoji, reactor, .. } in reactions {
        match all.iter_mut().find(|reaction| reaction.emoji == *emoji) {
            Some(reaction) => reaction.users.push(reactor.clone()),
            None => all.push(Reaction { emoji: emoji.clone(), users: vec![reactor.clone()] }),
        }
    }
    Reactions(all)
}

#[derive(sqlx::FromRow)]
struct ReactionRow {
    message_id: Uuid,
    emoji: String,
    reactor: Json<Profile>,
    epoch: i64,
    rev: i64,
}

impl ReactionRow {
    fn reaction(self) -> Result<StoredReaction, StoreError> {
        let Profile { id, name, .. } = self.reactor.0;
        Ok(StoredReaction {
            emoji: row::text("reactions.emoji", self.emoji)?,
            reactor: Reactor { id, name },
            version: row::version(self.epoch, self.rev),
        })
    }
}

/// The rows of a message and its reactions may be written in any order, so the message's may be missing.
const REACTIONS: &str = "
    SELECT r.message_id, r.emoji, r.reactor, r.epoch, r.rev
    FROM reactions r
    LEFT JOIN messages m ON m.id = r.message_id
    WHERE r.message_id = ANY($1) AND r.active AND m.deleted_at IS NULL
    ORDER BY r.epoch, r.rev";

#[cfg(test)]
mod tests {
    use parlance_domain::id::UserId;

    use super::*;

    #[test]
    fn emoji_stand_in_the_order_of_their_first_users() {
        let reaction = |emoji: &str, user: &str, rev| StoredReaction {
            emoji: Emoji::new(emoji).unwrap(),
            reactor: Reactor { id: UserId::new(user).unwrap(), name: user.to_uppercase() },
            version: Version::new(1, rev),
        };
        let stored = [reaction("b", "ann", 1), reaction("a", "bob", 2), reaction("b", "bob", 3)];
        let Reactions(all) = by_emoji(&stored);
        let told: Vec<(&str, Vec<&str>)> = all
            .iter()
            .map(|one| (one.emoji.as_str(), one.users.iter().map(|user| user.id.as_str()).collect()))
            .collect();
        assert_eq!(told, [("b", vec!["ann", "bob"]), ("a", vec!["bob"])]);
    }
}
