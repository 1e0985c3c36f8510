//! Membership.

use parlance_domain::{user::Profile, version::Version};
use parlance_store::participant::{Change, Member};

use crate::{
    conversations::{id, new, user, waiting},
    database::TestDatabase,
};

fn member(text: &str) -> Member {
    Member { user: user(text), role: "member".into() }
}

#[tokio::test]
async fn members_are_those_who_came_and_did_not_leave() {
    let (_database, store) = TestDatabase::migrated().await;
    assert_eq!(store.members(&id("c1")).await.unwrap(), None);
    assert_eq!(store.is_member(&id("c1"), &user("a")).await.unwrap(), None);

    store.create_conversation(&new("c1", &["a"]), None).await.unwrap();
    assert_eq!(store.add_participant(&id("c1"), &user("b"), "member", None).await.unwrap(), Change::Done);
    assert_eq!(store.add_participant(&id("c1"), &user("b"), "member", None).await.unwrap(), Change::Nothing);
    assert_eq!(store.members(&id("c1")).await.unwrap(), Some(vec![member("a"), member("b")]));

    assert_eq!(store.remove_participant(&id("c1"), &user("a"), None).await.unwrap(), Change::Done);
    assert_eq!(store.remove_participant(&id("c1"), &user("a"), None).await.unwrap(), Change::Nothing);
    assert_eq!(store.is_member(&id("c1"), &user("a")).await.unwrap(), Some(false));
    assert_eq!(store.is_member(&id("c1"), &user("b")).await.unwrap(), Some(true));

    store.remove_participant(&id("c1"), &user("b"), None).await.unwrap();
    assert_eq!(store.members(&id("c1")).await.unwrap(), Some(vec![]), "a conversation without members");
    let kinds: Vec<String> = waiting(&store).await.into_iter().map(|(_, kind)| kind).collect();
    let removed = "participant.removed";
    assert_eq!(kinds, ["conversation.created", "participant.added", removed, removed]);
}

#[tokio::test]
async fn nobody_comes_into_a_conversation_that_is_not_there() {
    let (_database, store) = TestDatabase::migrated().await;
    let added = store.add_participant(&id("c1"), &user("a"), "member", None).await.unwrap();
    let removed = store.remove_participant(&id("c1"), &user("a"), None).await.unwrap();
    assert_eq!((added, removed), (Change::NoConversation, Change::NoConversation));
    assert_eq!(waiting(&store).await, []);
}

#[tokio::test]
async fn another_role_is_a_change_and_who_comes_back_keeps_the_cursors() {
    let (_database, store) = TestDatabase::migrated().await;
    store.create_conversation(&new("c1", &["a"]), None).await.unwrap();
    assert_eq!(store.add_participant(&id("c1"), &user("a"), "owner", None).await.unwrap(), Change::Done);
    store
        .run(async |connection| {
            sqlx::query("UPDATE participants SET read_seq = 5, left_at = now()").execute(connection).await?;
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(store.add_participant(&id("c1"), &user("a"), "owner", None).await.unwrap(), Change::Done);
    let read: i64 = store
        .run(async |connection| {
            Ok(sqlx::query_scalar("SELECT read_seq FROM participants WHERE left_at IS NULL")
                .fetch_one(connection)
                .await?)
        })
        .await
        .unwrap();
    assert_eq!(read, 5);
}

#[tokio::test]
async fn changes_since_a_version_are_never_cut_within_one_event() {
    let (_database, store) = TestDatabase::migrated().await;
    store.create_conversation(&new("c1", &["a", "b", "c"]), None).await.unwrap();
    store.add_participant(&id("c1"), &user("d"), "member", None).await.unwrap();
    store.remove_participant(&id("c1"), &user("d"), None).await.unwrap();
    store
        .run(async |connection| {
            sqlx::query("UPDATE participants SET epoch = 1, rev = CASE user_id WHEN 'd' THEN 4 ELSE 1 END")
                .execute(connection)
                .await?;
            Ok(())
        })
        .await
        .unwrap();

    let changes = store.participants_since(&id("c1"), Version::new(1, 0), 1).await.unwrap();
    assert_eq!(changes.len(), 3, "the creation announced three");
    let changes = store.participants_since(&id("c1"), Version::new(1, 1), 10).await.unwrap();
    let [removed] = changes.as_slice() else { panic!("{changes:?}") };
    assert_eq!((&removed.participant, removed.member), (&Profile::unknown(user("d")), false));
    assert_eq!(removed.version, Version::new(1, 4));
    assert_eq!(store.participants_since(&id("c1"), Version::new(2, 0), 10).await.unwrap(), []);
}
