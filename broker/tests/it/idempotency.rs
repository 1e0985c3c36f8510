//! A command that is repeated happened once.

use fred::interfaces::KeysInterface;
use futures_util::future::join_all;
use parlance_broker::{append::Appended, keys::Keys, partition::Partitions};
use parlance_domain::{
    event::EventKind,
    id::{ClientId, UserId},
};
use proptest::prelude::*;

use crate::world::{KEEP, World, conversation, now};

#[tokio::test]
async fn a_repeated_command_gets_the_first_reply_and_writes_nothing() {
    let world = World::new().await;
    let id = conversation("c");
    let first = world.message_of("u", &id, "1", "first");
    let header = now(world.append(&first).await);
    let before = world.snapshot().await;
    // Sent again, with an id of its own, another text, and under an acl that is over.
    let mut again = world.message_of("u", &id, "1", "again");
    again.acl = Some(parlance_broker::append::Acl::default());
    let expected = Appended::Before { mark: first.once.mark.clone(), header };
    assert_eq!(world.append_known(&again).await, expected);
    assert_eq!(world.snapshot().await, before);
    world.clean_up().await;
}

#[tokio::test]
async fn of_commands_that_are_repeated_at_the_same_time_one_is_the_first() {
    let world = World::new().await;
    let id = conversation("c");
    let appends: Vec<_> = (0..32).map(|_| world.message(&id, "1")).collect();
    let answers = join_all(appends.iter().map(|append| world.append(append))).await;
    let mut first = Vec::new();
    let mut told = Vec::new();
    for (append, answer) in appends.iter().zip(answers) {
        match answer {
            Appended::Now(header) => first.push((append.once.mark.clone(), header)),
            Appended::Before { mark, header } => told.push((mark, header)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(first.len(), 1);
    assert_eq!(told, vec![first[0].clone(); 31]);
    assert_eq!(world.ingest(&id).await.len(), 1);
    world.clean_up().await;
}

#[tokio::test]
async fn the_first_reply_is_known_when_the_state_is_not() {
    let world = World::new().await;
    let id = conversation("c");
    let header = now(world.append(&world.message(&id, "1")).await);
    world.delete(world.broker.keys().state(&id)).await;
    assert!(matches!(
        world.append_known(&world.message(&id, "1")).await,
        Appended::Before { header: known, .. } if known == header
    ));
    world.clean_up().await;
}

#[tokio::test]
async fn the_same_client_id_of_another_user_or_conversation_is_another_command() {
    let world = World::new().await;
    let (one, other) = (conversation("c"), conversation("d"));
    now(world.append(&world.message_of("a", &one, "1", "text")).await);
    now(world.append(&world.message_of("b", &one, "1", "text")).await);
    now(world.append(&world.message_of("a", &other, "1", "text")).await);
    // The number of an outbox row is nobody's client id.
    now(world.append(&world.participant(&one, 1, EventKind::ParticipantAdded)).await);
    assert_eq!(world.ingest(&one).await.iter().filter(|(_, row)| row["c"] == "c").count(), 3);
    world.clean_up().await;
}

#[tokio::test]
async fn a_command_is_recognised_for_its_full_time_after_it_was_last_repeated() {
    let world = World::new().await;
    let id = conversation("c");
    let append = world.message(&id, "1");
    let keep = i64::try_from(KEEP.as_secs()).unwrap();
    let kept = async || world.ttl(append.once.key.clone()).await;
    world.append(&append).await;
    assert!((keep - 5..=keep).contains(&kept().await));

    let _: bool = world.broker.client().expire(&append.once.key, 5, None).await.unwrap();
    world.append_known(&append).await;
    assert!((keep - 5..=keep).contains(&kept().await));
    world.clean_up().await;
}

#[tokio::test]
async fn an_event_of_the_outbox_is_recognised_for_a_day() {
    let world = World::new().await;
    let id = conversation("c");
    let append = world.participant(&id, 7, EventKind::ParticipantAdded);
    let header = now(world.append(&append).await);
    assert!(world.ttl(append.once.key.clone()).await > 23 * 3_600);
    let again = world.append_known(&world.participant(&id, 7, EventKind::ParticipantAdded)).await;
    assert_eq!(again, Appended::Before { mark: "outbox".to_owned(), header });
    now(world.append_known(&world.participant(&id, 8, EventKind::ParticipantAdded)).await);
    world.clean_up().await;
}

proptest! {
    /// Few letters, so that ids which look like each other's framing are common.
    #[test]
    fn two_commands_share_a_key_only_when_they_are_the_same(
        one in ("[a12:]{1,6}", "[a12:]{1,6}", "[a12:]{1,6}", "[a12:]{1,6}"),
        other in ("[a12:]{1,6}", "[a12:]{1,6}", "[a12:]{1,6}", "[a12:]{1,6}"),
        row in any::<i64>(),
    ) {
        let keys = Keys::new("test:", Partitions::new(1));
        let once = |(command, id, user, client_id): &(String, String, String, String)| keys.once(
            command, &conversation(id), &UserId::new(user).unwrap(), &ClientId::new(client_id).unwrap(),
        );
        prop_assert_eq!(once(&one) == once(&other), one == other);
        // The same characters, cut at other places.
        let joined = format!("{}:{}:{}:{}", one.0, one.1, one.2, one.3);
        let parts: Vec<_> = joined.split(':').filter(|part| !part.is_empty()).collect();
        if let [command, id, user, rest @ ..] = &parts[..] && !rest.is_empty() {
            let shifted = ((*command).to_owned(), (*id).to_owned(), (*user).to_owned(), rest.join(":"));
            prop_assert_eq!(once(&one) == once(&shifted), one == shifted);
        }
        prop_assert_ne!(once(&one), keys.once_outbox(&conversation(&one.1), row));
    }
}
