//! What waits for the worker is bounded, and nothing is written beyond the bound.

use fred::interfaces::{HashesInterface, StreamsInterface};
use futures_util::future::join_all;
use parlance_broker::{
    append::{Appended, Appender, Floors},
    ingest::{Acknowledger, EntryId, Persisted, StreamKind},
};

use crate::world::{World, answering, bytes_of, conversation, now};

/// In other partitions of two.
const ONE: &str = "c2";
const OTHER: &str = "c3";

/// What the last entry may take beyond the bound: its header and its conversation's id are not looked at beforehand.
const HEADER: u64 = 512;

async fn push(appender: &Appender, append: &parlance_broker::append::Append) -> Appended {
    appender.append(append, answering(Floors::default())).await.unwrap()
}

#[tokio::test]
async fn beyond_the_bound_of_entries_an_append_is_refused_and_writes_nothing() {
    let world = World::new().await;
    let (id, other) = (conversation(ONE), conversation(OTHER));
    let appender = world.appender_within(3, 1_000_000);
    for client_id in ["1", "2", "3"] {
        now(push(&appender, &world.message(&id, client_id)).await);
    }
    let before = world.snapshot().await;
    for client_id in ["4", "5"] {
        assert_eq!(push(&appender, &world.message(&id, client_id)).await, Appended::Overloaded);
    }
    assert_eq!(world.snapshot().await, before);
    // What was acknowledged stays so, and another partition has room of its own.
    assert!(matches!(push(&appender, &world.message(&id, "1")).await, Appended::Before { .. }));
    now(push(&appender, &world.message(&other, "1")).await);
    world.clean_up().await;
}

#[tokio::test]
async fn beyond_the_bound_of_bytes_an_append_is_refused_and_writes_nothing() {
    let world = World::new().await;
    let id = conversation(ONE);
    let appender = world.appender_within(1_000, 10_000);
    now(push(&appender, &world.message_of("u", &id, "1", &"x".repeat(9_000))).await);
    let before = world.snapshot().await;
    let large = world.message_of("u", &id, "2", &"x".repeat(2_000));
    assert_eq!(push(&appender, &large).await, Appended::Overloaded);
    assert_eq!(world.snapshot().await, before);
    // What fits is taken.
    now(push(&appender, &world.message(&id, "3")).await);
    world.clean_up().await;
}

#[tokio::test]
async fn appends_that_compete_never_pass_a_bound() {
    let world = World::new().await;
    let id = conversation(ONE);
    now(world.append(&world.message(&id, "first")).await);
    for (name, entries, bytes) in [("entries", 20, 1_000_000), ("bytes", 1_000, 20_000)] {
        let appender = world.appender_within(entries, bytes);
        let appends: Vec<_> = (0..200).map(|n| world.message(&id, &format!("{name} {n}"))).collect();
        let answers = join_all(appends.iter().map(|append| push(&appender, append))).await;
        assert!(answers.contains(&Appended::Overloaded), "{name}");
        let (entries_there, bytes_there) = world.ingest_size(&id).await;
        assert!(entries_there <= entries, "{name}: {entries_there}");
        assert!(bytes_there <= bytes + HEADER, "{name}: {bytes_there}");
        let rows = world.ingest(&id).await;
        assert_eq!((entries_there, bytes_there), (rows.len() as u64, bytes_of(&rows, &["c", "h", "b"])));
    }
    world.clean_up().await;
}

#[tokio::test]
async fn what_is_acknowledged_makes_room_to_the_byte() {
    let world = World::new().await;
    let id = conversation(ONE);
    let partition = world.broker.keys().partitions().of(id.as_str());
    let appender = world.appender_within(3, 1_000_000);
    for client_id in ["1", "2", "3"] {
        now(push(&appender, &world.message(&id, client_id)).await);
    }
    let rows = world.ingest(&id).await;
    let done = |entry: usize| Persisted {
        id: rows[entry].0.parse::<EntryId>().unwrap(),
        size: bytes_of(&rows[entry..=entry], &["c", "h", "b"]),
        object: None,
    };
    let acknowledger = Acknowledger::new(world.broker.clone());
    acknowledger.acknowledge(partition, StreamKind::Ingest, &[done(1)]).await.unwrap();
    let left = world.ingest(&id).await;
    assert_eq!(world.ingest_size(&id).await, (2, bytes_of(&left, &["c", "h", "b"])));
    now(push(&appender, &world.message(&id, "4")).await);
    assert_eq!(push(&appender, &world.message(&id, "5")).await, Appended::Overloaded);
    world.clean_up().await;
}

#[tokio::test]
async fn a_refused_command_is_taken_when_there_is_room_again() {
    let world = World::new().await;
    let id = conversation(ONE);
    let keys = world.broker.keys();
    let partition = keys.partitions().of(id.as_str());
    let appender = world.appender_within(1, 1_000_000);
    now(push(&appender, &world.message(&id, "1")).await);
    let refused = world.message(&id, "2");
    assert_eq!(push(&appender, &refused).await, Appended::Overloaded);
    let _: i64 = world
        .broker
        .client()
        .xdel(keys.ingest(partition), world.ingest(&id).await[0].0.as_str())
        .await
        .unwrap();
    let _: () = world
        .broker
        .client()
        .hset(keys.ingest_size(partition), [("entries", 0), ("bytes", 0)])
        .await
        .unwrap();
    let header = now(push(&appender, &refused).await);
    assert_eq!((header.version.rev, header.seq.0), (2, 2));
    world.clean_up().await;
}
