//! Letting keys expire of conversations that are persisted.

use fred::{
    interfaces::{HashesInterface, KeysInterface, SortedSetsInterface},
    types::Value,
};
use parlance_broker::ingest::{EntryId, Settler};
use parlance_domain::id::ConversationId;

use crate::{
    entries::message,
    world::{World, eventually},
};

/// Makes the keys that the append script makes.
async fn use_conversation(world: &World, conversation: &str, newest: &str) {
    let (client, keys) = (world.broker.client(), world.broker.keys());
    let id = ConversationId::new(conversation).unwrap();
    let newest: EntryId = newest.parse().unwrap();
    let _: Value = client.hset(keys.state(&id), vec![("rev", 1)]).await.unwrap();
    let _: Value = client.hset(keys.log(&id), vec![("stands", "for the log")]).await.unwrap();
    let key = keys.unsettled(world.partition(conversation));
    let _: Value =
        client.zadd(key, None, None, false, false, (newest.ms as f64, conversation)).await.unwrap();
}

async fn ttls(world: &World, conversation: &str) -> (i64, i64) {
    let (client, keys) = (world.broker.client(), world.broker.keys());
    let id = ConversationId::new(conversation).unwrap();
    (client.ttl(keys.state(&id)).await.unwrap(), client.ttl(keys.log(&id)).await.unwrap())
}

async fn unsettled(world: &World, conversation: &str) -> u64 {
    world.broker.client().zcard(world.broker.keys().unsettled(world.partition(conversation))).await.unwrap()
}

#[tokio::test]
async fn keys_expire_once_everything_is_persisted() {
    let world = World::new().await;
    let id = world.append(&message("c1", 1)).await;
    use_conversation(&world, "c1", &id).await;
    let settler = Settler::new(world.broker.clone());
    let partition = world.partition("c1");
    assert_eq!(settler.settle(partition, 100).await.unwrap(), 0, "its message is not persisted yet");
    assert_eq!(ttls(&world, "c1").await, (-1, -1));

    let worker = world.start(&[]).await;
    world.drained().await;
    eventually("the conversation is settled", async || match unsettled(&world, "c1").await {
        0 => Ok(()),
        left => Err(left),
    })
    .await;
    let (state, log) = ttls(&world, "c1").await;
    assert!((2_591_900..=2_592_000).contains(&state), "{state}");
    assert!((3_500..=3_600).contains(&log), "{log}");
    worker.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn only_conversations_below_the_mark_are_settled() {
    let world = World::new().await;
    let partition = world.partition("c1");
    let other = (2..).map(|n| format!("c{n}")).find(|name| world.partition(name) == partition).unwrap();
    use_conversation(&world, "c1", "1000-0").await;
    use_conversation(&world, &other, "2000-0").await;
    world.append_as(&message(&other, 1), "2000-0").await;
    let mark = world.broker.keys().persisted(partition);
    let _: Value = world.broker.client().set(mark, "2000-0", None, None, false).await.unwrap();

    let settler = Settler::new(world.broker.clone());
    assert_eq!(settler.settle(partition, 100).await.unwrap(), 1);
    assert_ne!(ttls(&world, "c1").await, (-1, -1));
    assert_eq!(ttls(&world, &other).await, (-1, -1));
    assert_eq!(unsettled(&world, "c1").await, 1);
    world.clean_up().await;
}

#[tokio::test]
async fn many_conversations_are_settled_in_steps() {
    let world = World::new().await;
    let partition = world.partition("c0");
    let names: Vec<String> =
        (0..).map(|n| format!("c{n}")).filter(|name| world.partition(name) == partition).take(250).collect();
    for name in &names {
        use_conversation(&world, name, "1000-0").await;
    }
    let settler = Settler::new(world.broker.clone());
    assert_eq!(settler.settle(partition, 100).await.unwrap(), 100);
    assert_eq!(settler.settle(partition, 1_000).await.unwrap(), 150);
    assert_eq!(settler.settle(partition, 1_000).await.unwrap(), 0);
    world.clean_up().await;
}
