//! The life of a room's subscription: asked for by the first join, ended a while after the last leave, and made
//! again after a break of the connection.

use std::time::Duration;

use parlance_broker::{heads::State, partition::Partition};
use parlance_domain::{id::ConversationId, rejection::Rejection};

use super::{Task, Worker};
use crate::fanout::{order::Order, repair, room::Phase};

/// How long a conversation stays subscribed after its last socket has left.
const LINGER: Duration = Duration::from_secs(1);

impl Worker {
    pub(super) fn subscribe(&self, conversation: ConversationId) {
        self.beside("subscribe", move |shared| async move {
            let outcome = repair::subscribe(&shared, &conversation).await;
            Task::Subscribed { conversation, outcome }
        });
    }

    pub(super) fn subscribed(&mut self, conversation: &ConversationId, outcome: Result<State, Rejection>) {
        let Some(room) = self.rooms.get_mut(conversation) else {
            return;
        };
        let Phase::Subscribing { arrived, broken } = room.phase else {
            return;
        };
        match outcome {
            Ok(_) if broken => {
                room.phase = Phase::subscribing();
                self.subscribe(conversation.clone());
            }
            Ok(state) => {
                let mut order = Order::at(state.heads);
                let missed = arrived > state.heads.version && order.park();
                room.phase = Phase::Live(order);
                room.acl = state.acl;
                self.shared.membership.watch(conversation);
                if missed {
                    self.repair(conversation);
                } else {
                    self.admit(conversation);
                    self.linger_if_empty(conversation);
                }
            }
            Err(rejection) => {
                room.refuse(&rejection);
                self.start_unsubscribing(conversation);
            }
        }
    }

    /// Ends the subscription a while after the last socket has left, unless somebody joins before.
    pub(super) fn linger_if_empty(&mut self, conversation: &ConversationId) {
        let Some(room) = self.rooms.get_mut(conversation) else {
            return;
        };
        if !room.is_empty() || !matches!(room.phase, Phase::Live(_)) {
            return;
        }
        room.generation += 1;
        let (conversation, generation) = (conversation.clone(), room.generation);
        self.beside("linger", move |_| async move {
            tokio::time::sleep(LINGER).await;
            Task::Empty { conversation, generation }
        });
    }

    pub(super) fn unsubscribe(&mut self, conversation: &ConversationId, generation: u64) {
        let Some(room) = self.rooms.get(conversation) else {
            return;
        };
        if room.generation == generation && room.is_empty() && matches!(room.phase, Phase::Live(_)) {
            self.start_unsubscribing(conversation);
        }
    }

    pub(super) fn start_unsubscribing(&mut self, conversation: &ConversationId) {
        let Some(room) = self.rooms.get_mut(conversation) else {
            return;
        };
        room.phase = Phase::Unsubscribing;
        self.shared.membership.unwatch(conversation);
        let conversation = conversation.clone();
        self.beside("unsubscribe", move |shared| async move {
            if let Err(error) = shared.subscriber.unsubscribe(&conversation).await {
                // What still arrives finds no room; a break of the connection ends it anyway.
                tracing::debug!(%error, %conversation, "failed to unsubscribe");
            }
            Task::Unsubscribed { conversation }
        });
    }

    pub(super) fn unsubscribed(&mut self, conversation: ConversationId) {
        let Some(room) = self.rooms.get_mut(&conversation) else {
            return;
        };
        if !matches!(room.phase, Phase::Unsubscribing) {
            return;
        }
        if room.waiting.is_empty() {
            self.rooms.remove(&conversation);
        } else {
            room.phase = Phase::subscribing();
            self.subscribe(conversation);
        }
    }

    pub(super) fn resubscribe(&mut self, partition: Option<Partition>) {
        let partitions = self.shared.broker.keys().partitions();
        let wanted =
            |id: &ConversationId| partition.is_none_or(|wanted| partitions.of(id.as_str()) == wanted);
        let mut live = Vec::new();
        for (conversation, room) in self.rooms.iter_mut().filter(|(id, _)| wanted(id)) {
            match &mut room.phase {
                Phase::Live(_) => live.push(conversation.clone()),
                Phase::Subscribing { broken, .. } => *broken = true,
                Phase::Unsubscribing => {}
            }
        }
        for conversation in live {
            self.shared.membership.forget(&conversation);
            self.beside("resubscribe", move |shared| async move {
                let newest = repair::resubscribe(&shared, &conversation).await;
                Task::Compared { conversation, newest }
            });
        }
    }
}
