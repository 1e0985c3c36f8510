//! Profiles.

use parlance_domain::{id::UserId, user::Profile};

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
