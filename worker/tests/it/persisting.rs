//! What entries do to rows.

use std::time::Duration;

use fred::interfaces::{HashesInterface, KeysInterface};
use parlance_broker::ingest::StreamKind;
use parlance_domain::{
    conversation::ParticipantRole,
    event::EventKind,
    id::{ConversationId, UserId},
    message::Metadata,
    version::{Heads, Seq, Version},
};
use parlance_store::conversation::NewConversation;

use crate::{
    entries::{AT, conversation_created, message, message_id, message_in, participant, receipt},
    world::{World, eventually},
};

fn id(text: &str) -> ConversationId {
    ConversationId::new(text).unwrap()
}

fn user(text: &str) -> UserId {
    UserId::new(text).unwrap()
}

/// delivered, read, whether it is a membership, rev
type Participant = (String, i64, i64, bool, i64);

async fn participants(world: &World, conversation: &str) -> Vec<Participant> {
    world
        .store
        .run("test", async |connection| {
            Ok(sqlx::query_as(
                "SELECT user_id, delivered_seq, read_seq, left_at IS NULL, rev FROM participants
                 WHERE conversation_id = $1 ORDER BY user_id",
            )
            .bind(conversation)
            .fetch_all(connection)
            .await?)
        })
        .await
        .unwrap()
}

#[tokio::test]
async fn messages_of_an_open_conversation_are_stored_and_leave_the_stream() {
    let world = World::new().await;
    let worker = world.start(&[]).await;
    let entries: Vec<_> =
        (1..=50).map(|n| message("c1", n)).chain((1..=50).map(|n| message("c2", n))).collect();
    world.append_all(&entries).await;
    world.drained().await;

    assert_eq!(world.seqs("c1").await, (1..=50).collect::<Vec<i64>>());
    assert_eq!(world.seqs("c2").await.len(), 50);
    assert_eq!(world.heads("c1").await, Some(Heads { version: Version::new(1, 50), seq: Seq(50) }));
    let stored = world.store.message(message_id("c1", 50)).await.unwrap().unwrap();
    assert_eq!((stored.seq, stored.version), (Seq(50), Version::new(1, 50)));
    assert_eq!(stored.view()["metadata"], serde_json::json!({"k": [1, 2.5]}));
    assert_eq!(stored.view()["clientId"], "client-50");
    let size_key = world.broker.keys().ingest_size(world.partition("c1"));
    let size: Option<u64> = world.broker.client().hget(size_key, "bytes").await.unwrap();
    assert_eq!(size, None, "an empty stream has no size");
    worker.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn membership_is_stamped_and_neither_given_nor_taken() {
    let world = World::new().await;
    let new = NewConversation {
        id: id("c1"),
        title: None,
        metadata: Metadata::default(),
        participants: ["anna", "ben"].map(|id| (user(id), ParticipantRole::default())).into(),
    };
    world.store.create_conversation(&new, None).await.unwrap();
    world.store.remove_participant(&id("c1"), &user("ben"), None).await.unwrap();

    let worker = world.start(&[]).await;
    let (added, removed) = (EventKind::ParticipantAdded, EventKind::ParticipantRemoved);
    world
        .append_all(&[
            conversation_created("c1", Version::new(1, 1), &["anna", "ben"]),
            participant(removed, "c1", Version::new(1, 2), "ben"),
            participant(added, "c1", Version::new(1, 3), "cleo"),
            participant(removed, "c1", Version::new(1, 4), "anna"),
        ])
        .await;
    world.drained().await;

    let expected = [("anna", true, 4), ("ben", false, 2), ("cleo", false, 3)]
        .map(|(user, member, rev)| (user.to_owned(), 0, 0, member, rev));
    assert_eq!(participants(&world, "c1").await, expected, "rows are the truth, and events only stamp them");
    let stored = world.store.conversation(&id("c1")).await.unwrap().unwrap();
    assert_eq!((stored.version, stored.heads.version), (Version::new(1, 1), Version::new(1, 4)));
    worker.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn cursors_only_move_forward_and_give_no_membership() {
    let world = World::new().await;
    let worker = world.start(&[]).await;
    world
        .append_all(&[
            receipt("c1", "anna", 7, 3, 0),
            receipt("c1", "anna", 5, 5, 10),
            receipt("c1", "ben", 0, 0, 0),
        ])
        .await;
    world.drained().await;

    assert_eq!(participants(&world, "c1").await, [("anna".to_owned(), 7, 5, false, 0)]);
    assert_eq!(
        world.store.member_role(&id("c1"), &user("anna")).await.unwrap(),
        None,
        "no conversation appears"
    );
    worker.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn nothing_is_stored_that_was_deleted_with_its_conversation() {
    let world = World::new().await;
    world.sql("INSERT INTO conversations (id, epoch, head_rev, head_seq, deleted_rev) VALUES ('c1', 1, 5, 5, 5)").await;
    let worker = world.start(&[]).await;
    world.append_all(&[message("c1", 4), message("c1", 5), message("c1", 6)]).await;
    world.drained().await;
    assert_eq!(world.seqs("c1").await, [6]);
    worker.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn heads_follow_the_newest_epoch_and_places_never_fall() {
    let world = World::new().await;
    let worker = world.start(&[]).await;
    world
        .append_all(&[
            message_in("c1", Version::new(2, 11), 8, "new"),
            message_in("c1", Version::new(1, 14), 9, "old"),
        ])
        .await;
    world.drained().await;
    assert_eq!(world.heads("c1").await, Some(Heads { version: Version::new(2, 11), seq: Seq(9) }));
    worker.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn a_conversation_was_active_when_something_was_last_said_in_it_or_when_it_was_created() {
    let world = World::new().await;
    let worker = world.start(&[]).await;
    world
        .append_all(&[
            message("c1", 2).later(2_000),
            message("c1", 1).later(1_000),
            participant(EventKind::ParticipantAdded, "c1", Version::new(1, 3), "anna").later(9_000),
            conversation_created("c2", Version::new(1, 1), &["anna"]).later(3_000),
            receipt("c2", "anna", 1, 1, 9_000),
        ])
        .await;
    world.drained().await;
    let active: Vec<(String, i64)> = world
        .store
        .run("test", async |connection| {
            let sql =
                "SELECT id, (extract(epoch FROM active_at) * 1000)::bigint FROM conversations ORDER BY id";
            Ok(sqlx::query_as(sql).fetch_all(connection).await?)
        })
        .await
        .unwrap();
    assert_eq!(active, [("c1".to_owned(), AT + 2_000), ("c2".to_owned(), AT + 3_000)]);
    worker.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn an_object_expires_only_when_its_newest_state_is_stored() {
    let world = World::new().await;
    let keys = world.broker.keys();
    // A conversation of partition 0, which the ids of the tests carry.
    let name = (0..).map(|n| format!("c{n}")).find(|name| world.partition(name).0 == 0).unwrap();
    let objects = [1, 2].map(|n| keys.object(message_id(&name, n)).unwrap());
    for (object, rev) in objects.iter().zip([1, 9]) {
        let _: () = world.broker.client().hset(object, vec![("epoch", 1), ("rev", rev)]).await.unwrap();
    }
    let worker = world.start(&[]).await;
    world.append_all(&[message(&name, 1), message(&name, 2)]).await;
    world.drained().await;

    let ttl = async |object: &String| world.broker.client().ttl::<i64, _>(object).await.unwrap();
    let expiring = ttl(&objects[0]).await;
    assert!((3_500..=3_600).contains(&expiring), "{expiring}");
    assert_eq!(ttl(&objects[1]).await, -1, "something newer of it waits to be stored");
    worker.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn a_stop_finishes_what_was_read_and_leaves_no_consumer() {
    let world = World::new().await;
    let worker = world.start(&[("PARLANCE__INGEST__BATCH_AGE", "1s")]).await;
    world.append_all(&(1..=20).map(|n| message("c1", n)).collect::<Vec<_>>()).await;
    eventually("the worker has read them", async || {
        let status = world.status("c1", StreamKind::Ingest).await;
        if status.pending == 20 || status.entries == 0 { Ok(()) } else { Err(status) }
    })
    .await;
    worker.stop().await;

    assert_eq!(world.seqs("c1").await.len(), 20);
    let status = world.status("c1", StreamKind::Ingest).await;
    assert_eq!((status.entries, status.consumers), (0, vec![]));
    world.clean_up().await;
}

#[tokio::test]
async fn redis_losing_everything_is_survived() {
    let world = World::new().await;
    let worker = world.start(&[]).await;
    world.append(&message("c1", 1)).await;
    world.drained().await;
    // Only this test's keys: the server is shared with other tests.
    world.clean_up().await;
    world.append(&message("c1", 2)).await;
    world.drained().await;
    assert_eq!(world.seqs("c1").await, [1, 2]);
    worker.stop().await;
    tokio::time::timeout(Duration::from_secs(5), world.clean_up()).await.unwrap();
}
