//! Who is in a conversation.

use std::{collections::HashSet, time::Duration};

use fred::interfaces::SortedSetsInterface;
use parlance_broker::here::{Here, Occupant};
use parlance_domain::id::{ConversationId, SessionId, UserId};

use crate::{
    server::Server,
    world::{DEADLINE, World, conversation, eventually},
};

const LONG: Duration = Duration::from_secs(30);

fn occupant(session: &str, user: &str) -> Occupant {
    Occupant { session: SessionId::new(session).unwrap(), user: UserId::new(user).unwrap() }
}

/// Reads once Redis runs for long enough.
async fn users(here: &Here, id: &ConversationId) -> HashSet<String> {
    let users = eventually("redis has settled", async || match here.users(id).await {
        Err(error) if error.is_retryable() => Err(error),
        answer => Ok(answer.unwrap()),
    })
    .await;
    users.into_iter().map(String::from).collect()
}

fn names(of: &[&str]) -> HashSet<String> {
    of.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn a_user_is_here_until_the_last_of_his_sockets_has_left() {
    let world = World::new().await;
    let here = Here::new(world.broker.clone());
    let id = conversation("c");
    let (phone, laptop, bob) =
        (occupant("s1", "ann"), occupant("s2", "ann"), occupant("s3", "bob: the 2:nd"));
    assert_eq!(users(&here, &id).await, names(&[]));
    here.change(&id, &[phone.clone(), laptop.clone(), bob], &[], LONG).await.unwrap();
    assert_eq!(users(&here, &id).await, names(&["ann", "bob: the 2:nd"]));
    assert_eq!(users(&here, &conversation("other")).await, names(&[]));
    here.change(&id, &[], std::slice::from_ref(&phone), LONG).await.unwrap();
    assert_eq!(users(&here, &id).await, names(&["ann", "bob: the 2:nd"]));
    here.change(&id, std::slice::from_ref(&phone), &[laptop, occupant("s9", "nobody")], LONG).await.unwrap();
    here.change(&id, &[], &[phone], LONG).await.unwrap();
    assert_eq!(users(&here, &id).await, names(&["bob: the 2:nd"]));
    world.clean_up().await;
}

#[tokio::test]
async fn who_is_not_repeated_is_gone_and_so_is_the_key() {
    let world = World::new().await;
    let here = Here::new(world.broker.clone());
    let id = conversation("c");
    let brief = Duration::from_millis(300);
    here.change(&id, &[occupant("s1", "ann")], &[], brief).await.unwrap();
    here.change(&id, &[occupant("s2", "bob")], &[], LONG).await.unwrap();
    // A gateway with a shorter time does not shorten the others'.
    here.change(&id, &[occupant("s1", "ann")], &[], brief).await.unwrap();
    assert!(world.ttl(world.broker.keys().here(&id)).await > 20);
    eventually("ann is over", async || match users(&here, &id).await {
        left if left == names(&["bob"]) => Ok(()),
        other => Err(other),
    })
    .await;
    here.change(&id, &[occupant("s3", "carol")], &[], LONG).await.unwrap();
    let entries: u64 = world.broker.client().zcard(world.broker.keys().here(&id)).await.unwrap();
    assert_eq!(entries, 2, "what is over was taken out");

    let other = conversation("other");
    here.change(&other, &[occupant("s1", "ann")], &[], brief).await.unwrap();
    eventually("the key is gone", async || match world.ttl(world.broker.keys().here(&other)).await {
        -2 => Ok(()),
        ttl => Err(ttl),
    })
    .await;
    world.clean_up().await;
}

#[tokio::test]
async fn more_sockets_than_one_command_takes_are_all_here() {
    let world = World::new().await;
    let here = Here::new(world.broker.clone());
    let id = conversation("c");
    let all: Vec<Occupant> = (0..2_500).map(|n| occupant(&format!("s{n}"), &format!("u{n}"))).collect();
    here.change(&id, &all, &[], LONG).await.unwrap();
    assert_eq!(users(&here, &id).await.len(), 2_500);
    here.change(&id, &all[..10], &all[10..], LONG).await.unwrap();
    assert_eq!(users(&here, &id).await.len(), 10);
    world.clean_up().await;
}

#[tokio::test]
async fn a_redis_that_has_just_started_does_not_say_that_nobody_is_here() {
    let mut server = Server::start();
    let world = World::at(&server.url(), DEADLINE).await;
    let here = Here::new(world.broker.clone());
    let id = conversation("c");
    here.change(&id, &[occupant("s1", "ann")], &[], LONG).await.unwrap();
    assert_eq!(users(&here, &id).await, names(&["ann"]));
    let mut reconnections = here.reconnections();
    server.kill();
    server.start_again();
    tokio::time::timeout(DEADLINE, reconnections.next()).await.expect("the connection is back");
    let error = here.users(&id).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    here.change(&id, &[occupant("s1", "ann")], &[], LONG).await.unwrap();
    assert_eq!(users(&here, &id).await, names(&["ann"]));
    world.clean_up().await;
}
