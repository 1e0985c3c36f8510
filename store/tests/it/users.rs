//! Users: what tokens and backends say of them.

use std::collections::HashMap;

use parlance_domain::{
    id::UserId,
    message::Metadata,
    time::Timestamp,
    user::{Profile, User},
};
use serde_json::json;

use crate::database::TestDatabase;

fn user(id: &str) -> UserId {
    UserId::new(id).unwrap()
}

#[tokio::test]
async fn claims_fill_in_and_never_erase() {
    let (_database, store) = TestDatabase::migrated().await;
    let anna = Profile { name: "Anna".into(), avatar: Some("a.png".into()), ..Profile::unknown(user("u1")) };
    assert_eq!(store.upsert_user_claims(&anna).await.unwrap(), anna);

    let bare = store.upsert_user_claims(&Profile::unknown(user("u1"))).await.unwrap();
    assert_eq!(bare, anna, "a token without claims changes nothing");

    let promoted =
        Profile { name: "Anna B.".into(), role: Some("admin".into()), ..Profile::unknown(user("u1")) };
    let merged = store.upsert_user_claims(&promoted).await.unwrap();
    assert_eq!(merged, Profile { avatar: Some("a.png".into()), ..promoted });
}

#[tokio::test]
async fn profiles_come_in_the_order_of_the_ids_and_unknown_users_are_named_by_their_id() {
    let (_database, store) = TestDatabase::migrated().await;
    let anna = Profile { name: "Anna".into(), ..Profile::unknown(user("u1")) };
    store.upsert_user_claims(&anna).await.unwrap();
    let profiles = store.profiles(&[user("u2"), user("u1"), user("u2")]).await.unwrap();
    assert_eq!(profiles, [Profile::unknown(user("u2")), anna, Profile::unknown(user("u2"))]);
}

fn whole(id: &str) -> User {
    let fields = json!({"team": [1, {"a": 1.5}]}).as_object().unwrap().clone();
    User {
        id: user(id),
        name: Some("Anna".into()),
        username: Some("anna".into()),
        avatar: Some("a.png".into()),
        email: Some("anna@example.org".into()),
        role: Some("moderator".into()),
        metadata: Metadata::new(fields).unwrap(),
    }
}

#[tokio::test]
async fn a_user_is_what_was_last_written_and_a_token_changes_only_what_it_carries() {
    let (_database, store) = TestDatabase::migrated().await;
    assert_eq!(store.put_users(&[whole("u1")]).await.unwrap(), 1);
    let first = store.user(&user("u1")).await.unwrap().unwrap();
    assert_eq!(first.user, whole("u1"));
    assert_eq!(store.put_users(&[whole("u1")]).await.unwrap(), 0);
    let same = store.user(&user("u1")).await.unwrap().unwrap();
    assert_eq!(same.updated_at, first.updated_at, "nothing changed");

    let claims = Profile { name: "Anna B.".into(), ..Profile::unknown(user("u1")) };
    store.upsert_user_claims(&claims).await.unwrap();
    let known = store.user(&user("u1")).await.unwrap().unwrap().user;
    assert_eq!(known, User { name: Some("Anna B.".into()), ..whole("u1") });

    let bare = User { name: Some("A".into()), ..User::of(Profile::unknown(user("u1"))) };
    assert_eq!(store.put_users(std::slice::from_ref(&bare)).await.unwrap(), 0);
    assert_eq!(store.user(&user("u1")).await.unwrap().unwrap().user, bare, "what is left out is forgotten");
}

#[tokio::test]
async fn many_are_written_at_once_even_by_two_in_other_orders() {
    let (_database, store) = TestDatabase::migrated().await;
    let all: Vec<User> = (0..200).map(|n| whole(&format!("u{n:03}"))).collect();
    let other: Vec<User> =
        all.iter().rev().map(|user| User { name: Some("B".into()), ..user.clone() }).collect();
    let (one, two) = tokio::join!(store.put_users(&all), store.put_users(&other));
    assert_eq!(one.unwrap() + two.unwrap(), 200);

    let mut ids = Vec::new();
    let mut after = None;
    loop {
        let page = store.users(after.as_ref(), 70).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.user.id.clone());
        ids.extend(page.into_iter().map(|found| found.user.id));
    }
    assert_eq!(ids, all.iter().map(|user| user.id.clone()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_deleted_user_is_called_by_his_id_again() {
    let (_database, store) = TestDatabase::migrated().await;
    store.put_users(&[whole("u1")]).await.unwrap();
    assert!(store.delete_user(&user("u1")).await.unwrap());
    assert!(!store.delete_user(&user("u1")).await.unwrap());
    assert_eq!(store.user(&user("u1")).await.unwrap(), None);
    assert_eq!(store.profiles(&[user("u1")]).await.unwrap(), [Profile::unknown(user("u1"))]);
}

#[tokio::test]
async fn the_newest_time_that_a_user_was_seen_stays_and_makes_nobody_known() {
    let (_database, store) = TestDatabase::migrated().await;
    store.upsert_user_claims(&Profile::unknown(user("u1"))).await.unwrap();
    let before = store.user(&user("u1")).await.unwrap();
    for (at, kept) in [(1_000, 1_000), (3_000, 3_000), (2_000, 3_000)] {
        let seen = [(user("u2"), Timestamp(at)), (user("u1"), Timestamp(at))];
        store.write_last_seen(&seen).await.unwrap();
        let stored = store.last_seen(&[user("u1"), user("u2")]).await.unwrap();
        assert_eq!(stored, HashMap::from([(user("u1"), Timestamp(kept))]));
    }
    assert_eq!(store.user(&user("u2")).await.unwrap(), None);
    assert_eq!(store.user(&user("u1")).await.unwrap(), before, "nothing else of him has changed");
    store.write_last_seen(&[]).await.unwrap();
}
