//! Presence: sessions under leases, transitions, and who is told of them.

mod announcing;
mod model;

use std::{collections::BTreeSet, time::Duration};

use parlance_broker::{
    BrokerError,
    lease::Leases,
    members::{Changes, Members},
    partition::Partition,
    presence::{Announcement, ConnectedSession, MAX_VISITS, Presences, Transition},
    stats::{GatewayStats, Stats},
};
use parlance_domain::{
    id::{SessionId, UserId},
    presence::{Presence, Status},
    time::Timestamp,
};

use crate::{
    lease::{LONG, assert_nothing_is_left, expire, held, sweep},
    listening::Listener,
    world::{World, conversation},
};

pub fn user(id: &str) -> UserId {
    UserId::new(id).unwrap()
}

pub fn session(id: &str, since: i64) -> ConnectedSession {
    let id = SessionId::new(id).unwrap();
    ConnectedSession { id, dialect: String::from("native"), since: Timestamp(since) }
}

fn id(session: &str) -> SessionId {
    SessionId::new(session).unwrap()
}

/// What matters of a transition: status, connected, session.
fn told(transition: Option<Transition>) -> Option<(Status, bool, Option<String>)> {
    let presence = transition?.presence;
    Some((presence.status, presence.connected, presence.session.map(String::from)))
}

fn came(session: &str) -> Option<(Status, bool, Option<String>)> {
    Some((Status::Online, true, Some(session.to_owned())))
}

fn went(session: &str) -> Option<(Status, bool, Option<String>)> {
    Some((Status::Offline, false, Some(session.to_owned())))
}

async fn get(presences: &Presences, user: &UserId) -> Presence {
    let mut found = presences.get(std::slice::from_ref(user)).await.unwrap();
    assert_eq!(found.len(), 1);
    found.remove(0)
}

async fn online(presences: &Presences) -> Vec<String> {
    let page = presences.online(None, 100).await.unwrap();
    assert_eq!((page.total, page.next), (page.users.len() as u64, None));
    page.users.into_iter().map(String::from).collect()
}

#[tokio::test]
async fn several_devices_under_two_leases_come_online_once_and_go_offline_once() {
    let world = World::new().await;
    let (leases, presences) = (Leases::new(world.broker.clone()), Presences::new(world.broker.clone()));
    let (g1, g2) = (held(&leases, "g1").await, held(&leases, "g2").await);
    let ann = user("ann");
    let mut listener = Listener::new(&world, &[]).await;
    let legacy = ConnectedSession { dialect: String::from("legacy/1"), ..session("s2", 20) };

    let first = presences.connect(&g1, &ann, &session("s1", 10)).await.unwrap();
    let online_at = first.clone().unwrap().presence.at;
    assert_eq!(told(first), came("s1"));
    assert_eq!(presences.connect(&g1, &ann, &legacy).await.unwrap(), None);
    assert_eq!(presences.connect(&g2, &ann, &session("s3", 5)).await.unwrap(), None);
    let sessions = presences.sessions(&ann).await.unwrap();
    let expected = [(session("s3", 5), g2.clone()), (session("s1", 10), g1.clone()), (legacy, g1.clone())];
    assert_eq!(sessions, expected);
    assert_eq!(presences.disconnect(&g1, &ann, &id("s1")).await.unwrap(), None);
    assert_eq!(presences.disconnect(&g2, &ann, &id("s3")).await.unwrap(), None);
    let presence = get(&presences, &ann).await;
    assert_eq!((presence.status, presence.connected, presence.at), (Status::Online, true, online_at));
    assert_eq!(online(&presences).await, ["ann"]);
    let last = presences.disconnect(&g1, &ann, &id("s2")).await.unwrap();
    let offline_at = last.clone().unwrap().presence.at;
    assert!(offline_at > online_at);
    assert_eq!(told(last), went("s2"));
    assert_eq!(presences.disconnect(&g1, &ann, &id("s2")).await.unwrap(), None);
    assert_eq!(online(&presences).await, Vec::<String>::new());
    assert!(presences.sessions(&ann).await.unwrap().is_empty());

    let announcement = |status, connected, at, session: &str, dialects: &[&str]| Announcement {
        presence: Presence { user: ann.clone(), status, connected, at, session: Some(id(session)) },
        dialects: dialects.iter().map(|name| (*name).to_owned()).collect(),
    };
    let heard = listener.heard(&world).await;
    assert_eq!(
        heard.announcements,
        [
            announcement(Status::Online, true, online_at, "s1", &["native"]),
            announcement(Status::Offline, false, offline_at, "s2", &["legacy/1", "native"]),
        ]
    );
    // When he was last seen is known until it is stored.
    assert_eq!(get(&presences, &ann).await.last_seen(), Some(offline_at));
    for lease in [g1, g2] {
        expire(&leases, &lease).await;
    }
    assert_nothing_is_left(&world, &leases).await;
    assert_eq!(get(&presences, &ann).await, Presence::unknown(ann));
    listener.close().await;
    world.clean_up().await;
}

#[tokio::test]
async fn a_repeated_step_tells_nobody_anything() {
    let world = World::new().await;
    let (leases, presences) = (Leases::new(world.broker.clone()), Presences::new(world.broker.clone()));
    let lease = held(&leases, "g1").await;
    let (ann, at) = (user("ann"), conversation("c"));
    let mut listener = Listener::new(&world, &["c"]).await;
    assert!(presences.connect(&lease, &ann, &session("s1", 1)).await.unwrap().is_some());
    presences.visit(&ann, &id("s1"), &at).await.unwrap().unwrap();
    presences.set_status(&ann, Status::Busy).await.unwrap().unwrap().1.unwrap();
    listener.heard(&world).await;

    let before = presence_keys(&world, &ann).await;
    for _ in 0..2 {
        assert_eq!(presences.connect(&lease, &ann, &session("s1", 1)).await.unwrap(), None);
        assert!(presences.visit(&ann, &id("s1"), &at).await.unwrap().is_some());
        let (presence, transition) = presences.set_status(&ann, Status::Busy).await.unwrap().unwrap();
        assert_eq!((presence.status, transition), (Status::Busy, None));
        assert_eq!(presences.disconnect(&lease, &ann, &id("other")).await.unwrap(), None);
        assert_eq!(presences.expel(&lease, &ann).await.unwrap(), None, "its lease holds");
    }
    assert_eq!(presence_keys(&world, &ann).await, before);
    assert!(presences.disconnect(&lease, &ann, &id("s1")).await.unwrap().is_some());
    listener.heard(&world).await;
    assert_eq!(presences.disconnect(&lease, &ann, &id("s1")).await.unwrap(), None);
    assert_eq!(listener.heard(&world).await.announcements, []);
    listener.close().await;
    world.clean_up().await;
}

async fn presence_keys(world: &World, user: &UserId) -> std::collections::BTreeMap<String, String> {
    world.hash(world.broker.keys().presence(user)).await
}

#[tokio::test]
async fn nothing_is_registered_under_a_lease_that_does_not_hold() {
    let world = World::new().await;
    let (leases, presences) = (Leases::new(world.broker.clone()), Presences::new(world.broker.clone()));
    let lease = held(&leases, "g1").await;
    expire(&leases, &lease).await;
    assert_eq!(presences.connect(&lease, &user("ann"), &session("s1", 1)).await.unwrap(), None);
    assert_eq!(presences.visit(&user("ann"), &id("s1"), &conversation("c")).await.unwrap(), None);
    assert_eq!(presences.set_status(&user("ann"), Status::Away).await.unwrap(), None);
    assert_nothing_is_left(&world, &leases).await;
    world.clean_up().await;
}

#[tokio::test]
async fn an_expired_lease_does_not_count_for_readers_before_anybody_swept() {
    let world = World::new().await;
    let (leases, presences) = (Leases::new(world.broker.clone()), Presences::new(world.broker.clone()));
    let (g1, g2) = (held(&leases, "g1").await, held(&leases, "g2").await);
    let (ann, bob) = (user("ann"), user("bob"));
    let online_at = presences.connect(&g1, &ann, &session("s1", 1)).await.unwrap().unwrap().presence.at;
    for (lease, name) in [(&g1, "s2"), (&g2, "s3")] {
        presences.connect(lease, &bob, &session(name, 1)).await.unwrap();
    }
    expire(&leases, &g1).await;
    let seen = get(&presences, &ann).await;
    assert_eq!((seen.status, seen.connected), (Status::Offline, false));
    assert!(seen.at >= online_at, "it is so since the lease expired");
    assert!(presences.sessions(&ann).await.unwrap().is_empty());
    assert_eq!(presences.visit(&ann, &id("s1"), &conversation("c")).await.unwrap(), None);
    assert!(get(&presences, &bob).await.connected);
    assert_eq!(presences.sessions(&bob).await.unwrap(), [(session("s3", 1), g2.clone())]);

    let transition = presences.expel(&g1, &ann).await.unwrap();
    assert!(transition.as_ref().unwrap().presence.at >= seen.at);
    assert_eq!(told(transition), went("s1"));
    assert_eq!(presences.expel(&g1, &ann).await.unwrap(), None, "he goes once");
    assert_eq!(presences.expel(&g1, &bob).await.unwrap(), None, "he is still there");
    expire(&leases, &g2).await;
    assert_nothing_is_left(&world, &leases).await;
    world.clean_up().await;
}

#[tokio::test]
async fn a_user_who_is_back_before_his_old_lease_is_swept_never_went_offline() {
    let world = World::new().await;
    let (leases, presences) = (Leases::new(world.broker.clone()), Presences::new(world.broker.clone()));
    let (g1, g2) = (held(&leases, "g1").await, held(&leases, "g2").await);
    let ann = user("ann");
    let mut listener = Listener::new(&world, &[]).await;
    presences.connect(&g1, &ann, &session("s1", 1)).await.unwrap().unwrap();
    presences.set_status(&ann, Status::Busy).await.unwrap().unwrap();
    assert_eq!(listener.heard(&world).await.announcements.len(), 2);
    expire(&leases, &g1).await;
    // The same session, as a client that resumes it elsewhere has it.
    assert_eq!(presences.connect(&g2, &ann, &session("s1", 1)).await.unwrap(), None);
    assert_eq!(presences.disconnect(&g1, &ann, &id("s1")).await.unwrap(), None, "it stands elsewhere by now");
    sweep(&world, &leases).await;
    assert_eq!(listener.heard(&world).await.announcements, []);
    let presence = get(&presences, &ann).await;
    assert_eq!((presence.status, presence.connected), (Status::Busy, true), "what he chose is kept");
    assert_eq!(told(presences.disconnect(&g2, &ann, &id("s1")).await.unwrap()), went("s1"));
    expire(&leases, &g2).await;
    assert_nothing_is_left(&world, &leases).await;
    listener.close().await;
    world.clean_up().await;
}

#[tokio::test]
async fn expelled_sessions_of_several_dead_gateways_are_one_transition() {
    let world = World::new().await;
    let (leases, presences) = (Leases::new(world.broker.clone()), Presences::new(world.broker.clone()));
    let (g1, g2) = (held(&leases, "g1").await, held(&leases, "g2").await);
    let ann = user("ann");
    for (lease, name, since) in [(&g1, "s1", 1), (&g1, "s2", 30), (&g2, "s3", 2)] {
        presences.connect(lease, &ann, &session(name, since)).await.unwrap();
    }
    expire(&leases, &g1).await;
    expire(&leases, &g2).await;
    let mut listener = Listener::new(&world, &[]).await;
    assert_eq!(told(presences.expel(&g1, &ann).await.unwrap()), went("s2"), "the newest of them");
    assert_eq!(presences.expel(&g2, &ann).await.unwrap(), None);
    assert_eq!(listener.heard(&world).await.announcements.len(), 1);
    assert_nothing_is_left(&world, &leases).await;
    listener.close().await;
    world.clean_up().await;
}

#[tokio::test]
async fn what_a_user_chooses_is_seen_until_he_has_gone() {
    let world = World::new().await;
    let (leases, presences) = (Leases::new(world.broker.clone()), Presences::new(world.broker.clone()));
    let lease = held(&leases, "g1").await;
    let ann = user("ann");
    assert_eq!(presences.set_status(&ann, Status::Busy).await.unwrap(), None, "he is not there");
    let mut last = Timestamp(0);
    for _ in 0..2 {
        let online = presences.connect(&lease, &ann, &session("s1", 1)).await.unwrap().unwrap().presence;
        assert_eq!(online.status, Status::Online, "what he chose before he went is over");
        assert!(online.at > last);
        last = online.at;
        for status in [Status::Away, Status::Busy, Status::Online, Status::Away] {
            let (presence, transition) = presences.set_status(&ann, status).await.unwrap().unwrap();
            assert_eq!((presence.status, presence.connected, &presence.session), (status, true, &None));
            assert_eq!(transition.unwrap().presence, presence);
            assert!(presence.at > last, "numbers grow even within a millisecond");
            last = presence.at;
            assert_eq!(get(&presences, &ann).await, presence);
        }
        // A second device changes nothing of it.
        assert_eq!(presences.connect(&lease, &ann, &session("s2", 2)).await.unwrap(), None);
        assert_eq!(presences.disconnect(&lease, &ann, &id("s2")).await.unwrap(), None);
        let gone = presences.disconnect(&lease, &ann, &id("s1")).await.unwrap().unwrap().presence;
        assert!(gone.at > last);
        last = gone.at;
    }
    world.clean_up().await;
}

#[tokio::test]
async fn a_hidden_user_was_last_seen_when_he_hid_and_nobody_learns_when_he_goes() {
    let world = World::new().await;
    let (leases, presences) = (Leases::new(world.broker.clone()), Presences::new(world.broker.clone()));
    let lease = held(&leases, "g1").await;
    let ann = user("ann");
    let partition = world.broker.keys().partitions().of("ann");
    let mut listener = Listener::new(&world, &["c"]).await;
    presences.connect(&lease, &ann, &session("s1", 1)).await.unwrap().unwrap();
    let hidden = presences.set_status(&ann, Status::Offline).await.unwrap().unwrap().1.unwrap().presence;
    assert_eq!((hidden.status, hidden.connected), (Status::Offline, true));
    assert_eq!(online(&presences).await, Vec::<String>::new());
    assert_eq!(get(&presences, &ann).await, hidden);
    assert!(presences.visit(&ann, &id("s1"), &conversation("c")).await.unwrap().is_some(), "he is connected");

    let heard = listener.heard(&world).await;
    assert_eq!((heard.announcements.len(), heard.events.len()), (2, 0), "online and offline");
    for (before, announced) in [("s1", true), ("s3", false)] {
        // What he hid with may have been announced by now, or not.
        let next = presences.connect(&lease, &ann, &session(before, 1)).await.unwrap();
        let hidden = match next {
            None => hidden.clone(),
            Some(_) => {
                presences.visit(&ann, &id(before), &conversation("c")).await.unwrap().unwrap();
                presences.set_status(&ann, Status::Offline).await.unwrap().unwrap().0
            }
        };
        listener.heard(&world).await;
        assert_eq!(presences.disconnect(&lease, &ann, &id(before)).await.unwrap(), None, "nobody learns it");
        let heard = listener.heard(&world).await;
        assert_eq!((heard.announcements.len(), heard.events.len()), (0, 0));
        let gone = get(&presences, &ann).await;
        assert_eq!((gone.status, gone.connected, gone.at), (Status::Offline, false, hidden.at));
        assert_eq!(presences.last_seen(partition, 10).await.unwrap(), [(ann.clone(), hidden.at)]);
        assert_eq!(presence_keys(&world, &ann).await.is_empty(), announced);
        if !announced {
            let left = presences.unannounced(partition, Duration::ZERO, 10).await.unwrap();
            let told: Vec<_> = left.iter().map(|one| (one.presence.status, one.presence.at)).collect();
            assert_eq!(told, [(Status::Offline, hidden.at)]);
            presences.announce(&left[0]).await.unwrap();
            assert!(presence_keys(&world, &ann).await.is_empty());
        }
    }

    // He is seen again when he comes again, and when he stops hiding.
    assert_eq!(told(presences.connect(&lease, &ann, &session("s2", 1)).await.unwrap()), came("s2"));
    presences.set_status(&ann, Status::Offline).await.unwrap().unwrap();
    let seen = presences.set_status(&ann, Status::Online).await.unwrap().unwrap();
    assert_eq!((seen.0.status, seen.1.is_some()), (Status::Online, true));
    assert_eq!(online(&presences).await, ["ann"]);
    presences.disconnect(&lease, &ann, &id("s2")).await.unwrap().unwrap();
    expire(&leases, &lease).await;
    assert_nothing_is_left(&world, &leases).await;
    listener.close().await;
    world.clean_up().await;
}

/// Else the end of another socket, which is told late, would take the visit with it.
#[tokio::test]
async fn a_visit_is_noted_with_a_socket_that_is_registered_and_counts() {
    let world = World::new().await;
    let (leases, presences) = (Leases::new(world.broker.clone()), Presences::new(world.broker.clone()));
    let (g1, g2) = (held(&leases, "g1").await, held(&leases, "g2").await);
    let (ann, at) = (user("ann"), conversation("c"));
    presences.connect(&g1, &ann, &session("s1", 1)).await.unwrap().unwrap();
    assert_eq!(presences.visit(&ann, &id("s2"), &at).await.unwrap(), None, "only the other one is known");
    let gone = presences.disconnect(&g1, &ann, &id("s1")).await.unwrap().unwrap();
    assert!(gone.conversations.is_empty());
    presences.connect(&g1, &ann, &session("s2", 1)).await.unwrap().unwrap();
    assert_eq!(presences.connect(&g2, &ann, &session("s3", 1)).await.unwrap(), None);
    assert!(presences.visit(&ann, &id("s2"), &at).await.unwrap().is_some());
    expire(&leases, &g1).await;
    assert_eq!(presences.visit(&ann, &id("s2"), &at).await.unwrap(), None, "its lease is over");
    assert!(presences.visit(&ann, &id("s3"), &at).await.unwrap().is_some());
    presences.expel(&g1, &ann).await.unwrap();
    presences.announce(&presences.disconnect(&g2, &ann, &id("s3")).await.unwrap().unwrap()).await.unwrap();
    expire(&leases, &g2).await;
    assert_nothing_is_left(&world, &leases).await;
    world.clean_up().await;
}

#[tokio::test]
async fn only_so_many_conversations_are_told_of_a_user() {
    let world = World::new().await;
    let (leases, presences) = (Leases::new(world.broker.clone()), Presences::new(world.broker.clone()));
    let lease = held(&leases, "g1").await;
    let ann = user("ann");
    presences.connect(&lease, &ann, &session("s1", 1)).await.unwrap().unwrap();
    for n in 0..MAX_VISITS + 5 {
        assert!(presences.visit(&ann, &id("s1"), &conversation(&format!("c{n}"))).await.unwrap().is_some());
    }
    let (_, away) = presences.set_status(&ann, Status::Away).await.unwrap().unwrap();
    assert_eq!(away.unwrap().conversations.len(), MAX_VISITS);
    presences.visit(&ann, &id("s1"), &conversation("next")).await.unwrap().unwrap();
    let (_, busy) = presences.set_status(&ann, Status::Busy).await.unwrap().unwrap();
    let told: BTreeSet<_> = busy.unwrap().conversations.into_iter().map(String::from).collect();
    assert_eq!((told.len(), told.contains("next")), (MAX_VISITS, true), "the newest one is told");
    // Whoever is there already takes nobody's place.
    presences.visit(&ann, &id("s1"), &conversation("next")).await.unwrap().unwrap();
    let (_, away) = presences.set_status(&ann, Status::Away).await.unwrap().unwrap();
    let still: BTreeSet<_> = away.unwrap().conversations.into_iter().map(String::from).collect();
    assert_eq!(still, told);
    world.clean_up().await;
}

/// Gateways call from tasks of their own.
#[tokio::test]
async fn every_call_can_be_made_from_a_task() {
    let world = World::new().await;
    let (leases, presences) = (Leases::new(world.broker.clone()), Presences::new(world.broker.clone()));
    let (members, stats) = (Members::new(world.broker.clone()), Stats::new(world.broker.clone()));
    let task = async move {
        let lease = held(&leases, "g1").await;
        leases.renew(&lease, LONG).await?;
        presences.connect(&lease, &user("ann"), &session("s1", 1)).await?;
        presences.visit(&user("ann"), &id("s1"), &conversation("c")).await?;
        if let Some((_, Some(transition))) = presences.set_status(&user("ann"), Status::Away).await? {
            presences.announce(&transition).await?;
        }
        for partition in [Partition(0), Partition(1)] {
            assert!(presences.unannounced(partition, LONG, 10).await?.is_empty());
            assert!(leases.expired(partition, LONG).await?.is_empty());
        }
        let read = (presences.get(&[user("ann")]).await?, presences.online(None, 10).await?);
        members.change(&lease, &conversation("c"), &Changes::default(), 200).await?;
        members.expel(&lease, &conversation("c"), 200).await?;
        stats.report(&lease, &GatewayStats::default()).await?;
        let read = (read, members.some(&conversation("c"), 1).await?, stats.read().await?);
        leases.end(&lease, LONG).await?;
        Ok::<_, BrokerError>(read)
    };
    let ((presence, online), (members, _), stats) = within(task).await.unwrap();
    assert_eq!((presence[0].status, online.total, members.len(), stats.users), (Status::Away, 1, 0, 1));
    assert_eq!(stats.gateways.len(), 1);
    world.clean_up().await;
}

/// What runs in a task must be `Send`.
async fn within<T>(task: impl Future<Output = T> + Send) -> T {
    task.await
}

#[tokio::test]
async fn pages_of_those_online_have_everybody_once() {
    let world = World::new().await;
    let (leases, presences) = (Leases::new(world.broker.clone()), Presences::new(world.broker.clone()));
    let lease = held(&leases, "g1").await;
    // Odd ids among them: they are bounds of ranges too.
    let odd = ["-", "+", "(", "[", "+inf", "(u1", "a b", "}:{", "ä", "\u{10ffff}"].map(String::from);
    let all: BTreeSet<String> = (0..40).map(|n| format!("u{n}")).chain(odd).collect();
    for name in &all {
        presences.connect(&lease, &user(name), &session("s", 1)).await.unwrap().unwrap();
    }
    for limit in [1, 7, 49, 50, 51, u64::MAX] {
        let (mut found, mut after): (Vec<String>, Option<(Partition, UserId)>) = (Vec::new(), None);
        loop {
            let page = presences.online(after.as_ref(), limit).await.unwrap();
            assert_eq!(page.total, 50);
            assert!(page.users.len() as u64 <= limit);
            found.extend(page.users.into_iter().map(String::from));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found.len(), all.len(), "in pages of {limit}");
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), all);
    }
    let beyond = presences.online(Some(&(Partition(7), user("a"))), 10).await.unwrap();
    assert_eq!((beyond.users.len(), beyond.next), (0, None), "a partition that there is not");
    world.clean_up().await;
}

#[tokio::test]
async fn many_users_are_read_in_their_order() {
    let world = World::new().await;
    let (leases, presences) = (Leases::new(world.broker.clone()), Presences::new(world.broker.clone()));
    let lease = held(&leases, "g1").await;
    let users: Vec<UserId> = (0..450).map(|n| user(&format!("u{n}"))).collect();
    for user in users.iter().step_by(3) {
        presences.connect(&lease, user, &session("s", 1)).await.unwrap().unwrap();
    }
    let mut asked = users.clone();
    asked.extend(users[..3].to_vec());
    let found = presences.get(&asked).await.unwrap();
    assert_eq!(
        found.iter().map(|presence| &presence.user).collect::<Vec<_>>(),
        asked.iter().collect::<Vec<_>>()
    );
    for (place, presence) in found.iter().enumerate() {
        assert_eq!(presence.connected, place % 3 == 0, "{presence:?}");
    }
    assert_eq!(presences.get(&[]).await.unwrap(), []);
    world.clean_up().await;
}

#[tokio::test]
async fn a_newer_time_than_the_stored_one_stays() {
    let world = World::new().await;
    let (leases, presences) = (Leases::new(world.broker.clone()), Presences::new(world.broker.clone()));
    let lease = held(&leases, "g1").await;
    let (ann, bob) = (user("c2"), user("c6"));
    let partition = world.broker.keys().partitions().of(ann.as_str());
    assert_eq!(partition, world.broker.keys().partitions().of(bob.as_str()));
    let visit = async |user: &UserId| {
        presences.connect(&lease, user, &session("s", 1)).await.unwrap().unwrap();
        presences.disconnect(&lease, user, &id("s")).await.unwrap().unwrap().presence.at
    };
    let (ann_at, bob_at) = (visit(&ann).await, visit(&bob).await);
    let read = presences.last_seen(partition, 10).await.unwrap();
    assert_eq!(read.len(), 2);
    assert!(read.contains(&(ann.clone(), ann_at)) && read.contains(&(bob.clone(), bob_at)));
    assert_eq!(presences.last_seen(partition, 1).await.unwrap().len(), 1);
    assert_eq!(presences.last_seen(partition, 0).await.unwrap(), []);
    let newer = visit(&ann).await;
    assert!(newer > ann_at);
    presences.stored(partition, &read).await.unwrap();
    assert_eq!(presences.last_seen(partition, 10).await.unwrap(), [(ann.clone(), newer)]);
    presences.stored(partition, &[(ann.clone(), newer)]).await.unwrap();
    presences.stored(partition, &[(ann, newer)]).await.unwrap();
    expire(&leases, &lease).await;
    assert_nothing_is_left(&world, &leases).await;
    world.clean_up().await;
}
