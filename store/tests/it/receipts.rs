//! What receipts need of Postgres.

use parlance_domain::{
    id::{MessageId, UserId},
    receipt::Covered,
    version::Seq,
};
use parlance_store::receipt::Stretch;

use crate::{conversations::id, database::TestDatabase, messages::ten_messages};

#[tokio::test]
async fn messages_are_found_by_their_places() {
    let (_database, store) = TestDatabase::migrated().await;
    ten_messages(&store).await;
    let found = store.covered(&id("c1"), &[Seq(2), Seq(9_000), Seq(u64::MAX)]).await.unwrap();
    let page = store.places(&[found[0].id]).await.unwrap();
    assert_eq!(found, [Covered { id: page[0].id, seq: Seq(2), sender: page[0].sender.clone() }]);
    assert_eq!(store.covered(&id("elsewhere"), &[Seq(2)]).await.unwrap(), []);
}

#[tokio::test]
async fn messages_of_others_are_counted_within_a_stretch() {
    let (_database, store) = TestDatabase::migrated().await;
    ten_messages(&store).await;
    let (author, other) = (UserId::new("a").unwrap(), UserId::new("nobody").unwrap());
    let count = async |user: &UserId, above: u64, to: u64, except: &[MessageId], most: u64| {
        let stretch = Stretch { user, above: Seq(above), to: Seq(to), except, most };
        store.count_of_others(&id("c1"), stretch).await.unwrap()
    };
    assert_eq!(count(&other, 2, 7, &[], 100).await, 5);
    assert_eq!(count(&author, 0, u64::MAX, &[], 100).await, 0);
    assert_eq!(count(&other, 2, 7, &[], 2).await, 2);
    assert_eq!(count(&other, 0, 2, &[], 100).await, 2);
    let second = store.covered(&id("c1"), &[Seq(2)]).await.unwrap()[0].id;
    assert_eq!(count(&other, 0, 2, &[second], 100).await, 1);
    assert_eq!(count(&other, 7, 3, &[], 100).await, 0);
}

#[tokio::test]
async fn cursors_are_read_of_those_who_are_asked_for() {
    let (_database, store) = TestDatabase::migrated().await;
    ten_messages(&store).await;
    store
        .run("test", async |connection| {
            sqlx::query(
                "INSERT INTO participants (conversation_id, user_id, delivered_seq, read_seq)
                 VALUES ('c1', 'bob', 7, 5), ('c1', 'carol', 9, 9)",
            )
            .execute(connection)
            .await?;
            Ok(())
        })
        .await
        .unwrap();
    let (bob, nobody) = (UserId::new("bob").unwrap(), UserId::new("nobody").unwrap());
    let found = store.cursors(&id("c1"), &[&bob, &nobody]).await.unwrap();
    assert_eq!(found, [(bob.clone(), Seq(7), Seq(5))]);
    assert_eq!(store.cursors(&id("c2"), &[&bob]).await.unwrap(), []);
}
