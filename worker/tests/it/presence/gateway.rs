//! A gateway as Redis sees it: a lease, sockets and rooms under it.

use std::{collections::HashMap, time::Duration};

use fred::interfaces::SortedSetsInterface;
use futures_util::{StreamExt, stream};
use parlance_broker::{
    lease::{LeaseId, Leases, Registration},
    members::{Changes, Members},
    presence::{Announcement, ConnectedSession, Presences, Transition},
};
use parlance_domain::{
    entry::Envelope,
    event::Event,
    id::{ConversationId, SessionId, UserId},
    presence::{Presence, Status},
    time::Timestamp,
    user::Profile,
};

use crate::{
    ear::Ear,
    world::{World, eventually},
};

/// Longer than any test.
pub const LONG: Duration = Duration::from_secs(600);
/// What workers are told, so that tests need not wait for long.
pub const SOON: [(&str, &str); 2] =
    [("PARLANCE__PRESENCE__TTL", "1s"), ("PARLANCE__PRESENCE__SWEEP_INTERVAL", "100ms")];

pub fn user(id: &str) -> UserId {
    UserId::new(id).unwrap()
}

pub fn conversation(id: &str) -> ConversationId {
    ConversationId::new(id).unwrap()
}

/// A lease, and what stands under it.
pub struct TestGateway {
    pub lease: LeaseId,
    pub leases: Leases,
    pub presences: Presences,
    pub members: Members,
}

impl TestGateway {
    pub async fn start(world: &World, ttl: Duration) -> Self {
        let gateway = Self {
            lease: LeaseId::new("test", rand::random()),
            leases: Leases::new(world.broker.clone()),
            presences: Presences::new(world.broker.clone()),
            members: Members::new(world.broker.clone()),
        };
        gateway.leases.take(&gateway.lease, ttl).await.unwrap();
        gateway
    }

    /// A user's socket here.
    pub async fn connect(&self, id: &str) -> Option<Transition> {
        let session =
            ConnectedSession { id: self.session(id), dialect: "native".into(), since: Timestamp(1) };
        self.presences.connect(&self.lease, &user(id), &session).await.unwrap()
    }

    pub async fn disconnect(&self, id: &str) -> Option<Transition> {
        self.presences.disconnect(&self.lease, &user(id), &self.session(id)).await.unwrap()
    }

    /// A user who is connected goes into a conversation.
    pub async fn join(&self, id: &str, to: &str) {
        let changes = Changes { came: vec![Profile::unknown(user(id))], ..Changes::default() };
        self.members.change(&self.lease, &conversation(to), &changes, 10_000).await.unwrap();
        self.presences.visit(&user(id), &self.session(id), &conversation(to)).await.unwrap();
    }

    /// Many sockets at once: `user-0` and so on.
    pub async fn connect_many(&self, count: usize) {
        stream::iter(0..count)
            .for_each_concurrent(64, async |number| {
                self.connect(&format!("user-{number}")).await;
            })
            .await;
    }

    /// It ended, and its sockets count no longer.
    pub async fn die(&self) {
        self.leases.end(&self.lease, Duration::ZERO).await.unwrap();
    }

    /// How much stands under its lease.
    pub async fn registered(&self, world: &World) -> usize {
        let mut all: Vec<Registration> = Vec::new();
        for partition in world.broker.keys().partitions().all() {
            all.extend(self.leases.registrations(partition, &self.lease, 100_000).await.unwrap());
        }
        all.len()
    }

    /// Waits until workers have forgotten it in every partition.
    pub async fn forgotten(&self, world: &World) {
        eventually("the lease is forgotten", async || {
            for partition in world.broker.keys().partitions().all() {
                let key = world.broker.keys().leases(partition);
                let score: Option<f64> =
                    world.broker.client().zscore(key, self.lease.as_str()).await.unwrap();
                if score.is_some() {
                    return Err(partition);
                }
            }
            Ok(())
        })
        .await;
        assert_eq!(self.registered(world).await, 0);
    }

    fn session(&self, user: &str) -> SessionId {
        let (_, life) = self.lease.as_str().split_once('~').unwrap();
        SessionId::new(format!("{user}-{life}")).unwrap()
    }
}

/// Waits until every change of presence is announced.
pub async fn announced(world: &World) {
    eventually("every change is announced", async || {
        for partition in world.broker.keys().partitions().all() {
            let key = world.broker.keys().unannounced(partition);
            let waiting: u64 = world.broker.client().zcard(key).await.unwrap();
            if waiting > 0 {
                return Err(waiting);
            }
        }
        Ok(())
    })
    .await;
}

/// Hears everything that happens to presence, in all partitions.
pub async fn presence_ear(world: &World) -> Ear {
    let keys = world.broker.keys();
    Ear::on(world, keys.partitions().all().map(|partition| keys.presence_channel(partition))).await
}

pub async fn conversation_ear(world: &World, id: &str) -> Ear {
    Ear::on(world, [world.broker.keys().channel(&conversation(id))]).await
}

pub fn presences(heard: &[String]) -> Vec<Presence> {
    let parse = |text: &String| serde_json::from_str::<Announcement>(text).unwrap().presence;
    heard.iter().map(parse).collect()
}

/// How often each of these users was told to be offline, each change of presence counted once.
pub fn times_offline(presences: &[Presence]) -> HashMap<UserId, usize> {
    let mut changes: Vec<(&UserId, Timestamp)> = presences
        .iter()
        .filter(|presence| presence.status == Status::Offline)
        .map(|presence| (&presence.user, presence.at))
        .collect();
    changes.sort_unstable();
    changes.dedup();
    let mut times = HashMap::new();
    for (user, _) in changes {
        *times.entry(user.clone()).or_default() += 1;
    }
    times
}

pub fn event(in_conversation: &str, text: &str) -> Event {
    Envelope::decode_published(conversation(in_conversation), text).unwrap().event
}

/// Who left a conversation, in that order.
pub fn left(in_conversation: &str, heard: &[String]) -> Vec<UserId> {
    let events = heard.iter().map(|text| event(in_conversation, text));
    events
        .filter_map(|event| if let Event::MemberLeft(member) = event { Some(member.user.id) } else { None })
        .collect()
}

/// The changes of presence that a conversation was told of.
pub fn told(in_conversation: &str, heard: &[String]) -> Vec<Presence> {
    let events = heard.iter().map(|text| event(in_conversation, text));
    events
        .filter_map(|event| if let Event::PresenceChanged(presence) = event { Some(presence) } else { None })
        .collect()
}
