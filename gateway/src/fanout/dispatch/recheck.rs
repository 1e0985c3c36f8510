//! Who may still be in a room of which not every event was told: a removal may have been among the others.

use std::{collections::HashSet, time::Duration};

use parlance_broker::{BrokerError, append::Acl};
use parlance_chassis::backoff::Backoff;
use parlance_domain::{
    id::{ConversationId, UserId},
    version::Version,
};
use parlance_store::StoreError;

use super::{Task, Worker};
use crate::{fanout::Shared, membership::Policy};

/// What was found out.
pub(in crate::fanout) struct Recheck {
    /// What the room knew of when it began.
    since: Acl,
    /// What the memberships held under.
    acl: Acl,
    /// Those who were asked about and take part no longer.
    gone: HashSet<UserId>,
    /// Why not: they were removed, or the conversation was deleted.
    reason: &'static str,
}

/// A reading that did not succeed; it is tried again.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error(transparent)]
    Redis(#[from] BrokerError),
    #[error(transparent)]
    Postgres(#[from] StoreError),
}

impl Worker {
    /// Looks up who of those in the room takes part, beside the worker.
    pub(super) fn recheck(&mut self, conversation: &ConversationId) {
        if self.shared.membership.policy() != Policy::Members {
            return;
        }
        let Some(room) = self.rooms.get(conversation) else {
            return;
        };
        let users: Vec<UserId> = room.users().into_iter().collect();
        let (conversation, since) = (conversation.clone(), room.acl);
        self.beside("membership check", move |shared| async move {
            let found = find(&shared, &conversation, &users, since).await;
            Task::Rechecked { conversation, found }
        });
    }

    /// Puts out whoever takes part no longer. What was authorised before then has to be authorised again.
    pub(super) fn rechecked(&mut self, conversation: &ConversationId, found: &Recheck) {
        let Some(room) = self.rooms.get_mut(conversation) else {
            return;
        };
        if room.acl > found.since.max(found.acl) {
            // The membership has changed meanwhile: somebody may have come back.
            return self.recheck(conversation);
        }
        room.acl = room.acl.max(found.acl);
        if !found.gone.is_empty() {
            // They were told of no event, so it may still be told on their own channels.
            let goes = |member: &super::Member| found.gone.contains(&member.user);
            self.put_out_by(conversation, Version::default(), found.reason, goes);
        }
    }
}

/// Tries until it knows.
async fn find(shared: &Shared, conversation: &ConversationId, users: &[UserId], since: Acl) -> Recheck {
    let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
    loop {
        match find_once(shared, conversation, users, since).await {
            Ok(found) => return found,
            Err(error) => tracing::debug!(%error, %conversation, "failed to check who takes part"),
        }
        tokio::time::sleep(backoff.next_delay()).await;
    }
}

async fn find_once(
    shared: &Shared,
    conversation: &ConversationId,
    users: &[UserId],
    since: Acl,
) -> Result<Recheck, ReadError> {
    let _permit = shared.repairs.acquire().await;
    // The acl first: a change between the two readings is heard of later.
    let acl = shared.broker.state(conversation).await?.map(|state| state.acl).unwrap_or_default();
    let members = shared.store.members_among(conversation, users).await?;
    let gone: HashSet<UserId> = users.iter().filter(|user| !members.contains(*user)).cloned().collect();
    let deleted = !gone.is_empty()
        && shared.store.conversation(conversation).await?.is_none_or(|stored| stored.deleted);
    Ok(Recheck { since, acl, gone, reason: if deleted { "deleted" } else { "removed" } })
}
