//! What one append does, and what it does not.

use fred::interfaces::{ClientLike, HashesInterface};
use parlance_broker::{
    BrokerError,
    append::{Acl, Appended, Floors},
};
use parlance_domain::{
    entry::{Envelope, Header},
    event::{Event, EventKind},
    id::SessionId,
    version::Version,
};

use crate::world::{World, conversation, heads, now, numbers, stored};

#[tokio::test]
async fn an_event_is_in_the_hot_log_and_in_the_ingest_stream_with_one_header() {
    let world = World::new().await;
    let id = conversation("c1");
    let mut append = world.message(&id, "hello");
    append.origin = SessionId::new("session-1");
    let header = now(world.append(&append).await);

    assert_eq!(header.kind, EventKind::MessageCreated);
    assert_eq!((header.version, header.seq.0), (Version::new(1, 1), 1));
    assert_eq!(header.origin, append.origin);
    let (log, ingest) = (world.hot_log(&id).await, world.ingest(&id).await);
    let ([(log_id, log)], [(ingest_id, ingest)]) = (&log[..], &ingest[..]) else {
        panic!("{log:?} {ingest:?}");
    };
    assert_eq!(log_id, "1-0");
    assert_eq!(&log["i"], ingest_id);
    assert_eq!(log["h"], header.to_string());
    assert_eq!(ingest["h"], header.to_string());
    assert_eq!((&ingest["c"], &ingest["b"], &log["b"]), (&"c1".to_owned(), &append.body, &append.body));
    world.clean_up().await;
}

#[tokio::test]
async fn an_event_carries_the_time_of_redis() {
    let world = World::new().await;
    let time = async || -> i64 {
        let answer: (i64, i64) =
            world.broker.client().custom(fred::cmd!("TIME"), Vec::<String>::new()).await.unwrap();
        answer.0 * 1_000 + answer.1 / 1_000
    };
    let before = time().await;
    let header = now(world.append(&world.message(&conversation("c"), "1")).await);
    let after = time().await;
    assert!((before..=after).contains(&header.at.0), "{before} {header} {after}");
    world.clean_up().await;
}

#[tokio::test]
async fn only_messages_take_a_place_among_the_messages() {
    let world = World::new().await;
    let id = conversation("c");
    assert_eq!(numbers(world.append(&world.message(&id, "1")).await), (1, 1, 1));
    let added = world.participant(&id, 1, EventKind::ParticipantAdded);
    assert_eq!(numbers(world.append_known(&added).await), (1, 2, 0));
    assert_eq!(numbers(world.append_known(&world.message(&id, "2")).await), (1, 3, 2));
    world.clean_up().await;
}

#[tokio::test]
async fn the_acl_rises_with_those_events_that_change_who_may_do_what_and_with_no_other() {
    let world = World::new().await;
    let id = conversation("c");
    let acl = async || world.broker.state(&id).await.unwrap().unwrap().acl;
    world.append(&world.message(&id, "first")).await;
    let kinds = [
        EventKind::ConversationCreated,
        EventKind::ParticipantAdded,
        EventKind::ParticipantRemoved,
        EventKind::MessageCreated,
    ];
    for (row, kind) in (1..).zip(kinds) {
        let before = acl().await;
        let header = now(world.append_known(&world.participant(&id, row, kind)).await);
        let after = acl().await;
        if kind == EventKind::MessageCreated {
            assert_eq!(after, before, "{kind}");
        } else {
            assert!(after > before, "{kind}");
            assert_eq!(after, Acl(header.version), "{kind}");
        }
    }
    world.clean_up().await;
}

#[tokio::test]
async fn a_command_that_was_authorised_under_an_acl_that_is_over_writes_nothing_and_learns_the_one_in_force()
{
    let world = World::new().await;
    let id = conversation("c");
    world.append(&world.message(&id, "1")).await;
    let old = world.broker.state(&id).await.unwrap().unwrap().acl;
    world.append_known(&world.participant(&id, 1, EventKind::ParticipantRemoved)).await;
    let before = world.snapshot().await;

    let mut append = world.message(&id, "2");
    append.acl = Some(old);
    let Appended::Reauthorize(acl) = world.append_known(&append).await else {
        panic!("accepted under an acl that is over");
    };
    assert_eq!(world.snapshot().await, before);

    append.acl = Some(acl);
    assert_eq!(numbers(world.append_known(&append).await), (1, 3, 2));
    world.clean_up().await;
}

#[tokio::test]
async fn a_command_that_meets_an_unknown_conversation_is_checked_against_the_acl_that_this_makes() {
    let world = World::new().await;
    let id = conversation("c");
    let mut append = world.message(&id, "1");
    append.acl = Some(Acl(Version::new(1, 3)));
    let answer = world.append_from(&append, stored(1, 7, 4)).await;
    assert_eq!(answer, Appended::Reauthorize(Acl(Version::new(1, 7))));
    assert_eq!(world.ingest(&id).await, []);
    world.clean_up().await;
}

#[tokio::test]
async fn a_body_and_an_id_of_any_characters_arrive_as_they_are() {
    let world = World::new().await;
    let id = conversation("x}:conv:{y z:%s 😀");
    let text = "a\n\"b\" \u{1F600} \u{7f} {p0.1} %d\\";
    world.append(&world.message_of("ü:1", &id, "a b:c", text)).await;
    let log = world.broker.log_after(&id, 0, 10).await.unwrap();
    let [Envelope { conversation, event: Event::MessageCreated(message), .. }] = &log[..] else {
        panic!("{log:?}");
    };
    assert_eq!(conversation, &id);
    assert_eq!(message.body.content.as_str(), text);
    assert_eq!(world.ingest(&id).await[0].1["c"], id.as_str());
    world.clean_up().await;
}

#[tokio::test]
async fn the_largest_body_is_appended_and_read_back() {
    let world = World::new().await;
    let id = conversation("c");
    // Six bytes of JSON each: what the largest content can take.
    let text = "\u{1}".repeat(1_000_000);
    world.append(&world.message_of("u", &id, "1", &text)).await;
    let log = world.broker.log_after(&id, 0, 10).await.unwrap();
    let [Envelope { event: Event::MessageCreated(message), .. }] = &log[..] else { panic!("no message") };
    assert!(message.body.content.as_str() == text);
    world.clean_up().await;
}

#[tokio::test]
async fn numbers_stay_exact_when_they_are_large() {
    let world = World::new().await;
    let id = conversation("c");
    let large = 100_000_000_000_000;
    // Seen beyond what is stored: the epoch rises, and starts at what is stored.
    let floors = Floors { stored: heads(large, large, large), seen: heads(large, large + 4, large + 2) };
    let header = now(world.append_from(&world.message(&id, "1"), floors).await);
    assert_eq!((header.version, header.seq.0), (Version::new(large + 1, large + 5), large + 3));
    assert_eq!(Header::parse(&world.hot_log(&id).await[0].1["h"]).unwrap(), header);
    let state = world.broker.state(&id).await.unwrap().unwrap();
    assert_eq!(state.heads, heads(large + 1, large + 5, large + 3));
    assert_eq!(state.epoch_start(large + 1), Some(large));
    world.clean_up().await;
}

#[tokio::test]
async fn a_key_of_another_type_is_an_error_that_a_retry_does_not_help_and_nothing_is_appended() {
    let world = World::new().await;
    let id = conversation("c");
    let unsettled = world.broker.keys().ingest_size(world.broker.keys().partitions().of(id.as_str()));
    world.append(&world.message(&id, "1")).await;
    world.delete(unsettled.clone()).await;
    let _: i64 = fred::interfaces::SortedSetsInterface::zadd(
        world.broker.client(),
        &unsettled,
        None,
        None,
        false,
        false,
        (1.0, "x"),
    )
    .await
    .unwrap();
    let before = world.snapshot().await;
    let error = world.try_append_known(&world.message(&id, "2")).await.unwrap_err();
    assert!(matches!(error, BrokerError::Refused(_)), "{error:?}");
    assert!(!error.is_retryable());
    assert_eq!(world.snapshot().await, before);
    world.clean_up().await;
}

#[tokio::test]
async fn a_state_that_is_no_state_is_an_error_and_not_a_number() {
    let world = World::new().await;
    let id = conversation("c");
    world.append(&world.message(&id, "1")).await;
    let _: i64 = world.broker.client().hset(world.broker.keys().state(&id), ("rev", "many")).await.unwrap();
    assert!(matches!(world.broker.state(&id).await, Err(BrokerError::Unexpected(_))));
    let before = world.snapshot().await;
    assert!(world.try_append_known(&world.message(&id, "2")).await.is_err());
    assert_eq!(world.snapshot().await, before);
    world.clean_up().await;
}
