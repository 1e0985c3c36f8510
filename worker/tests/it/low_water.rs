//! The low-water mark: everything below it is persisted.

use std::time::Duration;

use fred::interfaces::{HashesInterface, KeysInterface};
use parlance_broker::ingest::{Acknowledger, Consumer, Delivery, EntryId, Persisted, StreamKind};

use crate::{entries::message, world::World};

const BLOCK: Duration = Duration::from_millis(50);

fn persisted(delivery: &Delivery) -> Persisted {
    Persisted { id: delivery.entry.id, size: delivery.entry.size(), object: None }
}

async fn mark(world: &World) -> EntryId {
    world.persisted("c1").await.unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_mark_never_passes_an_entry_that_is_not_persisted() {
    let world = World::new().await;
    let partition = world.partition("c1");
    let acknowledger = Acknowledger::new(world.broker.clone());
    let one = Consumer::connect(&world.broker, partition, "one", BLOCK).await.unwrap();
    let two = Consumer::connect(&world.broker, partition, "two", BLOCK).await.unwrap();
    assert_eq!(mark(&world).await, EntryId { ms: 0, n: 1 }, "of an empty stream: the lowest id there can be");

    world.append_all(&(1..=6).map(|n| message("c1", n)).collect::<Vec<_>>()).await;
    let first = one.read(3).await.unwrap();
    let second = two.read(3).await.unwrap();
    let ack = async |deliveries: &[Delivery]| {
        let entries: Vec<_> = deliveries.iter().map(persisted).collect();
        acknowledger.acknowledge(partition, StreamKind::Ingest, &entries).await.unwrap()
    };

    // The second consumer is faster: what the first has is still not persisted.
    ack(&second).await;
    assert_eq!(mark(&world).await, first[0].entry.id);
    ack(&first[..1]).await;
    assert_eq!(mark(&world).await, first[1].entry.id);
    ack(&first).await;
    let last = second[2].entry.id;
    assert_eq!(mark(&world).await, EntryId { n: last.n + 1, ..last }, "the next id that can be given");
    world.append(&message("c1", 7)).await;
    assert!(mark(&world).await <= one.read(1).await.unwrap()[0].entry.id);
    world.clean_up().await;
}

#[tokio::test]
async fn an_entry_is_subtracted_once() {
    let world = World::new().await;
    let partition = world.partition("c1");
    let acknowledger = Acknowledger::new(world.broker.clone());
    let consumer = Consumer::connect(&world.broker, partition, "one", BLOCK).await.unwrap();
    world.append_all(&[message("c1", 1), message("c1", 2)]).await;
    let read = consumer.read(10).await.unwrap();
    let first = [persisted(&read[0])];

    let once = acknowledger.acknowledge(partition, StreamKind::Ingest, &first).await.unwrap();
    assert_eq!((once.entries, once.bytes), (1, read[0].entry.size()));
    let twice = acknowledger.acknowledge(partition, StreamKind::Ingest, &first).await.unwrap();
    assert_eq!((twice.entries, twice.bytes), (0, 0));
    let size: Vec<u64> = world
        .broker
        .client()
        .hmget(world.broker.keys().ingest_size(partition), vec!["entries", "bytes"])
        .await
        .unwrap();
    assert_eq!(size, [1, read[1].entry.size()]);
    world.clean_up().await;
}

#[tokio::test]
async fn ids_go_on_above_a_mark_that_outlived_its_stream() {
    let world = World::new().await;
    let partition = world.partition("c1");
    let keys = world.broker.keys();
    // A mark far in the future, as after a failover to a server whose clock is behind.
    let far = "9999999999999-5";
    let _: () = world.broker.client().set(keys.persisted(partition), far, None, None, false).await.unwrap();
    let consumer = Consumer::connect(&world.broker, partition, "one", BLOCK).await.unwrap();
    let id: EntryId = world.append(&message("c1", 1)).await.parse().unwrap();
    assert!(id > far.parse().unwrap(), "{id}");
    assert!(mark(&world).await <= id);
    drop(consumer);
    world.clean_up().await;
}

#[tokio::test]
async fn a_mark_above_what_the_stream_holds_is_lowered() {
    let world = World::new().await;
    let partition = world.partition("c1");
    let keys = world.broker.keys();
    let id: EntryId = world.append(&message("c1", 1)).await.parse().unwrap();
    let _: () = world
        .broker
        .client()
        .set(keys.persisted(partition), "9999999999999-5", None, None, false)
        .await
        .unwrap();
    let _consumer = Consumer::connect(&world.broker, partition, "one", BLOCK).await.unwrap();
    assert_eq!(mark(&world).await, id);
    world.clean_up().await;
}
