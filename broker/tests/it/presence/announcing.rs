//! That every transition is announced, at least once.

use std::{slice::from_ref, time::Duration};

use fred::interfaces::{KeysInterface, SortedSetsInterface};
use parlance_broker::{
    lease::Leases,
    presence::{ConnectedSession, Presences, Transition},
};
use parlance_domain::presence::{Presence, Status};

use super::{id, session, user};
use crate::{
    lease::{assert_nothing_is_left, expire, held},
    listening::Listener,
    world::{World, conversation},
};

/// Both partitions' unannounced transitions.
async fn unannounced(world: &World, presences: &Presences, age: Duration) -> Vec<Transition> {
    let mut all = Vec::new();
    for partition in world.broker.keys().partitions().all() {
        all.extend(presences.unannounced(partition, age, 100).await.unwrap());
    }
    all
}

#[tokio::test]
async fn the_conversations_that_a_user_is_in_are_told_and_no_others() {
    let world = World::new().await;
    let (leases, presences) = (Leases::new(world.broker.clone()), Presences::new(world.broker.clone()));
    let lease = held(&leases, "g1").await;
    let names = ["c1", "c 2:{x}", "left", "other"];
    let mut listener = Listener::new(&world, &names).await;
    let ann = user("ann / \"x\" {y}");
    let connected = presences.connect(&lease, &ann, &session("s1", 1)).await.unwrap().unwrap();
    assert!(connected.conversations.is_empty());
    presences.announce(&connected).await.unwrap();
    for name in &names[..3] {
        let presence = presences.visit(&ann, &id("s1"), &conversation(name)).await.unwrap();
        assert_eq!(presence, Some(connected.presence.clone()));
    }
    presences.leave(&ann, &conversation("left")).await.unwrap();
    assert_eq!(listener.heard(&world).await.events, []);

    let (away, transition) = presences.set_status(&ann, Status::Away).await.unwrap().unwrap();
    presences.announce(&transition.unwrap()).await.unwrap();
    let told = |presence: &Presence| {
        vec![(String::from("c 2:{x}"), presence.clone()), (String::from("c1"), presence.clone())]
    };
    let heard = listener.heard(&world).await;
    assert_eq!(heard.presences(), told(&away));
    assert_eq!(heard.announcements.len(), 1);
    assert_eq!(heard.announcements[0].presence, away);

    let gone = presences.disconnect(&lease, &ann, &id("s1")).await.unwrap().unwrap();
    presences.announce(&gone).await.unwrap();
    assert_eq!(listener.heard(&world).await.presences(), told(&gone.presence));
    // Next time he has to come to them again.
    let connected = presences.connect(&lease, &ann, &session("s1", 1)).await.unwrap().unwrap();
    assert!(connected.conversations.is_empty());
    presences.disconnect(&lease, &ann, &id("s1")).await.unwrap().unwrap();
    expire(&leases, &lease).await;
    assert_nothing_is_left(&world, &leases).await;
    listener.close().await;
    world.clean_up().await;
}

#[tokio::test]
async fn what_its_finder_could_not_announce_is_found_by_a_worker() {
    let world = World::new().await;
    let (leases, presences) = (Leases::new(world.broker.clone()), Presences::new(world.broker.clone()));
    let lease = held(&leases, "g1").await;
    let mut listener = Listener::new(&world, &["c"]).await;
    let (ann, bob) = (user("ann"), user("bob"));
    for (user, dialect) in [(&ann, "native"), (&bob, "legacy")] {
        let session = ConnectedSession { dialect: dialect.to_owned(), ..session("s1", 1) };
        presences.connect(&lease, user, &session).await.unwrap().unwrap();
        presences.visit(user, &id("s1"), &conversation("c")).await.unwrap().unwrap();
    }
    assert_eq!(unannounced(&world, &presences, Duration::ZERO).await, [], "nobody is to be told of it");
    let gone = presences.disconnect(&lease, &ann, &id("s1")).await.unwrap().unwrap();
    listener.heard(&world).await;

    // Whoever found it out died.
    assert_eq!(
        unannounced(&world, &presences, Duration::from_secs(60)).await,
        [],
        "somebody may be about to"
    );
    assert_eq!(unannounced(&world, &presences, Duration::ZERO).await, from_ref(&gone));
    let heard = listener.heard(&world).await;
    assert_eq!((heard.announcements.len(), heard.events.len()), (1, 0), "everybody is told again");
    assert_eq!(heard.announcements[0].presence, gone.presence);
    assert_eq!(heard.announcements[0].dialects, ["native"]);

    // Whoever took it up died too. It is taken up by one at a time.
    let long = Duration::from_secs(60);
    let key = world.broker.keys().unannounced(world.broker.keys().partitions().of("ann"));
    let _: i64 = world.broker.client().zadd(&key, None, None, false, false, (1.0, "ann")).await.unwrap();
    assert_eq!(unannounced(&world, &presences, long).await, from_ref(&gone));
    assert_eq!(unannounced(&world, &presences, long).await, []);
    presences.announce(&gone).await.unwrap();
    assert_eq!(unannounced(&world, &presences, Duration::ZERO).await, []);
    assert_eq!(listener.heard(&world).await.presences(), [(String::from("c"), gone.presence.clone())]);
    assert_eq!(presences.get(&[ann]).await.unwrap()[0].at, gone.presence.at);

    presences.leave(&bob, &conversation("c")).await.unwrap();
    let gone = presences.disconnect(&lease, &bob, &id("s1")).await.unwrap().unwrap();
    assert!(gone.conversations.is_empty());
    presences.announce(&gone).await.unwrap();
    expire(&leases, &lease).await;
    assert_nothing_is_left(&world, &leases).await;
    listener.close().await;
    world.clean_up().await;
}

#[tokio::test]
async fn to_announce_twice_or_late_does_no_harm() {
    let world = World::new().await;
    let (leases, presences) = (Leases::new(world.broker.clone()), Presences::new(world.broker.clone()));
    let lease = held(&leases, "g1").await;
    let ann = user("ann");
    presences.connect(&lease, &ann, &session("s1", 1)).await.unwrap().unwrap();
    presences.visit(&ann, &id("s1"), &conversation("c")).await.unwrap().unwrap();
    let gone = presences.disconnect(&lease, &ann, &id("s1")).await.unwrap().unwrap();
    // He is back before anybody was told that he had gone: they are told of both.
    let back = presences.connect(&lease, &ann, &session("s2", 1)).await.unwrap().unwrap();
    assert_eq!(back.conversations, [conversation("c")]);
    assert!(back.presence.at > gone.presence.at);
    for _ in 0..2 {
        presences.announce(&gone).await.unwrap();
    }
    assert_eq!(
        unannounced(&world, &presences, Duration::ZERO).await,
        from_ref(&back),
        "the newer one is not told"
    );
    for _ in 0..2 {
        presences.announce(&back).await.unwrap();
    }
    assert_eq!(unannounced(&world, &presences, Duration::ZERO).await, []);
    assert!(presences.get(from_ref(&ann)).await.unwrap()[0].connected);
    let (_, away) = presences.set_status(&ann, Status::Away).await.unwrap().unwrap();
    assert_eq!(away.unwrap().conversations, [conversation("c")], "it is still told");
    presences.disconnect(&lease, &ann, &id("s2")).await.unwrap().unwrap();
    expire(&leases, &lease).await;
    assert_nothing_is_left(&world, &leases).await;
    world.clean_up().await;
}

#[tokio::test]
async fn who_left_the_last_conversation_before_it_was_told_leaves_nothing_behind() {
    let world = World::new().await;
    let (leases, presences) = (Leases::new(world.broker.clone()), Presences::new(world.broker.clone()));
    let lease = held(&leases, "g1").await;
    for (name, goes) in [("ann", true), ("bob", false)] {
        let user = user(name);
        presences.connect(&lease, &user, &session("s1", 1)).await.unwrap().unwrap();
        presences.visit(&user, &id("s1"), &conversation("c")).await.unwrap().unwrap();
        if goes {
            presences.disconnect(&lease, &user, &id("s1")).await.unwrap().unwrap();
        } else {
            presences.set_status(&user, Status::Busy).await.unwrap().unwrap();
        }
        presences.leave(&user, &conversation("c")).await.unwrap();
    }
    assert_eq!(unannounced(&world, &presences, Duration::ZERO).await, []);
    let (ann, bob) = (world.broker.keys().presence(&user("ann")), world.broker.keys().presence(&user("bob")));
    let keys = world.keys().await;
    assert_eq!((keys.contains(&ann), keys.contains(&bob)), (false, true));
    expire(&leases, &lease).await;
    assert_nothing_is_left(&world, &leases).await;
    world.clean_up().await;
}

#[tokio::test]
async fn one_that_cannot_be_read_does_not_hold_up_the_others() {
    let world = World::new().await;
    let (leases, presences) = (Leases::new(world.broker.clone()), Presences::new(world.broker.clone()));
    let lease = held(&leases, "g1").await;
    // Both in one partition.
    let (broken, ann) = (user("c2"), user("c6"));
    let partition = world.broker.keys().partitions().of("c2");
    assert_eq!(partition, world.broker.keys().partitions().of("c6"));
    for user in [&broken, &ann] {
        presences.connect(&lease, user, &session("s1", 1)).await.unwrap().unwrap();
        presences.visit(user, &id("s1"), &conversation("c")).await.unwrap().unwrap();
        presences.set_status(user, Status::Away).await.unwrap().unwrap();
    }
    let key = world.broker.keys().presence(&broken);
    let _: u64 = world.broker.client().del(&key).await.unwrap();
    let _: () = world.broker.client().set(&key, "no hash", None, None, false).await.unwrap();
    let found = presences.unannounced(partition, Duration::ZERO, 10).await.unwrap();
    assert_eq!(found.iter().map(|one| &one.presence.user).collect::<Vec<_>>(), [&ann]);
    let _: u64 = world.broker.client().del(&key).await.unwrap();
    presences.announce(&found[0]).await.unwrap();
    assert_eq!(presences.unannounced(partition, Duration::ZERO, 10).await.unwrap(), []);
    world.clean_up().await;
}
