//! Where a message is, from its id alone.

use fred::interfaces::{HashesInterface, KeysInterface};
use futures_util::future::join_all;
use parlance_broker::{
    append::{Append, Appended, Object},
    objects::ObjectId,
};
use parlance_domain::{
    event::EventKind,
    id::{ConversationId, MessageId, UserId},
    message::Place,
    version::{Seq, Version},
};

use crate::world::{World, conversation, now, numbers, stored};

fn message_id(append: &Append) -> MessageId {
    match append.object.as_ref().unwrap().id {
        ObjectId::Message(id) => id,
        ObjectId::Call(id) => panic!("call {id}"),
    }
}

fn place(append: &Append, conversation: &ConversationId, seq: u64) -> Place {
    Place {
        id: message_id(append),
        conversation: conversation.clone(),
        seq: Seq(seq),
        sender: UserId::new("u").unwrap(),
    }
}

#[tokio::test]
async fn a_message_is_found_from_its_id_as_soon_as_it_is_appended() {
    let world = World::new().await;
    let (one, other) = (conversation("c2"), conversation("c3"));
    let appends = [world.message(&one, "1"), world.message(&one, "2"), world.message(&other, "1")];
    for append in &appends {
        now(world.append(append).await);
    }
    let ids: Vec<_> = appends.iter().map(message_id).collect();
    let expected = [place(&appends[0], &one, 1), place(&appends[1], &one, 2), place(&appends[2], &other, 1)];
    assert_eq!(world.broker.objects(&ids).await.unwrap(), expected);
    world.clean_up().await;
}

#[tokio::test]
async fn an_object_holds_what_is_known_of_its_message_and_does_not_expire_by_itself() {
    let world = World::new().await;
    let id = conversation("c");
    let append = world.message(&id, "1");
    let header = now(world.append(&append).await);
    let key = world.broker.keys().object(message_id(&append)).unwrap();
    let object = world.hash(key.clone()).await;
    let expected = [
        ("conv", "c".to_owned()),
        ("epoch", header.version.epoch.to_string()),
        ("reactions", "1 []".to_owned()),
        ("rev", header.version.rev.to_string()),
        ("sender", "u".to_owned()),
        ("seq", "1".to_owned()),
        ("state", "1:1".to_owned()),
    ];
    assert_eq!(object, expected.map(|(name, value)| (name.to_owned(), value)).into());
    assert_eq!(world.ttl(key).await, -1);
    world.clean_up().await;
}

#[tokio::test]
async fn ids_of_messages_that_there_are_not_are_left_out() {
    let world = World::new().await;
    let id = conversation("c");
    let append = world.message(&id, "1");
    now(world.append(&append).await);
    let partition = world.broker.keys().partitions().of(id.as_str()).0;
    let nobody = MessageId::new(1, [9; 8], partition);
    let invented = MessageId::new(1, [9; 8], 60_000);
    let found = world.broker.objects(&[nobody, message_id(&append), invented]).await.unwrap();
    assert_eq!(found, [place(&append, &id, 1)]);
    assert_eq!(world.broker.objects(&[]).await.unwrap(), []);
    world.clean_up().await;
}

#[tokio::test]
async fn a_repeated_command_makes_no_second_object() {
    let world = World::new().await;
    let id = conversation("c");
    let (first, again) = (world.message(&id, "1"), world.message(&id, "1"));
    now(world.append(&first).await);
    world.append_known(&again).await;
    assert_eq!(world.broker.objects(&[message_id(&again)]).await.unwrap(), []);
    world.clean_up().await;
}

/// A change of the message that `created` made, decided on its state at `expected`.
fn change(world: &World, created: &Append, attempt: &str, expected: Version) -> Append {
    let change = world.message(&created.conversation, attempt);
    let fields = vec![("sender", "u".to_owned()), ("seq", "1".to_owned())];
    let object = Some(Object { id: message_id(created).into(), expected: Some(expected), fields });
    Append { kind: EventKind::MessageEdited, object, ..change }
}

#[tokio::test]
async fn a_change_that_was_decided_on_a_state_that_is_over_is_stale_and_writes_nothing() {
    let world = World::new().await;
    let id = conversation("c");
    let created = world.message(&id, "1");
    let first = now(world.append(&created).await).version;
    let second = now(world.append_known(&change(&world, &created, "edit", first)).await).version;
    assert!(second > first);
    let before = world.snapshot().await;
    for over in [first, Version::new(1, 0), Version::new(0, 7)] {
        let answer = world.append_known(&change(&world, &created, "late", over)).await;
        assert_eq!(answer, Appended::Stale, "{over:?}");
    }
    assert_eq!(world.snapshot().await, before);
    // Decided anew, the same command goes through; repeated, it is the first one's.
    let late = change(&world, &created, "late", second);
    let header = now(world.append_known(&late).await);
    assert!(
        matches!(world.append_known(&late).await, Appended::Before { header: first, .. } if first == header)
    );
    world.clean_up().await;
}

#[tokio::test]
async fn of_changes_that_compete_for_one_state_one_wins() {
    let world = World::new().await;
    let id = conversation("c");
    let created = world.message(&id, "1");
    let version = now(world.append(&created).await).version;
    let changes: Vec<_> = (0..32).map(|n| change(&world, &created, &format!("edit {n}"), version)).collect();
    let answers = join_all(changes.iter().map(|change| world.append_known(change))).await;
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Appended::Now(_))).count(), 1);
    assert_eq!(answers.iter().filter(|answer| **answer == Appended::Stale).count(), 31);
    world.clean_up().await;
}

#[tokio::test]
async fn a_change_takes_no_place_among_the_messages_and_leaves_the_message_its_own() {
    let world = World::new().await;
    let id = conversation("c");
    let created = world.message(&id, "1");
    let version = now(world.append(&created).await).version;
    let edited = now(world.append_known(&change(&world, &created, "edit", version)).await);
    assert_eq!((edited.version, edited.seq), (Version::new(1, 2), Seq(0)));
    let object = world.broker.object(message_id(&created)).await.unwrap().unwrap();
    assert_eq!((object.place, object.version), (place(&created, &id, 1), edited.version));
    assert_eq!(now(world.append_known(&world.message(&id, "2")).await).seq, Seq(2));
    world.clean_up().await;
}

#[tokio::test]
async fn a_message_that_only_postgres_knows_can_be_changed_and_is_known_from_then_on() {
    let world = World::new().await;
    let id = conversation("c");
    let created = world.message(&id, "1");
    let version = now(world.append(&created).await).version;
    let key = world.broker.keys().object(message_id(&created)).unwrap();
    world.delete(key.clone()).await;
    let edited = now(world.append_known(&change(&world, &created, "edit", version)).await).version;
    let object = world.broker.object(message_id(&created)).await.unwrap().unwrap();
    assert_eq!((object.place, object.version), (place(&created, &id, 1), edited));
    // Another one that read the same row comes too late.
    assert_eq!(world.append_known(&change(&world, &created, "late", version)).await, Appended::Stale);
    world.clean_up().await;
}

/// Redis went back to before the edit, which Postgres has.
#[tokio::test]
async fn a_change_that_was_decided_on_a_state_that_redis_lost_goes_through_and_competes_as_ever() {
    let world = World::new().await;
    let id = conversation("c");
    let created = world.message(&id, "1");
    let first = now(world.append(&created).await).version;
    let lost = Version::new(first.epoch, first.rev + 3);
    let _: i64 = world.broker.client().hset(world.broker.keys().state(&id), ("replid", "0")).await.unwrap();
    let floors = stored(lost.epoch, lost.rev, 1);
    assert_eq!(numbers(world.append_from(&world.message(&id, "2"), floors).await), (2, lost.rev + 1, 2));
    let edited = now(world.append_known(&change(&world, &created, "edit", lost)).await).version;
    assert_eq!(world.append_known(&change(&world, &created, "late", lost)).await, Appended::Stale);
    let object = world.broker.object(message_id(&created)).await.unwrap().unwrap();
    assert_eq!(object.version, edited);
    world.clean_up().await;
}

#[tokio::test]
async fn a_change_that_was_decided_before_redis_was_known_to_have_gone_back_is_decided_anew() {
    let world = World::new().await;
    let id = conversation("c");
    let created = world.message(&id, "1");
    let version = now(world.append(&created).await).version;
    let edit = change(&world, &created, "edit", version);
    let _: i64 = world.broker.client().hset(world.broker.keys().state(&id), ("replid", "0")).await.unwrap();
    assert_eq!(world.append_from(&edit, stored(1, 1, 1)).await, Appended::Stale);
    assert_eq!(world.ingest(&id).await.len(), 1);
    assert_eq!(now(world.append_known(&edit).await).version, Version::new(2, 2));
    world.clean_up().await;
}

#[tokio::test]
async fn a_change_keeps_an_object_that_was_about_to_expire() {
    let world = World::new().await;
    let id = conversation("c");
    let created = world.message(&id, "1");
    let version = now(world.append(&created).await).version;
    let key = world.broker.keys().object(message_id(&created)).unwrap();
    let _: bool = world.broker.client().expire(&key, 100, None).await.unwrap();
    world.append_known(&change(&world, &created, "edit", version)).await;
    assert_eq!(world.ttl(key).await, -1);
    world.clean_up().await;
}
