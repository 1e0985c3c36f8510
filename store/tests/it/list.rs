//! The list of a user's conversations, and how far participants have got.

use chrono::{DateTime, Utc};
use parlance_domain::{
    conversation::MAX_LISTED_PARTICIPANTS,
    id::{ConversationId, MessageId},
    version::Seq,
};
use parlance_store::{
    Store,
    cursor::Furthest,
    list::{Joined, Listed, Unread},
};

use crate::{
    conversations::{id, user},
    database::TestDatabase,
};

fn message_id(n: u8) -> MessageId {
    MessageId::new(1_700_000_000_000, [n; 8], 3)
}

/// `c1` to `c4`, used at the minutes 1 to 4 (`c3` never, made at minute 3), of Ann and Bob; in `c1` three messages of
/// Bob, one of them taken back, and one of Ann.
async fn scene(store: &Store) {
    for sql in [
        "INSERT INTO conversations (id, created_at, active_at)
         SELECT 'c' || n, to_timestamp(n * 60), CASE WHEN n <> 3 THEN to_timestamp(n * 60) END
         FROM generate_series(1, 4) n",
        "INSERT INTO participants (conversation_id, user_id, role, joined_at, read_seq)
         SELECT 'c' || n, member, 'owner', now(), 1 FROM generate_series(1, 4) n, UNNEST(ARRAY['ann', 'bob']) member",
        "INSERT INTO participants (conversation_id, user_id, left_at) VALUES ('c1', 'gone', now())",
    ] {
        store.run("test", async |connection| Ok(sqlx::query(sql).execute(connection).await?)).await.unwrap();
    }
    for (n, sender) in [(1_u8, "bob"), (2, "bob"), (3, "ann"), (4, "bob")] {
        let insert = store.run("test", async |connection| {
            Ok(sqlx::query(
                "INSERT INTO messages (id, conversation_id, seq, epoch, created_rev, rev, sender_id, sender, type, content,
                    created_at, deleted_at)
                 VALUES ($1, 'c1', $2, 1, $2, $2, $3, jsonb_build_object('id', $3, 'name', $3), 'text', 'x', now(),
                    CASE WHEN $2 = 4 THEN now() END)",
            )
            .bind(message_id(n).uuid())
            .bind(i64::from(n))
            .bind(sender)
            .execute(connection)
            .await?)
        });
        insert.await.unwrap();
    }
}

async fn joined(
    store: &Store,
    name: &str,
    after: Option<(DateTime<Utc>, ConversationId)>,
    limit: u64,
) -> Vec<Joined> {
    store.joined(&user(name), None, after.as_ref(), limit).await.unwrap()
}

fn ids(joined: &[Joined]) -> Vec<&str> {
    joined.iter().map(|joined| joined.conversation.as_str()).collect()
}

#[tokio::test]
async fn the_newest_activity_is_first_and_a_page_follows_the_one_before() {
    let (_database, store) = TestDatabase::migrated().await;
    scene(&store).await;
    let all = joined(&store, "ann", None, 10).await;
    assert_eq!(ids(&all), ["c4", "c3", "c2", "c1"]);
    assert_eq!((all[0].role.as_str(), all[0].read), ("owner", Seq(1)));
    let place = |joined: &Joined| Some((joined.active_at, joined.conversation.clone()));
    for at in 0..4 {
        let rest = joined(&store, "ann", place(&all[at]), 10).await;
        assert_eq!(rest, all[at + 1..]);
    }
    assert!(joined(&store, "gone", None, 10).await.is_empty(), "who left has no list");
    let delete = "UPDATE conversations SET deleted_at = now() WHERE id = 'c3'";
    store.run("test", async |connection| Ok(sqlx::query(delete).execute(connection).await?)).await.unwrap();
    assert_eq!(ids(&joined(&store, "ann", None, 10).await), ["c4", "c2", "c1"]);
}

#[tokio::test]
async fn what_is_stored_of_each_is_told_until_it_takes_the_bytes() {
    let (_database, store) = TestDatabase::migrated().await;
    scene(&store).await;
    let mut all = joined(&store, "ann", None, 10).await;
    all.reverse();
    let listed = async |except: &[MessageId], most, bytes| -> Vec<Listed> {
        let (user, all) = (user("ann"), &all);
        store.listed(all, Unread { user: &user, except, most }, bytes).await.unwrap()
    };
    let found = listed(&[], 1_000, 1 << 20).await;
    assert_eq!(found.len(), 4);
    assert_eq!(found[0].conversation.id, id("c1"));
    assert_eq!(found[0].conversation.participants, [user("ann"), user("bob")]);
    assert_eq!(found[0].last.as_ref().map(|last| last.body.id), Some(message_id(4)));
    assert_eq!(found[0].unread, 1, "not what was read, taken back, or one's own");
    assert_eq!((found[1].last.as_ref(), found[1].unread), (None, 0));
    assert_eq!(listed(&[message_id(2)], 1_000, 1 << 20).await[0].unread, 0);
    assert_eq!(listed(&[], 0, 1 << 20).await[0].unread, 0, "no more than asked for");
    assert_eq!(listed(&[], 1_000, 1).await.len(), 1);
}

#[tokio::test]
async fn of_very_many_participants_the_first_ones_are_listed() {
    let (_database, store) = TestDatabase::migrated().await;
    scene(&store).await;
    let more = "INSERT INTO participants (conversation_id, user_id, joined_at)
        SELECT 'c1', 'u' || n, now() + interval '1 minute' FROM generate_series(1, 1500) n";
    store.run("test", async |connection| Ok(sqlx::query(more).execute(connection).await?)).await.unwrap();
    let mut all = joined(&store, "ann", None, 10).await;
    all.retain(|joined| joined.conversation == id("c1"));
    let unread = Unread { user: &user("ann"), except: &[], most: 10 };
    let listed = store.listed(&all, unread, 1 << 20).await.unwrap();
    let participants = &listed[0].conversation.participants;
    assert_eq!(participants.len(), MAX_LISTED_PARTICIPANTS);
    assert_eq!(participants[..2], [user("ann"), user("bob")]);
}

#[tokio::test]
async fn the_two_furthest_cursors_of_each_kind_are_found() {
    let (_database, store) = TestDatabase::migrated().await;
    assert_eq!(store.furthest(&id("c1")).await.unwrap(), Furthest::default());
    let sql = "INSERT INTO participants (conversation_id, user_id, delivered_seq, read_seq)
        VALUES ('c1', 'ann', 9, 2), ('c1', 'bob', 7, 7), ('c1', 'carol', 3, 3), ('c1', 'dave', 0, 0), ('c2', 'eve', 50, 50)";
    store.run("test", async |connection| Ok(sqlx::query(sql).execute(connection).await?)).await.unwrap();
    let found = store.furthest(&id("c1")).await.unwrap();
    assert_eq!(found.delivered, [(user("ann"), Seq(9)), (user("bob"), Seq(7))]);
    assert_eq!(found.read, [(user("bob"), Seq(7)), (user("carol"), Seq(3))]);
}
