//! The clients of gateways that are gone.

use std::collections::{BTreeSet, HashMap};

use fred::interfaces::KeysInterface;
use parlance_domain::presence::Status;

use super::gateway::{
    LONG, SOON, TestGateway, announced, conversation, conversation_ear, left, presence_ear, presences,
    times_offline, told, user,
};
use crate::world::{World, eventually};

const USERS: usize = 300;

#[tokio::test]
async fn the_users_of_a_dead_gateway_go_offline_once_however_many_workers_compete() {
    let world = World::new().await;
    let gateway = TestGateway::start(&world, LONG).await;
    gateway.connect_many(USERS).await;
    for number in 0..20 {
        gateway.join(&format!("user-{number}"), "c1").await;
    }
    let mut everywhere = presence_ear(&world).await;
    let mut room = conversation_ear(&world, "c1").await;
    gateway.die().await;
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(world.start(&SOON).await);
    }
    gateway.forgotten(&world).await;
    announced(&world).await;

    let told_everywhere = presences(&everywhere.rest().await);
    let offline = times_offline(&told_everywhere);
    assert_eq!(offline.len(), USERS);
    assert!(offline.values().all(|times| *times == 1), "{offline:?}");
    assert!(told_everywhere.iter().all(|presence| !presence.connected));
    let heard = room.rest().await;
    assert_eq!(times_offline(&told("c1", &heard)).into_values().collect::<Vec<_>>(), [1; 20]);
    let mut gone = left("c1", &heard);
    gone.sort_unstable();
    let mut all: Vec<_> = (0..20).map(|number| user(&format!("user-{number}"))).collect();
    all.sort_unstable();
    assert_eq!(gone, all, "each leaves the conversation once");
    assert_eq!(gateway.presences.online(None, 1).await.unwrap().total, 0);
    assert!(gateway.members.some(&conversation("c1"), 100).await.unwrap().0.is_empty());
    for worker in workers {
        worker.stop().await;
    }
    everywhere.end().await;
    room.end().await;
    world.clean_up().await;
}

#[tokio::test]
async fn a_gateway_that_lives_is_never_touched_and_a_second_device_there_keeps_its_user_online() {
    let world = World::new().await;
    let (living, dead) = (TestGateway::start(&world, LONG).await, TestGateway::start(&world, LONG).await);
    for id in ["anna", "ben"] {
        living.connect(id).await;
        living.join(id, "c1").await;
    }
    for id in ["anna", "carol"] {
        dead.connect(id).await;
        dead.join(id, "c1").await;
    }
    let mut everywhere = presence_ear(&world).await;
    let mut room = conversation_ear(&world, "c1").await;
    let worker = world.start(&SOON).await;
    dead.die().await;
    dead.forgotten(&world).await;
    announced(&world).await;

    assert_eq!(living.registered(&world).await, 3, "two users and a conversation");
    let now = living.presences.get(&[user("anna"), user("ben"), user("carol")]).await.unwrap();
    let shown: Vec<Status> = now.iter().map(|presence| presence.status).collect();
    assert_eq!(shown, [Status::Online, Status::Online, Status::Offline]);
    let sessions = living.presences.sessions(&user("anna")).await.unwrap();
    assert_eq!(sessions.iter().map(|(_, lease)| lease).collect::<Vec<_>>(), [&living.lease]);
    let (here, _) = living.members.some(&conversation("c1"), 100).await.unwrap();
    assert_eq!(here.into_iter().collect::<BTreeSet<_>>(), BTreeSet::from([user("anna"), user("ben")]));
    let only_carol = HashMap::from([(user("carol"), 1)]);
    assert_eq!(times_offline(&presences(&everywhere.rest().await)), only_carol);
    let heard = room.rest().await;
    assert_eq!((times_offline(&told("c1", &heard)), left("c1", &heard)), (only_carol, vec![user("carol")]));
    worker.stop().await;
    everywhere.end().await;
    room.end().await;
    world.clean_up().await;
}

#[tokio::test]
async fn a_sweep_that_ended_half_way_is_finished_by_the_next_worker() {
    let world = World::new().await;
    let gateway = TestGateway::start(&world, LONG).await;
    gateway.connect_many(100).await;
    for number in 0..100 {
        gateway.join(&format!("user-{number}"), &format!("c{}", number / 10)).await;
    }
    let mut everywhere = presence_ear(&world).await;
    let mut room = conversation_ear(&world, "c0").await;
    gateway.die().await;
    // As far as a worker came: it told no conversation of the last that it removed.
    for number in 0..30 {
        let id = user(&format!("user-{number}"));
        let transition = gateway.presences.expel(&gateway.lease, &id).await.unwrap().unwrap();
        if number >= 5 {
            gateway.presences.announce(&transition).await.unwrap();
        }
    }
    gateway.members.expel(&gateway.lease, &conversation("c0"), 10_000).await.unwrap();

    let worker = world.start(&SOON).await;
    gateway.forgotten(&world).await;
    announced(&world).await;
    let offline = times_offline(&presences(&everywhere.rest().await));
    assert_eq!(offline.len(), 100);
    assert!(offline.values().all(|times| *times == 1), "{offline:?}");
    let heard = room.rest().await;
    assert_eq!(times_offline(&told("c0", &heard)).into_values().collect::<Vec<_>>(), [1; 10]);
    assert_eq!(left("c0", &heard).len(), 10);
    worker.stop().await;
    everywhere.end().await;
    room.end().await;
    world.clean_up().await;
}

#[tokio::test]
async fn the_five_thousand_users_of_a_dead_gateway_are_removed_in_steps() {
    let world = World::new().await;
    let gateway = TestGateway::start(&world, LONG).await;
    gateway.connect_many(5_000).await;
    let mut everywhere = presence_ear(&world).await;
    let worker = world.start(&SOON).await;
    gateway.die().await;
    eventually("some are removed, and the rest waits", async || match gateway.registered(&world).await {
        some if (1..5_000).contains(&some) => Ok(()),
        other => Err(other),
    })
    .await;
    gateway.forgotten(&world).await;
    let offline = times_offline(&presences(&everywhere.rest().await));
    assert_eq!(offline.len(), 5_000);
    assert!(offline.values().all(|times| *times == 1));
    worker.stop().await;
    everywhere.end().await;
    world.clean_up().await;
}

#[tokio::test]
async fn what_cannot_be_removed_does_not_hold_up_the_rest() {
    let world = World::new().await;
    let (one, other) = (TestGateway::start(&world, LONG).await, TestGateway::start(&world, LONG).await);
    for gateway in [&one, &other] {
        gateway.connect_many(50).await;
    }
    one.connect("ben").await;
    // Something that is no presence stands where Ben's would.
    let (client, key) = (world.broker.client(), world.broker.keys().presence(&user("ben")));
    let _: i64 = client.del(&key).await.unwrap();
    let _: () = client.set(&key, "spoilt", None, None, false).await.unwrap();
    let worker = world.start(&SOON).await;
    one.die().await;
    other.die().await;
    other.forgotten(&world).await;
    eventually("only Ben is left", async || match one.registered(&world).await {
        1 => Ok(()),
        some => Err(some),
    })
    .await;
    let _: i64 = client.del(&key).await.unwrap();
    one.forgotten(&world).await;
    worker.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn an_interval_that_is_longer_than_the_ttl_stops_no_sweep() {
    let world = World::new().await;
    let gateway = TestGateway::start(&world, LONG).await;
    gateway.connect("anna").await;
    let environment = [("PARLANCE__PRESENCE__TTL", "1s"), ("PARLANCE__PRESENCE__SWEEP_INTERVAL", "60s")];
    let worker = world.start(&environment).await;
    gateway.die().await;
    gateway.forgotten(&world).await;
    worker.stop().await;
    world.clean_up().await;
}
