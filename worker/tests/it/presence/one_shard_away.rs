//! One master of a Redis cluster does not answer: what the others have is looked after all the same.

use std::time::Duration;

use fred::interfaces::SortedSetsInterface;
use parlance_domain::{presence::Status, user::Profile};

use super::gateway::{LONG, SOON, TestGateway, announced, conversation_ear, left, told, user};
use crate::{
    cluster::Cluster,
    world::{World, eventually},
};

/// Which master is away.
const AWAY: usize = 1;
/// Of how many users each master knows.
const USERS: usize = 3;

/// Ids whose partition one master has.
fn ids_on(cluster: &Cluster, world: &World, node: usize, kind: &str) -> Vec<String> {
    let partitions = world.broker.keys().partitions();
    let ids = (0..).map(|number| format!("{kind}-{number}"));
    ids.filter(|id| cluster.node_of(partitions, partitions.of(id)) == node).take(USERS).collect()
}

/// Waits until when these users went is in Postgres.
async fn stored(world: &World, ids: &[&String]) {
    eventually("when they went is stored", async || {
        let users: Vec<_> = ids.iter().map(|id| user(id)).collect();
        let stored = world.store.last_seen(&users).await.unwrap();
        if stored.len() == users.len() { Ok(()) } else { Err(stored) }
    })
    .await;
}

/// Waits until nobody of these is online.
async fn offline(gateway: &TestGateway, ids: &[&String]) {
    eventually("they are offline", async || {
        let users: Vec<_> = ids.iter().map(|id| user(id)).collect();
        let now = gateway.presences.get(&users).await.unwrap();
        if now.iter().all(|presence| presence.status == Status::Offline) { Ok(()) } else { Err(now) }
    })
    .await;
}

#[tokio::test]
async fn the_users_of_living_masters_are_removed_announced_and_stored_and_those_of_the_other_one_when_it_is_back()
 {
    let cluster = Cluster::start();
    let world = World::in_cluster(&cluster.url()).await;
    let gateway = TestGateway::start(&world, LONG).await;
    let users: Vec<Vec<String>> = (0..3).map(|node| ids_on(&cluster, &world, node, "user")).collect();
    let rooms: Vec<String> = (0..3).map(|node| ids_on(&cluster, &world, node, "room").remove(0)).collect();
    for id in users.iter().flatten() {
        world.store.upsert_user_claims(&Profile::unknown(user(id))).await.unwrap();
        gateway.connect(id).await;
    }
    // Each master's first user is in conversations of all masters, the others only where it lives.
    for (node, ids) in users.iter().enumerate() {
        for room in &rooms {
            gateway.join(&ids[0], room).await;
        }
        gateway.join(&ids[1], &rooms[if node == AWAY { 0 } else { node }]).await;
    }
    let mut room = conversation_ear(&world, &rooms[0]).await;
    let mut away_room = conversation_ear(&world, &rooms[AWAY]).await;
    let worker = world.start(&SOON).await;
    // That a first one is forgotten shows that the worker trusts its clock.
    let first = TestGateway::start(&world, LONG).await;
    first.die().await;
    first.forgotten(&world).await;

    cluster.freeze(AWAY);
    let living: Vec<&String> = [&users[0], &users[2]].into_iter().flatten().collect();
    tokio::select! {
        // Where Redis answers it has ended long before this does.
        ended = gateway.leases.end(&gateway.lease, Duration::ZERO) => panic!("a master is away: {ended:?}"),
        () = offline(&gateway, &living) => {}
    }
    stored(&world, &living).await;
    // Those who are in conversations of the other master too stay on the list until these are told.
    let waiting = async || {
        let mut waiting: Vec<String> = Vec::new();
        for partition in world.broker.keys().partitions().all() {
            if cluster.node_of(world.broker.keys().partitions(), partition) != AWAY {
                let key = world.broker.keys().unannounced(partition);
                let some: Vec<String> =
                    world.broker.client().zrange(key, 0, -1, None, false, None, false).await.unwrap();
                waiting.extend(some);
            }
        }
        waiting.sort_unstable();
        waiting
    };
    let mut crossing = vec![users[0][0].clone(), users[2][0].clone()];
    crossing.sort_unstable();
    eventually("what can be announced is", async || {
        let waiting = waiting().await;
        if waiting == crossing { Ok(()) } else { Err(waiting) }
    })
    .await;
    let mut heard = Vec::new();
    eventually_heard(&mut room, &mut heard, &rooms[0], &[&users[0][0], &users[0][1], &users[2][0]]).await;

    cluster.thaw(AWAY);
    eventually("the tests' own connection is back", async || {
        gateway.leases.end(&gateway.lease, Duration::ZERO).await
    })
    .await;
    gateway.forgotten(&world).await;
    announced(&world).await;
    let all: Vec<&String> = users.iter().flatten().collect();
    offline(&gateway, &all).await;
    stored(&world, &all).await;
    heard.extend(room.rest().await);
    let mut gone = left(&rooms[0], &heard);
    gone.sort_unstable();
    let mut expected: Vec<_> =
        [&users[0][0], &users[0][1], &users[1][0], &users[1][1], &users[2][0]].map(|id| user(id)).to_vec();
    expected.sort_unstable();
    assert_eq!(gone, expected, "each leaves once");
    let mut everybody: Vec<_> =
        told(&rooms[AWAY], &away_room.rest().await).into_iter().map(|presence| presence.user).collect();
    everybody.sort_unstable();
    everybody.dedup();
    let mut expected: Vec<_> = users.iter().map(|ids| user(&ids[0])).collect();
    expected.sort_unstable();
    assert_eq!(everybody, expected, "who went meanwhile is told of later");
    worker.stop().await;
    room.end().await;
    away_room.end().await;
}

/// Waits until a conversation was told that each of these is offline.
async fn eventually_heard(ear: &mut crate::ear::Ear, heard: &mut Vec<String>, room: &str, ids: &[&String]) {
    let deadline = tokio::time::Instant::now() + crate::world::DEADLINE;
    let is_told = |heard: &[String], id: &str| {
        told(room, heard).iter().any(|one| one.user == user(id) && one.status == Status::Offline)
    };
    while !ids.iter().all(|id| is_told(heard, id)) {
        assert!(tokio::time::Instant::now() < deadline, "not told in time: {heard:?}");
        heard.extend(ear.rest().await);
    }
}
