//! What becomes of reactions and calls, and of their objects in Redis.

use fred::interfaces::{HashesInterface, KeysInterface};
use parlance_broker::objects::ObjectId;
use parlance_domain::{event::EventKind, version::Version};
use parlance_store::reaction::by_emoji;

use crate::{
    entries::{RANG_AT, call, call_id, message_id, reaction},
    world::World,
};

fn at(rev: u64) -> Version {
    Version::new(1, rev)
}

#[tokio::test]
async fn a_removal_that_comes_first_wins_against_what_it_removed() {
    let world = World::new().await;
    let worker = world.start(&[]).await;
    world.append(&reaction("c1", at(5), 1, ("anna", "👍"), false)).await;
    world.drained().await;
    world
        .append_all(&[
            reaction("c1", at(3), 1, ("anna", "👍"), true),
            reaction("c1", at(4), 1, ("ben", "👍"), true),
            reaction("c1", at(6), 1, ("anna", "🎉"), true),
        ])
        .await;
    world.drained().await;

    let stored = world.store.reactions(&[message_id("c1", 1)]).await.unwrap();
    let told = by_emoji(&stored[&message_id("c1", 1)]).view();
    let user = |id: &str| serde_json::json!([{"id": id, "name": id.to_uppercase()}]);
    let expected = serde_json::json!([
        {"emoji": "👍", "count": 1, "users": user("ben")}, {"emoji": "🎉", "count": 1, "users": user("anna")}]);
    assert_eq!(told, expected);
    worker.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn a_call_is_stored_as_its_last_event_left_it_with_everybody_who_was_in_it() {
    let world = World::new().await;
    let worker = world.start(&[]).await;
    let entries = [
        call(EventKind::CallEnded, "c1", at(4), 1, &["anna", "ben", "cleo"]).later(9_000),
        call(EventKind::CallStarted, "c1", at(1), 1, &["anna"]),
        call(EventKind::CallAnswered, "c1", at(3), 1, &["anna", "ben", "cleo"]).later(2_000),
        call(EventKind::CallStarted, "c1", at(2), 2, &["ben"]),
    ];
    for entry in entries {
        world.append(&entry).await;
        world.drained().await;
    }
    let stored = world.store.call(call_id("c1", 1)).await.unwrap().unwrap();
    assert_eq!((stored.status.as_str(), stored.version, stored.started_at.0), ("ended", at(4), RANG_AT));
    assert!(stored.ended_at.is_some());
    let users: Vec<&str> = stored.participants.iter().map(|one| one.user.id.as_str()).collect();
    assert_eq!(users, ["anna", "ben", "cleo"]);
    let ringing = world.store.call(call_id("c1", 2)).await.unwrap().unwrap();
    assert_eq!((ringing.status.as_str(), ringing.ended_at), ("ringing", None));
    worker.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn objects_expire_once_the_newest_event_of_any_kind_is_stored() {
    let world = World::new().await;
    // A conversation of partition 0, which the ids of the tests carry.
    let name = (0..).map(|n| format!("c{n}")).find(|name| world.partition(name).0 == 0).unwrap();
    let objects: [(ObjectId, u64); 3] =
        [(message_id(&name, 1).into(), 2), (message_id(&name, 2).into(), 9), (call_id(&name, 1).into(), 4)];
    let keys = objects.map(|(id, _)| world.broker.keys().object(id).unwrap());
    for (key, (_, rev)) in keys.iter().zip(objects) {
        let fields = vec![("epoch", 1), ("rev", rev)];
        let _: () = world.broker.client().hset(key, fields).await.unwrap();
    }
    let worker = world.start(&[]).await;
    world
        .append_all(&[
            reaction(&name, at(2), 1, ("anna", "👍"), true),
            reaction(&name, at(3), 2, ("anna", "👍"), true),
            call(EventKind::CallStarted, &name, at(4), 1, &["anna"]),
        ])
        .await;
    world.drained().await;
    let mut expire = Vec::new();
    for key in &keys {
        expire.push(world.broker.client().ttl::<i64, _>(key).await.unwrap() > 0);
    }
    assert_eq!(expire, [true, false, true], "something newer of the second message waits to be stored");
    worker.stop().await;
    world.clean_up().await;
}
