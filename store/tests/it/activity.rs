//! Of which conversations participants are still to be told.

use parlance_store::Store;

use crate::{
    conversations::{id, new},
    database::TestDatabase,
};

async fn taken(store: &Store, limit: u32) -> Vec<String> {
    let taken = store.take_active(limit).await.unwrap();
    taken.into_iter().map(|active| active.conversation.to_string()).collect()
}

#[tokio::test]
async fn what_happens_while_somebody_tells_is_told_again() {
    let (_database, store) = TestDatabase::migrated().await;
    for _ in 0..3 {
        store.note_activity(&id("c1")).await.unwrap();
    }
    let active = store.take_active(10).await.unwrap();
    assert_eq!(active.len(), 1);
    store.note_activity(&id("c1")).await.unwrap();
    assert_eq!(taken(&store, 10).await, [""; 0], "one at a time tells of a conversation");
    store.told_of_activity(&active[0]).await.unwrap();
    let again = store.take_active(10).await.unwrap();
    assert_eq!(again.len(), 1);
    store.told_of_activity(&again[0]).await.unwrap();
    store.told_of_activity(&again[0]).await.unwrap();
    assert_eq!(taken(&store, 10).await, [""; 0]);
}

#[tokio::test]
async fn those_that_wait_longest_come_first_and_a_failure_waits_again() {
    let (_database, store) = TestDatabase::migrated().await;
    for conversation in ["a", "b", "c"] {
        store.note_activity(&id(conversation)).await.unwrap();
    }
    let first = store.take_active(1).await.unwrap();
    assert_eq!(first[0].conversation, id("a"));
    store.release_activity(&first[0]).await.unwrap();
    for expected in ["b", "c", "a"] {
        assert_eq!(taken(&store, 1).await, [expected]);
    }
}

#[tokio::test]
async fn a_conversation_is_told_of_as_it_is_now_and_not_when_it_is_gone() {
    let (_database, store) = TestDatabase::migrated().await;
    assert_eq!(store.conversation_now(&id("c1")).await.unwrap(), None);
    store.create_conversation(&new("c1", &["a", "b"]), None).await.unwrap();
    let (conversation, last) = store.conversation_now(&id("c1")).await.unwrap().unwrap();
    assert_eq!((conversation.participants.len(), last), (2, None));
    let used = parlance_store::conversation::Used::OnlyWhenCreated;
    assert!(store.delete_conversation(&id("c1"), used, None).await.unwrap());
    assert_eq!(store.conversation_now(&id("c1")).await.unwrap(), None);
}
