//! Closing gaps: what a room has missed is read beside the worker, and whether it missed anything is compared.

use parlance_domain::{
    id::ConversationId,
    version::{Heads, Version},
};

use super::{Task, Worker};
use crate::{
    dialect::view,
    fanout::{
        order::Repair,
        repair,
        room::{Phase, Room},
    },
};

impl Worker {
    /// Looks for what follows the room's position, beside the worker.
    pub(super) fn repair(&mut self, conversation: &ConversationId) {
        let Some(room) = self.rooms.get_mut(conversation) else {
            return;
        };
        let Phase::Live(order) = &room.phase else { return };
        // What was missed may have been about somebody's membership.
        self.shared.membership.forget(conversation);
        room.repairs += 1;
        tracing::debug!(%conversation, at = ?order.heads().version, "repairing");
        let (conversation, heads, ticket) = (conversation.clone(), order.heads(), room.repairs);
        self.beside("repair", move |shared| async move {
            let found = repair::find(&shared, &conversation, heads).await;
            Task::Repaired { conversation, ticket, found }
        });
    }

    /// Takes what the newest repair found; an older one was of a subscription that has ended.
    pub(super) fn repaired(&mut self, conversation: &ConversationId, ticket: u64, found: Repair) {
        let Some(room) = self.rooms.get_mut(conversation).filter(|room| room.repairs == ticket) else {
            return;
        };
        let Phase::Live(order) = &mut room.phase else {
            return;
        };
        if !order.is_parked() {
            return;
        }
        tracing::debug!(%conversation, at = ?order.heads().version, found = found.kind(), "repaired");
        let is_whole = matches!(found, Repair::Events(_) | Repair::NewEpoch(_) | Repair::CaughtUp);
        let repaired = order.repair(found);
        let heads = order.heads();
        for envelope in &repaired.deliver {
            self.hand_on(envelope);
        }
        if repaired.resync {
            self.resync(conversation, heads);
        }
        if !is_whole {
            self.recheck(conversation);
        }
        if repaired.again {
            self.repair(conversation);
        } else {
            self.admit(conversation);
            self.resume_readers(conversation);
            self.linger_if_empty(conversation);
        }
    }

    pub(super) fn resync(&mut self, conversation: &ConversationId, heads: Heads) {
        let Some(room) = self.rooms.get_mut(conversation) else {
            return;
        };
        room.lose_place();
        let event = view::resync(conversation, heads.version);
        for member in room.audience().0.values() {
            member.socket.tell(&event);
        }
    }

    pub(super) fn compare(&self) {
        let live = |room: &Room| matches!(&room.phase, Phase::Live(order) if !order.is_parked());
        let ids: Vec<_> =
            self.rooms.iter().filter(|(_, room)| live(room)).map(|(id, _)| id.clone()).collect();
        let Some(results) = self.inlet.results() else {
            return;
        };
        let shared = self.shared.clone();
        self.shared.lifecycle.spawn_request("compare", async move {
            let states = match shared.broker.states(&ids).await {
                Ok(states) => states,
                Err(error) => {
                    tracing::debug!(%error, "failed to compare heads");
                    return;
                }
            };
            for (conversation, state) in ids.into_iter().zip(states) {
                let newest = state.map(|state| state.heads.version);
                let _ = results.send(Task::Compared { conversation, newest }).await;
            }
        });
    }

    /// Takes the newest version that Redis knows. Where it knows nothing any more, only Postgres can tell: the state has
    /// gone, maybe with an event that was not heard here, and it comes back only with the next one.
    pub(super) fn compared(&mut self, conversation: &ConversationId, newest: Option<Version>) {
        let Some(Phase::Live(order)) = self.rooms.get_mut(conversation).map(|room| &mut room.phase) else {
            return;
        };
        let may_be_behind = newest.is_none_or(|newest| newest > order.heads().version);
        if may_be_behind && order.park() {
            self.repair(conversation);
        }
    }
}
