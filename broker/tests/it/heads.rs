//! What Redis does not know is taken from what is known elsewhere, and what it knows stays.

use std::{
    future::ready,
    sync::atomic::{AtomicU32, Ordering},
};

use futures_util::future::join_all;
use parlance_broker::{
    BrokerError,
    append::{Acl, Appended, Floors},
    heads::State,
};
use parlance_domain::{event::EventKind, version::Version};

use crate::world::{World, answering, conversation, heads, numbers, stored};

const DAY: i64 = 24 * 3_600;

/// A state that was just made, and where its epoch started if it is a new one.
fn state(numbers: (u64, u64, u64), epoch_start: Option<u64>) -> State {
    let (epoch, rev, seq) = numbers;
    let epoch_starts = epoch_start.map(|start| Version::new(epoch, start)).into_iter().collect();
    State { heads: heads(epoch, rev, seq), epoch_starts, acl: Acl(Version::new(epoch, rev)) }
}

#[tokio::test]
async fn a_conversation_that_redis_does_not_know_goes_on_from_the_heads_in_postgres() {
    let world = World::new().await;
    let id = conversation("c");
    let header = numbers(world.append_from(&world.message(&id, "1"), stored(3, 41, 17)).await);
    assert_eq!(header, (3, 42, 18));
    assert_eq!(numbers(world.append_known(&world.message(&id, "2")).await), (3, 43, 19));
    world.clean_up().await;
}

#[tokio::test]
async fn a_new_conversation_starts_at_one() {
    let world = World::new().await;
    let id = conversation("c");
    assert_eq!(numbers(world.append(&world.message(&id, "1")).await), (1, 1, 1));
    assert_eq!(world.broker.state(&id).await.unwrap().unwrap().epoch_starts, [Version::new(1, 0)]);
    world.clean_up().await;
}

#[tokio::test]
async fn what_was_seen_and_is_not_stored_raises_the_epoch_and_no_number_is_given_twice() {
    let world = World::new().await;
    let cases = [
        // Stored, seen, then the state that this makes.
        ((1, 5, 3), (1, 8, 4), ((2, 8, 4), Some(5))),
        ((1, 5, 3), (2, 7, 3), ((3, 7, 3), Some(5))),
        ((2, 5, 3), (1, 9, 8), ((2, 9, 8), None)),
        ((0, 0, 0), (1, 2, 2), ((2, 2, 2), Some(0))),
        ((1, 5, 3), (1, 5, 3), ((1, 5, 3), None)),
        ((1, 5, 3), (1, 4, 3), ((1, 5, 3), None)),
        ((3, 5, 3), (0, 0, 0), ((3, 5, 3), None)),
        ((0, 0, 0), (0, 0, 0), ((1, 0, 0), Some(0))),
    ];
    for (number, (stored, seen, (made, epoch_start))) in cases.into_iter().enumerate() {
        let id = conversation(&format!("c{number}"));
        let of = |(epoch, rev, seq)| heads(epoch, rev, seq);
        let floors = Floors { stored: of(stored), seen: of(seen) };
        assert_eq!(
            world.broker.load_state(&id, floors).await.unwrap(),
            state(made, epoch_start),
            "{floors:?}"
        );
        let (epoch, rev, seq) = made;
        assert_eq!(numbers(world.append_known(&world.message(&id, "1")).await), (epoch, rev + 1, seq + 1));
    }
    world.clean_up().await;
}

#[tokio::test]
async fn where_an_old_epoch_started_is_not_made_up() {
    let world = World::new().await;
    let id = conversation("c");
    // Postgres does not know that epoch 3 started at rev 4: who is at rev 9 of epoch 2 must not go on.
    let state = world.broker.load_state(&id, stored(3, 12, 12)).await.unwrap();
    assert_eq!(state.epoch_start(3), None);
    assert_eq!(world.broker.state(&id).await.unwrap(), Some(state));
    world.clean_up().await;
}

#[tokio::test]
async fn floors_are_asked_for_once_and_only_when_redis_does_not_know() {
    let world = World::new().await;
    let id = conversation("c");
    let asked = AtomicU32::new(0);
    let appender = world.appender_within(100, 1_000_000);
    for client_id in ["1", "2", "1"] {
        let floors = || {
            asked.fetch_add(1, Ordering::Relaxed);
            ready(Ok::<_, BrokerError>(stored(1, 3, 3)))
        };
        appender.append(&world.message(&id, client_id), floors).await.unwrap();
    }
    assert_eq!(asked.into_inner(), 1);
    world.clean_up().await;
}

#[tokio::test]
async fn an_append_fails_with_what_the_floors_fail_with_and_writes_nothing() {
    #[derive(Debug)]
    enum Failure {
        Broker(#[expect(dead_code, reason = "shown when the test fails")] BrokerError),
        PostgresIsAway,
    }
    impl From<BrokerError> for Failure {
        fn from(error: BrokerError) -> Self {
            Failure::Broker(error)
        }
    }
    let world = World::new().await;
    let append = world.message(&conversation("c"), "1");
    let appender = world.appender_within(100, 1_000_000);
    let answer = appender.append(&append, || ready(Err::<Floors, _>(Failure::PostgresIsAway))).await;
    assert!(matches!(answer, Err(Failure::PostgresIsAway)), "{answer:?}");
    assert_eq!(world.keys().await, Vec::<String>::new());
    world.clean_up().await;
}

#[tokio::test]
async fn a_join_makes_the_state_once_and_changes_none_that_is_there() {
    let world = World::new().await;
    let id = conversation("c");
    assert_eq!(world.broker.state(&id).await.unwrap(), None);
    let made = world.broker.load_state(&id, stored(1, 5, 3)).await.unwrap();
    assert_eq!(made, state((1, 5, 3), None));
    let before = world.snapshot().await;
    assert_eq!(world.broker.load_state(&id, stored(9, 99, 99)).await.unwrap(), made);
    assert_eq!(world.broker.state(&id).await.unwrap(), Some(made));
    assert_eq!(world.snapshot().await, before);
    world.clean_up().await;
}

#[tokio::test]
async fn joins_at_the_same_time_agree() {
    let world = World::new().await;
    let id = conversation("c");
    let loads = (1..=32).map(|rev| world.broker.load_state(&id, stored(1, rev, rev)));
    let loaded: Vec<_> = join_all(loads).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(loaded, vec![loaded[0].clone(); 32]);
    world.clean_up().await;
}

#[tokio::test]
async fn a_state_that_nothing_was_appended_to_expires_and_one_with_unpersisted_events_does_not() {
    let world = World::new().await;
    let id = conversation("c");
    let key = world.broker.keys().state(&id);
    world.broker.load_state(&id, stored(1, 5, 3)).await.unwrap();
    let lives = world.ttl(key.clone()).await;
    assert!((30 * DAY - 5..=30 * DAY).contains(&lives), "{lives}");
    world.append_known(&world.message(&id, "1")).await;
    assert_eq!(world.ttl(key).await, -1);
    world.clean_up().await;
}

#[tokio::test]
async fn a_state_that_a_refused_append_made_expires() {
    let world = World::new().await;
    let (reauthorized, overloaded) = (conversation("c1"), conversation("c2"));
    let mut append = world.message(&reauthorized, "1");
    append.acl = Some(Acl::default());
    let answer = world.append_from(&append, stored(1, 5, 3)).await;
    assert!(matches!(answer, Appended::Reauthorize(_)), "{answer:?}");
    let full = world.appender_within(0, 0);
    let floors = answering(stored(1, 5, 3));
    assert_eq!(full.append(&world.message(&overloaded, "1"), floors).await.unwrap(), Appended::Overloaded);
    for id in [reauthorized, overloaded] {
        let lives = world.ttl(world.broker.keys().state(&id)).await;
        assert!((30 * DAY - 5..=30 * DAY).contains(&lives), "{id} lives {lives}");
    }
    world.clean_up().await;
}

#[tokio::test]
async fn the_states_of_many_conversations_come_in_the_order_in_which_they_were_asked_for() {
    let world = World::new().await;
    let ids: Vec<_> = (0..1_000).map(|n| conversation(&format!("c{n}"))).collect();
    let known = ids.iter().enumerate().filter(|(n, _)| n % 3 != 0);
    join_all(known.map(async |(n, id)| {
        world.broker.load_state(id, stored(1, n as u64, 0)).await.unwrap();
    }))
    .await;
    let states = world.broker.states(&ids).await.unwrap();
    assert_eq!(states.len(), 1_000);
    for (n, found) in states.into_iter().enumerate() {
        let expected = (n % 3 != 0).then(|| state((1, n as u64, 0), None));
        assert_eq!(found, expected, "c{n}");
    }
    assert_eq!(world.broker.states(&[]).await.unwrap(), []);
    world.clean_up().await;
}

#[tokio::test]
async fn a_membership_that_changed_while_redis_did_not_know_the_conversation_is_noticed() {
    let world = World::new().await;
    let id = conversation("c");
    world.append(&world.message(&id, "1")).await;
    world.append_known(&world.participant(&id, 1, EventKind::ParticipantAdded)).await;
    let before = world.broker.state(&id).await.unwrap().unwrap();
    world.delete(world.broker.keys().state(&id)).await;
    let after = world.broker.load_state(&id, stored(1, 3, 1)).await.unwrap();
    assert!(after.acl > before.acl);
    world.clean_up().await;
}
