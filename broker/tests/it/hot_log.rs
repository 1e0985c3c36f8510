//! The hot log: its bounds, and what is read from it.

use fred::interfaces::{KeysInterface, StreamsInterface};
use futures_util::future::try_join_all;
use parlance_broker::{
    BrokerError,
    append::{LOG_BYTES, LOG_ENTRIES},
};
use parlance_domain::{entry::Envelope, id::ConversationId};

use crate::world::{World, bytes_of, conversation, numbers, revs, stored};

/// Above every id that Redis gives.
const ALL_PERSISTED: &str = "99999999999999-0";

/// Appends messages with the client ids of `range`, one after the other.
async fn fill(world: &World, id: &ConversationId, range: std::ops::RangeInclusive<u64>, text: &str) {
    // The first one makes the state; those that follow are pipelined, and Redis takes them in order.
    let first = world.message_of("u", id, &range.start().to_string(), text);
    world.append(&first).await;
    let appends: Vec<_> = range.skip(1).map(|n| world.message_of("u", id, &n.to_string(), text)).collect();
    try_join_all(appends.iter().map(|append| world.try_append_known(append))).await.unwrap();
}

async fn check_log_bytes(world: &World, id: &ConversationId) {
    let log = world.hot_log(id).await;
    assert_eq!(world.log_bytes(id).await, bytes_of(&log, &["h", "b"]), "log_bytes of {} entries", log.len());
}

fn revs_of(events: &[Envelope]) -> Vec<u64> {
    events.iter().map(|event| event.header.version.rev).collect()
}

#[tokio::test]
async fn the_hot_log_keeps_the_newest_256_events_of_those_that_are_persisted() {
    let world = World::new().await;
    let id = conversation("c");
    world.set_persisted(&id, ALL_PERSISTED).await;
    fill(&world, &id, 1..=300, "text").await;
    assert_eq!(LOG_ENTRIES, 256);
    assert_eq!(revs(&world.hot_log(&id).await), (45..=300).collect::<Vec<_>>());
    check_log_bytes(&world, &id).await;
    world.clean_up().await;
}

#[tokio::test]
async fn the_hot_log_keeps_everything_while_nothing_is_known_to_be_persisted() {
    let world = World::new().await;
    let id = conversation("c");
    fill(&world, &id, 1..=300, "text").await;
    assert_eq!(world.hot_log(&id).await.len(), 300);
    check_log_bytes(&world, &id).await;
    world.clean_up().await;
}

#[tokio::test]
async fn no_event_at_or_above_the_low_water_mark_is_ever_cut() {
    let world = World::new().await;
    let id = conversation("c");
    fill(&world, &id, 1..=400, "text").await;
    // Rev 100 is the first that Postgres does not have.
    let mark = world.hot_log(&id).await[99].1["i"].clone();
    world.set_persisted(&id, &mark).await;
    fill(&world, &id, 401..=500, "text").await;
    assert_eq!(revs(&world.hot_log(&id).await), (100..=500).collect::<Vec<_>>());
    check_log_bytes(&world, &id).await;
    world.clean_up().await;
}

#[tokio::test]
async fn ids_of_the_same_millisecond_are_ordered_by_their_number() {
    let world = World::new().await;
    let id = conversation("c");
    fill(&world, &id, 1..=256, "text").await;
    let oldest = world.hot_log(&id).await[0].1["i"].clone();
    let (ms, n) = oldest.split_once('-').unwrap();
    let n: u64 = n.parse().unwrap();
    world.set_persisted(&id, &oldest).await;
    world.append_known(&world.message(&id, "257")).await;
    assert_eq!(revs(&world.hot_log(&id).await)[0], 1, "the mark itself is not persisted");
    world.set_persisted(&id, &format!("{ms}-{}", n + 1)).await;
    world.append_known(&world.message(&id, "258")).await;
    assert_eq!(revs(&world.hot_log(&id).await)[0], 2, "what is just below the mark is");
    world.clean_up().await;
}

#[tokio::test]
async fn the_hot_log_is_bounded_in_bytes_and_keeps_the_newest() {
    let world = World::new().await;
    let id = conversation("c");
    world.set_persisted(&id, ALL_PERSISTED).await;
    fill(&world, &id, 1..=30, &"x".repeat(100_000)).await;
    let log = world.hot_log(&id).await;
    let bytes = bytes_of(&log, &["h", "b"]);
    assert!(bytes <= LOG_BYTES && bytes > LOG_BYTES - 110_000, "{bytes}");
    assert_eq!(revs(&log), (21..=30).collect::<Vec<_>>());
    check_log_bytes(&world, &id).await;
    world.clean_up().await;
}

#[tokio::test]
async fn a_hot_log_that_a_large_event_overfills_comes_back_under_its_bound() {
    let world = World::new().await;
    let id = conversation("c");
    world.set_persisted(&id, ALL_PERSISTED).await;
    fill(&world, &id, 1..=250, &"x".repeat(4_000)).await;
    world.append_known(&world.message_of("u", &id, "large", &"x".repeat(1_000_000))).await;
    check_log_bytes(&world, &id).await;
    fill(&world, &id, 251..=290, "text").await;
    assert!(world.log_bytes(&id).await <= LOG_BYTES);
    check_log_bytes(&world, &id).await;
    world.clean_up().await;
}

#[tokio::test]
async fn a_backlog_that_was_persisted_late_is_cut_as_appends_go_on() {
    let world = World::new().await;
    let id = conversation("c");
    fill(&world, &id, 1..=1_000, "text").await;
    world.set_persisted(&id, ALL_PERSISTED).await;
    fill(&world, &id, 1_001..=1_200, "text").await;
    assert_eq!(revs(&world.hot_log(&id).await), (945..=1_200).collect::<Vec<_>>());
    check_log_bytes(&world, &id).await;
    world.clean_up().await;
}

#[tokio::test]
async fn what_the_hot_log_takes_is_counted_anew_after_it_expired() {
    let world = World::new().await;
    let id = conversation("c");
    fill(&world, &id, 1..=10, "text").await;
    // It lives shorter than the state.
    world.delete(world.broker.keys().log(&id)).await;
    world.append_known(&world.message(&id, "after")).await;
    assert_eq!(revs(&world.hot_log(&id).await), [11]);
    check_log_bytes(&world, &id).await;
    world.clean_up().await;
}

#[tokio::test]
async fn an_append_keeps_the_hot_log_from_expiring() {
    let world = World::new().await;
    let id = conversation("c");
    world.append(&world.message(&id, "1")).await;
    let _: bool = world.broker.client().expire(world.broker.keys().log(&id), 100, None).await.unwrap();
    world.append_known(&world.message(&id, "2")).await;
    assert_eq!(world.ttl(world.broker.keys().log(&id)).await, -1);
    world.clean_up().await;
}

#[tokio::test]
async fn the_events_after_a_rev_come_oldest_first_up_to_the_limit() {
    let world = World::new().await;
    let id = conversation("c");
    fill(&world, &id, 1..=10, "text").await;
    let after = async |rev, limit| revs_of(&world.broker.log_after(&id, rev, limit).await.unwrap());
    assert_eq!(after(0, 100).await, (1..=10).collect::<Vec<_>>());
    assert_eq!(after(7, 100).await, [8, 9, 10]);
    assert_eq!(after(3, 2).await, [4, 5]);
    assert_eq!(after(10, 100).await, Vec::<u64>::new());
    assert_eq!(after(u64::MAX, 100).await, Vec::<u64>::new());
    assert_eq!(world.broker.log_after(&conversation("other"), 0, 10).await.unwrap(), []);
    world.clean_up().await;
}

#[tokio::test]
async fn a_malformed_entry_is_an_error_and_not_a_gap() {
    let world = World::new().await;
    let id = conversation("c");
    world.append(&world.message(&id, "1")).await;
    for (fields, entry) in [(vec![("x", "y")], "5-0"), (vec![("h", "no"), ("b", "{}"), ("i", "1-0")], "6-0")]
    {
        let log = world.broker.keys().log(&id);
        let _: String = world.broker.client().xadd(&log, false, None::<()>, entry, fields).await.unwrap();
        let read = world.broker.log_after(&id, 0, 10).await;
        assert!(matches!(read, Err(BrokerError::Unexpected(_))), "{read:?}");
        assert!(world.broker.log_unpersisted(&id).await.is_err());
        let _: i64 = world.broker.client().xdel(&log, entry).await.unwrap();
    }
    world.clean_up().await;
}

#[tokio::test]
async fn what_postgres_may_not_have_is_read_newest_first_over_any_number_of_pages() {
    let world = World::new().await;
    let id = conversation("c");
    fill(&world, &id, 1..=200, "text").await;
    let unpersisted = async || revs_of(&world.broker.log_unpersisted(&id).await.unwrap());
    assert_eq!(unpersisted().await, (1..=200).rev().collect::<Vec<_>>());
    let log = world.hot_log(&id).await;
    // Pages end at revs 137 and 73.
    for first in [1, 2, 72, 73, 74, 100, 136, 137, 138, 200] {
        world.set_persisted(&id, &log[first - 1].1["i"]).await;
        assert_eq!(unpersisted().await, (first as u64..=200).rev().collect::<Vec<_>>(), "from {first}");
    }
    world.set_persisted(&id, ALL_PERSISTED).await;
    assert_eq!(unpersisted().await, Vec::<u64>::new());
    world.clean_up().await;
}

#[tokio::test]
async fn a_place_in_the_ingest_stream_is_persisted_when_it_and_everything_before_it_has_left() {
    let world = World::new().await;
    let id = conversation("c");
    assert_eq!(world.broker.ingest_tail(&id).await.unwrap(), None);
    fill(&world, &id, 1..=3, "text").await;
    let mark = world.broker.ingest_tail(&id).await.unwrap().unwrap();
    world.append_known(&world.message(&id, "4")).await;
    let persisted = async || world.broker.is_persisted(&id, &mark).await.unwrap();
    let entries = world.ingest(&id).await;
    let key = world.broker.keys().ingest(world.broker.keys().partitions().of(id.as_str()));
    // Not in order: workers compete.
    for (entry, after) in [(2, false), (0, false), (1, true), (3, true)] {
        assert!(entry == 3 || !persisted().await);
        let _: i64 = world.broker.client().xdel(&key, entries[entry].0.as_str()).await.unwrap();
        assert_eq!(persisted().await, after, "after entry {entry} has left");
    }
    assert_eq!(world.broker.ingest_tail(&id).await.unwrap(), None);
    world.clean_up().await;
}

#[tokio::test]
async fn a_hot_log_that_was_left_over_is_emptied_when_the_state_is_made_anew() {
    let world = World::new().await;
    let id = conversation("c");
    fill(&world, &id, 1..=10, "text").await;
    world.delete(world.broker.keys().state(&id)).await;
    // Below what the left-over log holds: its ids must not be in the way.
    assert_eq!(numbers(world.append_from(&world.message(&id, "new"), stored(1, 4, 4)).await), (1, 5, 5));
    assert_eq!(revs(&world.hot_log(&id).await), [5]);
    check_log_bytes(&world, &id).await;
    world.clean_up().await;
}
