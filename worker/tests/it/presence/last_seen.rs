//! When users were last seen is kept in Postgres.

use fred::interfaces::SortedSetsInterface;
use parlance_domain::{id::UserId, time::Timestamp, user::Profile};

use super::gateway::{LONG, SOON, TestGateway, user};
use crate::{
    proxy::Proxy,
    world::{World, eventually},
};

/// As gateways do when a user connects.
async fn known(world: &World, id: &str) {
    world.store.upsert_user_claims(&Profile::unknown(user(id))).await.unwrap();
}

async fn stored(world: &World, id: &str) -> Option<Timestamp> {
    world.store.last_seen(&[user(id)]).await.unwrap().remove(&user(id))
}

/// How many users Redis keeps because they are not stored.
async fn waiting(world: &World) -> u64 {
    let mut all = 0;
    for partition in world.broker.keys().partitions().all() {
        let key = world.broker.keys().last_seen(partition);
        all += world.broker.client().zcard::<u64, _>(key).await.unwrap();
    }
    all
}

async fn all_stored(world: &World) {
    eventually("nothing waits to be stored", async || match waiting(world).await {
        0 => Ok(()),
        some => Err(some),
    })
    .await;
}

#[tokio::test]
async fn when_a_user_went_is_stored_and_the_newest_time_wins() {
    let world = World::new().await;
    let gateway = TestGateway::start(&world, LONG).await;
    known(&world, "anna").await;
    gateway.connect("anna").await;
    let first = gateway.disconnect("anna").await.unwrap().presence;
    let worker = world.start(&SOON).await;
    all_stored(&world).await;
    assert_eq!(stored(&world, "anna").await, first.last_seen());

    gateway.connect("anna").await;
    let second = gateway.disconnect("anna").await.unwrap().presence;
    assert!(second.at > first.at);
    all_stored(&world).await;
    assert_eq!(stored(&world, "anna").await, second.last_seen());
    worker.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn while_postgres_is_away_redis_keeps_it_and_nothing_is_lost() {
    let world = World::new().await;
    let gateway = TestGateway::start(&world, LONG).await;
    let proxy = Proxy::before(&world.database.url()).await;
    let mut environment = SOON.to_vec();
    environment.push(("PARLANCE__POSTGRES__URL", proxy.url()));
    let worker = world.start(&environment).await;
    proxy.cut();
    const USERS: usize = 1_200;
    let ids: Vec<UserId> = (0..USERS).map(|number| user(&format!("user-{number}"))).collect();
    for id in &ids {
        known(&world, id.as_str()).await;
    }
    gateway.connect_many(USERS).await;
    gateway.die().await;
    gateway.forgotten(&world).await;
    assert_eq!(waiting(&world).await, USERS as u64, "a sweep does not wait for postgres");
    assert!(world.store.last_seen(&ids).await.unwrap().is_empty());

    proxy.mend();
    all_stored(&world).await;
    assert_eq!(world.store.last_seen(&ids).await.unwrap().len(), USERS);
    worker.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn a_user_who_was_deleted_does_not_come_back_by_being_seen() {
    let world = World::new().await;
    let gateway = TestGateway::start(&world, LONG).await;
    gateway.connect("anna").await;
    gateway.disconnect("anna").await.unwrap();
    let worker = world.start(&SOON).await;
    all_stored(&world).await;
    assert_eq!(world.store.user(&user("anna")).await.unwrap(), None);
    worker.stop().await;
    world.clean_up().await;
}
