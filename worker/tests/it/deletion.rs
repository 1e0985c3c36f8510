//! What goes with a deleted conversation, and what stays.

use parlance_domain::{event::EventKind, version::Version};
use parlance_worker::dead_letter;

use crate::{
    entries::{
        TestEntry, call, changed_message, conversation_deleted, message, message_in, participant, reaction,
        receipt,
    },
    world::World,
};

fn at(rev: u64) -> Version {
    Version::new(1, rev)
}

/// How many rows of each table belong to `c1`: messages, reactions, calls, in calls, participants.
async fn counts(world: &World) -> [i64; 5] {
    const COUNT: &str = "
        SELECT ARRAY[
            (SELECT count(*) FROM messages WHERE conversation_id = 'c1'),
            (SELECT count(*) FROM reactions WHERE conversation_id = 'c1'),
            (SELECT count(*) FROM calls WHERE conversation_id = 'c1'),
            (SELECT count(*) FROM call_participants),
            (SELECT count(*) FROM participants WHERE conversation_id = 'c1')]";
    let counts: Vec<i64> = world
        .store
        .run("test", async |connection| Ok(sqlx::query_scalar(COUNT).fetch_one(connection).await?))
        .await
        .unwrap();
    counts.try_into().unwrap()
}

/// Events 1 to 6.
fn before() -> Vec<TestEntry> {
    vec![
        message("c1", 1),
        message("c1", 2),
        reaction("c1", at(3), 1, ("anna", "👍"), true),
        call(EventKind::CallStarted, "c1", at(4), 1, &["anna"]),
        call(EventKind::CallAnswered, "c1", at(5), 1, &["anna", "ben"]),
        participant(EventKind::ParticipantAdded, "c1", at(6), "anna"),
    ]
}

#[tokio::test]
async fn everything_up_to_a_deletion_goes_and_its_participants_stay() {
    let world = World::new().await;
    let worker = world.start(&[]).await;
    world.append_all(&before()).await;
    world.append(&receipt("c1", "ben", 2, 1, 0)).await;
    world.append(&message("c2", 1)).await;
    world.drained().await;
    assert_eq!(counts(&world).await, [2, 1, 1, 2, 2]);

    world.append(&conversation_deleted("c1", at(7))).await;
    world.drained().await;
    assert_eq!(counts(&world).await, [0, 0, 0, 0, 2]);
    assert_eq!(world.seqs("c2").await, [1], "other conversations have nothing to do with it");
    worker.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn what_comes_late_is_not_stored_and_what_comes_after_is() {
    let world = World::new().await;
    let worker = world.start(&[]).await;
    world.append(&conversation_deleted("c1", at(7))).await;
    world.drained().await;
    world.append_all(&before()).await;
    world
        .append_all(&[
            message_in("c1", at(8), 3, "new"),
            // Decided on before the deletion, placed after it: the message is gone all the same.
            changed_message(EventKind::MessageEdited, "c1", at(9), (1, 1), "edited"),
            reaction("c1", at(10), 3, ("ben", "👍"), true),
        ])
        .await;
    world.drained().await;
    assert_eq!(counts(&world).await, [1, 1, 0, 0, 1]);
    assert_eq!(world.seqs("c1").await, [3]);
    // The deletion comes again when its acknowledgement was lost.
    world.append(&conversation_deleted("c1", at(7))).await;
    world.drained().await;
    assert_eq!(counts(&world).await, [1, 1, 0, 0, 1]);
    worker.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn a_conversation_larger_than_a_transaction_goes_as_a_whole() {
    let world = World::new().await;
    world
        .sql(
            "INSERT INTO messages (id, conversation_id, seq, epoch, created_rev, rev, sender_id, sender, type, content,
                created_at)
             SELECT gen_random_uuid(), 'c1', n, 1, n, n, 'a', '{}', 'text', 'x', now() FROM generate_series(1, 12000) n",
        )
        .await;
    world
        .sql(
            "INSERT INTO reactions (message_id, user_id, emoji, conversation_id, seq, reactor, active, changed_at,
                epoch, rev)
             SELECT id, 'a', 'x', 'c1', seq, '{}', true, now(), 1, rev FROM messages WHERE seq <= 6000",
        )
        .await;
    world
        .sql(
            "INSERT INTO notifications (id, user_id, type, text, conversation_id, message_id)
             SELECT gen_random_uuid(), 'b', 'message', 'x', 'c1', id FROM messages WHERE seq > 11990",
        )
        .await;
    let worker = world.start(&[]).await;
    world.append(&conversation_deleted("c1", at(11_995))).await;
    world.drained().await;
    assert_eq!(counts(&world).await, [5, 0, 0, 0, 0]);
    let notified: i64 = world
        .store
        .run("test", async |connection| {
            Ok(sqlx::query_scalar("SELECT count(*) FROM notifications").fetch_one(connection).await?)
        })
        .await
        .unwrap();
    assert_eq!(notified, 5, "notifications go with their messages");
    worker.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn a_deletion_that_was_parked_takes_everything_with_it_when_it_is_retried() {
    let world = World::new().await;
    world.sql("ALTER TABLE conversations ADD CHECK (deleted_rev = 0)").await;
    let worker = world.start(&[]).await;
    world.append_all(&before()).await;
    world.append(&conversation_deleted("c1", at(7))).await;
    world.drained().await;
    assert_eq!(counts(&world).await[0], 2);
    world.sql("ALTER TABLE conversations DROP CONSTRAINT conversations_deleted_rev_check").await;
    let parked = dead_letter::list(&world.store, 0, 10).await.unwrap();
    let [letter] = parked.as_slice() else { panic!("{parked:?}") };
    assert_eq!(dead_letter::retry(&world.store, letter.id).await.unwrap(), dead_letter::Retried::Written);
    assert_eq!(counts(&world).await[..4], [0, 0, 0, 0]);
    worker.stop().await;
    world.clean_up().await;
}
