//! Reading what changed since a position.

use parlance_domain::{
    id::MessageId,
    version::{Heads, Seq, Version},
};
use parlance_store::{
    Store,
    changes::{Bounds, Changes},
};
use serde_json::json;

use crate::{conversations::id, database::TestDatabase};

const PLENTY: Bounds = Bounds { rows: 100, bytes: 1 << 20 };

fn message_id(n: u64) -> MessageId {
    MessageId::new(1_700_000_000_000 + n, [1; 8], 3)
}

async fn run(store: &Store, statement: &'static str) {
    let run = store.run("test", async |connection| {
        sqlx::query(statement).execute(connection).await?;
        Ok(())
    });
    run.await.unwrap();
}

/// Messages created by the events 1 to `count`, each of ten bytes; those in `changed` by a later event.
async fn messages(store: &Store, count: u64, changed: &[(u64, u64)]) {
    for n in 1..=count {
        let rev = changed.iter().find(|(which, _)| *which == n).map_or(n, |(_, rev)| *rev);
        let insert = store.run("test", async |connection| {
            sqlx::query(
                "INSERT INTO messages (id, conversation_id, seq, epoch, created_rev, rev, sender_id, sender, type,
                    content, created_at)
                 VALUES ($1, 'c1', $2, 1, $2, $3, 'a', '{\"id\":\"a\",\"name\":\"A\"}', 'text', '0123456789', now())",
            )
            .bind(message_id(n).uuid())
            .bind(n as i64)
            .bind(rev as i64)
            .execute(connection)
            .await?;
            Ok(())
        });
        insert.await.unwrap();
    }
}

async fn since(store: &Store, rev: u64, seq: u64, bounds: Bounds) -> Changes {
    let since = Heads { version: Version::new(1, rev), seq: Seq(seq) };
    store.changes_since(&id("c1"), since, Version::new(1, 1_000), bounds).await.unwrap()
}

/// The places of the messages that changed, and up to which rev these are all.
async fn places(store: &Store, rev: u64, seq: u64, bounds: Bounds) -> (Vec<u64>, Option<u64>) {
    let messages = since(store, rev, seq, bounds).await.messages;
    let places = messages.rows.iter().map(|message| message.seq.0).collect();
    (places, messages.until.map(|until| until.rev))
}

#[tokio::test]
async fn a_reading_that_gets_to_the_end_says_so() {
    let (_database, store) = TestDatabase::migrated().await;
    messages(&store, 6, &[(2, 8), (4, 7)]).await;
    assert_eq!(places(&store, 3, 3, PLENTY).await, (vec![5, 6, 4, 2], None), "oldest change first");
    assert_eq!(places(&store, 8, 6, PLENTY).await, (vec![], None));
    let other = Heads { version: Version::new(1, 0), seq: Seq(0) };
    let nothing = store.changes_since(&id("c2"), other, Version::new(1, 9), PLENTY).await.unwrap();
    assert_eq!((nothing.messages.rows.len(), nothing.conversation, nothing.deleted), (0, None, None));
}

#[tokio::test]
async fn messages_that_were_created_within_a_reading_and_changed_beyond_it_are_among_it() {
    let (_database, store) = TestDatabase::migrated().await;
    messages(&store, 10, &[(3, 13), (5, 12), (6, 11)]).await;
    let bounds = Bounds { rows: 3, ..PLENTY };
    // By change after 2: 4, 7, 8, 9, 10, 6, 5, 3.
    for known in [2, 0] {
        assert_eq!(places(&store, 2, known, bounds).await, (vec![4, 7, 8, 3, 5, 6], Some(6)), "{known}");
    }
    let two = Bounds { rows: 2, ..PLENTY };
    assert_eq!(places(&store, 2, 2, two).await, (vec![4, 7, 3, 5], Some(5)), "only so many were read");
    // What is left after that is nearer to the end.
    assert_eq!(places(&store, 6, 6, bounds).await, (vec![7, 8, 9], Some(9)));
    assert_eq!(places(&store, 9, 9, bounds).await, (vec![10, 6, 5], Some(12)));
    assert_eq!(places(&store, 12, 10, bounds).await, (vec![3], None));
}

#[tokio::test]
async fn a_reading_is_bounded_in_bytes() {
    let (_database, store) = TestDatabase::migrated().await;
    messages(&store, 5, &[]).await;
    let bounds = Bounds { bytes: 15, ..PLENTY };
    assert_eq!(places(&store, 0, 0, bounds).await, (vec![1, 2], Some(2)));
    assert_eq!(places(&store, 4, 4, bounds).await, (vec![5], None));
}

#[tokio::test]
async fn a_reaction_that_came_or_went_carries_all_that_are_there_now() {
    let (_database, store) = TestDatabase::migrated().await;
    messages(&store, 1, &[]).await;
    run(
        &store,
        "INSERT INTO reactions (message_id, user_id, emoji, conversation_id, seq, reactor, active, changed_at, epoch, rev)
         SELECT m.id, r.u, 'x', 'c1', 1, jsonb_build_object('id', r.u, 'name', upper(r.u)), r.active,
            to_timestamp(1700000000 + r.rev), 1, r.rev
         FROM messages m, (VALUES ('ann', 2, true), ('bob', 5, false), ('cleo', 4, true)) AS r (u, rev, active)",
    )
    .await;
    let reactions = since(&store, 3, 1, PLENTY).await.reactions;
    assert_eq!(reactions.until, None);
    let told: Vec<_> = reactions
        .rows
        .iter()
        .map(|row| (row.version.rev, row.update.user.id.as_str(), row.update.active, row.at.0))
        .collect();
    assert_eq!(told, [(4, "cleo", true, 1_700_000_004_000), (5, "bob", false, 1_700_000_005_000)]);
    let now = json!([{"emoji": "x", "count": 2, "users": [
        {"id": "ann", "name": "ANN"}, {"id": "cleo", "name": "CLEO"}]}]);
    for row in &reactions.rows {
        assert_eq!((row.update.message, row.update.reactions.view()), (message_id(1), now.clone()));
    }
    let one = since(&store, 1, 1, Bounds { rows: 1, ..PLENTY }).await.reactions;
    assert_eq!(one.until, Some(Version::new(1, 2)));
}

#[tokio::test]
async fn a_deletion_and_what_was_made_of_the_id_since_are_found() {
    let (_database, store) = TestDatabase::migrated().await;
    run(
        &store,
        "INSERT INTO conversations (id, title, created_at, state_epoch, state_rev, epoch, head_rev, deleted_rev, deleted_at)
         VALUES ('c1', 'old', now(), 1, 4, 1, 5, 5, to_timestamp(1700000000))",
    )
    .await;
    let gone = since(&store, 3, 0, PLENTY).await;
    let deletion = gone.deleted.unwrap();
    assert_eq!((deletion.rev, deletion.at.0), (5, 1_700_000_000_000));
    assert_eq!(gone.conversation, None, "what was changed before is gone");
    assert_eq!(since(&store, 5, 0, PLENTY).await.deleted, None);

    run(&store, "UPDATE conversations SET title = 'new', state_rev = 6, head_rev = 6, deleted_at = NULL")
        .await;
    let again = since(&store, 3, 0, PLENTY).await;
    assert_eq!(again.deleted.map(|deletion| deletion.rev), Some(5));
    let (conversation, version) = again.conversation.unwrap();
    assert_eq!((conversation.title.unwrap().as_str(), version), ("new", Version::new(1, 6)));
    assert_eq!(since(&store, 6, 0, PLENTY).await.conversation, None);
}
