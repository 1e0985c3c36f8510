//! Membership.

use parlance_domain::{id::UserId, user::Profile, version::Version};
use parlance_store::{
    Store,
    participant::{Added, Member, Removal},
};

use crate::{
    conversations::{id, new, role, user, waiting},
    database::TestDatabase,
};

fn member(text: &str) -> Member {
    Member { user: user(text), role: "member".into() }
}

/// Whether they are new, and whether anything changed.
async fn add(store: &Store, who: &str, word: Option<&str>) -> (bool, bool) {
    let word = word.map(role);
    let added = store.add_participant(&id("c1"), &user(who), word.as_ref(), None).await.unwrap();
    let Some(Added { is_new, changed, .. }) = added else { panic!("there is no conversation") };
    (is_new, changed)
}

#[tokio::test]
async fn members_are_those_who_came_and_did_not_leave() {
    let (_database, store) = TestDatabase::migrated().await;
    assert_eq!(store.members(&id("c1")).await.unwrap(), None);
    assert_eq!(store.member_role(&id("c1"), &user("a")).await.unwrap(), None);

    store.create_conversation(&new("c1", &["a"]), None).await.unwrap();
    assert_eq!(add(&store, "b", None).await, (true, true));
    assert_eq!(add(&store, "b", None).await, (false, false));
    assert_eq!(add(&store, "b", Some("member")).await, (false, false));
    assert_eq!(store.members(&id("c1")).await.unwrap(), Some(vec![member("a"), member("b")]));

    assert_eq!(store.remove_participant(&id("c1"), &user("a"), None).await.unwrap(), Removal::Done);
    assert_eq!(store.remove_participant(&id("c1"), &user("a"), None).await.unwrap(), Removal::Nothing);
    assert_eq!(store.member_role(&id("c1"), &user("a")).await.unwrap(), None);
    assert_eq!(store.member_role(&id("c1"), &user("b")).await.unwrap(), Some(role("member")));

    store.remove_participant(&id("c1"), &user("b"), None).await.unwrap();
    assert_eq!(store.members(&id("c1")).await.unwrap(), Some(vec![]), "a conversation without members");
    let kinds: Vec<String> = waiting(&store).await.into_iter().map(|(_, kind)| kind).collect();
    let removed = "participant.removed";
    assert_eq!(kinds, ["conversation.created", "participant.added", removed, removed]);
}

#[tokio::test]
async fn nobody_comes_into_a_conversation_that_is_not_there() {
    let (_database, store) = TestDatabase::migrated().await;
    let added = store.add_participant(&id("c1"), &user("a"), None, None).await.unwrap();
    let removed = store.remove_participant(&id("c1"), &user("a"), None).await.unwrap();
    assert_eq!((added, removed), (None, Removal::NoConversation));
    assert_eq!(waiting(&store).await, []);
}

#[tokio::test]
async fn another_role_is_a_change_and_who_comes_back_keeps_the_cursors() {
    let (_database, store) = TestDatabase::migrated().await;
    store.create_conversation(&new("c1", &["a"]), None).await.unwrap();
    assert_eq!(add(&store, "a", Some("owner")).await, (false, true));
    assert_eq!(add(&store, "a", None).await, (false, false), "without a role he stays what he is");
    store
        .run("test", async |connection| {
            sqlx::query("UPDATE participants SET read_seq = 5, left_at = now()").execute(connection).await?;
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(add(&store, "a", None).await, (true, true));
    assert_eq!(
        store.members(&id("c1")).await.unwrap(),
        Some(vec![member("a")]),
        "who comes back is a member"
    );
    let read: i64 = store
        .run("test", async |connection| {
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
    add(&store, "d", None).await;
    store.remove_participant(&id("c1"), &user("d"), None).await.unwrap();
    store
        .run("test", async |connection| {
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

#[tokio::test]
async fn pages_have_everybody_who_takes_part_once_with_how_far_they_are() {
    let (_database, store) = TestDatabase::migrated().await;
    store.create_conversation(&new("c1", &["e", "b", "d", "a", "c"]), None).await.unwrap();
    store.remove_participant(&id("c1"), &user("c"), None).await.unwrap();
    add(&store, "d", Some("owner")).await;
    let anna = Profile { name: "Anna".into(), ..Profile::unknown(user("a")) };
    store.upsert_user_claims(&anna).await.unwrap();
    let sql = "UPDATE participants SET delivered_seq = 7, read_seq = 5 WHERE user_id = 'a'";
    store.run("test", async |connection| Ok(sqlx::query(sql).execute(connection).await?)).await.unwrap();

    let mut found = Vec::new();
    let mut after: Option<UserId> = None;
    loop {
        let page = store.participants(&id("c1"), after.as_ref(), 3).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.participant.id.clone());
        found.extend(page);
    }
    let ids: Vec<&str> = found.iter().map(|one| one.participant.id.as_str()).collect();
    assert_eq!(ids, ["a", "b", "d", "e"]);
    assert_eq!((&found[0].participant, found[0].delivered.0, found[0].read.0), (&anna, 7, 5));
    assert!(found[0].joined_at.is_some());
    assert_eq!((&found[2].role, &found[1].role), (&role("owner"), &role("member")));
}
