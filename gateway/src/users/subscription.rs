//! The life of a user's subscription: asked for by the first socket, tried until it succeeds, ended a while after the
//! last socket has gone, and made again after a break of the connection.

use std::{collections::hash_map::Entry, time::Duration};

use parlance_broker::partition::Partition;
use parlance_domain::{id::UserId, time::Timestamp};

use super::{
    Greet, Shared,
    devices::{Devices, Phase},
    worker::{Task, Worker},
};
use crate::fanout::Member;

/// How long a user stays subscribed after his last socket has gone.
const LINGER: Duration = Duration::from_secs(1);

impl Worker {
    pub(super) fn connected(&mut self, member: Member, greet: Greet) {
        // Its end may have been told before its beginning; nobody would tell it again.
        if member.socket.has_ended() {
            return;
        }
        let user = member.user.clone();
        match self.users.entry(user.clone()) {
            Entry::Occupied(mut found) => {
                let devices = found.get_mut();
                devices.add(member, greet);
                if devices.phase == Phase::Live {
                    devices.admit();
                    // It was looked at before it came here.
                    self.dismiss_revoked(&user);
                }
            }
            Entry::Vacant(place) => {
                place.insert(Devices::subscribing()).add(member, greet);
                self.subscribe(user, Duration::ZERO);
            }
        }
    }

    pub(super) fn gone(&mut self, user: &UserId, socket: u64) {
        if let Some(devices) = self.users.get_mut(user) {
            devices.remove(socket);
            self.linger_if_empty(user);
        }
    }

    fn subscribe(&self, user: UserId, after: Duration) {
        self.beside("user subscription", move |shared| async move {
            tokio::time::sleep(after).await;
            let outcome = subscribe(&shared, &user).await;
            Task::Subscribed { user, outcome }
        });
    }

    pub(super) fn subscribed(&mut self, user: &UserId, outcome: Subscribed) {
        let Some(devices) = self.users.get_mut(user) else {
            return;
        };
        let succeeded = outcome.is_ok();
        if let Ok(Some(before)) = outcome {
            devices.revoke(before);
        }
        let Phase::Subscribing { broken } = devices.phase else {
            return;
        };
        if succeeded && !broken {
            devices.phase = Phase::Live;
            devices.backoff.reset();
            devices.admit();
            self.dismiss_revoked(user);
            self.linger_if_empty(user);
        } else if devices.is_empty() {
            // It may have been subscribed all the same.
            self.start_unsubscribing(user);
        } else {
            devices.phase = Phase::SUBSCRIBING;
            let mut after = Duration::ZERO;
            if !succeeded {
                // They can do everything else; what is for the user alone they get as soon as Redis is back.
                devices.admit();
                after = devices.backoff.next_delay();
            }
            self.subscribe(user.clone(), after);
        }
    }

    /// Ends the subscription a while after the last socket has gone, unless another connects before.
    fn linger_if_empty(&mut self, user: &UserId) {
        let Some(devices) = self.users.get_mut(user) else {
            return;
        };
        if !devices.is_empty() || devices.phase != Phase::Live {
            return;
        }
        devices.generation += 1;
        let (user, generation) = (user.clone(), devices.generation);
        self.beside("user lingers", move |_| async move {
            tokio::time::sleep(LINGER).await;
            Task::Idle { user, generation }
        });
    }

    pub(super) fn idle(&mut self, user: &UserId, generation: u64) {
        let idle = |devices: &&Devices| {
            devices.generation == generation && devices.is_empty() && devices.phase == Phase::Live
        };
        if self.users.get(user).filter(idle).is_some() {
            self.start_unsubscribing(user);
        }
    }

    fn start_unsubscribing(&mut self, user: &UserId) {
        let Some(devices) = self.users.get_mut(user) else {
            return;
        };
        devices.phase = Phase::Unsubscribing;
        let user = user.clone();
        self.beside("user unsubscription", move |shared| async move {
            if let Err(error) = shared.subscriber.unsubscribe_user(&user).await {
                // What still arrives finds no sockets; a break of the connection ends it anyway.
                tracing::debug!(%error, %user, "failed to unsubscribe");
            }
            Task::Unsubscribed { user }
        });
    }

    pub(super) fn unsubscribed(&mut self, user: UserId) {
        let Entry::Occupied(mut found) = self.users.entry(user) else {
            return;
        };
        if found.get().phase != Phase::Unsubscribing {
            return;
        }
        if found.get().is_empty() {
            found.remove();
        } else {
            found.get_mut().phase = Phase::SUBSCRIBING;
            let user = found.key().clone();
            self.subscribe(user, Duration::ZERO);
        }
    }

    pub(super) fn resubscribe(&mut self, partition: Option<Partition>) {
        let partitions = &self.shared.partitions;
        let wanted = |user: &UserId| partition.is_none_or(|wanted| partitions.of(user.as_str()) == wanted);
        let mut live = Vec::new();
        for (user, devices) in self.users.iter_mut().filter(|(user, _)| wanted(user)) {
            match &mut devices.phase {
                Phase::Live => {
                    devices.phase = Phase::SUBSCRIBING;
                    live.push(user.clone());
                }
                Phase::Subscribing { broken } => *broken = true,
                Phase::Unsubscribing => {}
            }
        }
        for user in live {
            self.subscribe(user, Duration::ZERO);
        }
    }
}

/// What follows from a subscription: before which moment the user's tokens are revoked. What is revoked later is heard.
pub(super) type Subscribed = Result<Option<Timestamp>, NotSubscribed>;

/// The subscription has to be tried again.
#[derive(Debug, Clone, Copy)]
pub(super) struct NotSubscribed;

async fn subscribe(shared: &Shared, user: &UserId) -> Subscribed {
    let subscribed = async {
        shared.subscriber.subscribe_user(user).await?;
        // After the subscription, so that nothing is missed between the two.
        shared.broker.revoked_before(user).await
    };
    match tokio::time::timeout(shared.deadline, subscribed).await {
        Ok(Ok(before)) => Ok(before),
        Ok(Err(error)) => {
            tracing::debug!(%error, %user, "failed to subscribe to a user's events");
            Err(NotSubscribed)
        }
        Err(_) => {
            tracing::debug!(%user, "subscribing to a user's events takes too long");
            Err(NotSubscribed)
        }
    }
}
