//! Creating conversations.

use parlance_domain::{
    conversation::Title,
    id::{ConversationId, UserId},
    message::Metadata,
    version::{Heads, Seq, Version},
};
use parlance_store::{
    Store,
    conversation::{Creation, NewConversation},
};
use serde_json::json;

use crate::database::TestDatabase;

pub fn id(text: &str) -> ConversationId {
    ConversationId::new(text).unwrap()
}

pub fn user(text: &str) -> UserId {
    UserId::new(text).unwrap()
}

pub fn new(conversation: &str, participants: &[&str]) -> NewConversation {
    let fields = json!({"team": 7, "ratio": 1.5}).as_object().unwrap().clone();
    NewConversation {
        id: id(conversation),
        title: Some(Title::new("Plans".into()).unwrap()),
        metadata: Metadata::new(fields).unwrap(),
        participants: participants.iter().map(|text| user(text)).collect(),
    }
}

pub async fn waiting(store: &Store) -> Vec<(String, String)> {
    store
        .run(async |connection| {
            Ok(sqlx::query_as("SELECT conversation_id, kind FROM outbox ORDER BY id")
                .fetch_all(connection)
                .await?)
        })
        .await
        .unwrap()
}

#[tokio::test]
async fn a_created_conversation_has_its_participants_once_and_an_event_in_the_outbox() {
    let (_database, store) = TestDatabase::migrated().await;
    let created = store.create_conversation(&new("c1", &["b", "a", "b"]), None).await.unwrap();
    let Creation::Created(conversation) = created else { panic!("{created:?}") };
    assert_eq!(conversation.participants, [user("b"), user("a")]);
    assert_eq!(waiting(&store).await, [("c1".to_owned(), "conversation.created".to_owned())]);

    let stored = store.conversation(&id("c1")).await.unwrap().unwrap();
    assert!(stored.created);
    assert_eq!(stored.conversation.created_at_ms, conversation.created_at_ms);
    assert_eq!(stored.conversation.title, conversation.title);
    assert_eq!(store.heads(&id("c1")).await.unwrap(), Some(Heads::default()));
    assert_eq!(store.heads(&id("c2")).await.unwrap(), None);
}

#[tokio::test]
async fn creating_the_same_again_finds_it_and_anything_else_conflicts() {
    let (_database, store) = TestDatabase::migrated().await;
    store.create_conversation(&new("c1", &["a", "b"]), None).await.unwrap();
    let again = store.create_conversation(&new("c1", &["b", "a"]), None).await.unwrap();
    assert!(matches!(again, Creation::Exists(_)), "{again:?}");

    let others = [
        new("c1", &["a"]),
        NewConversation { title: None, ..new("c1", &["a", "b"]) },
        NewConversation { metadata: Metadata::default(), ..new("c1", &["a", "b"]) },
    ];
    for other in others {
        assert_eq!(store.create_conversation(&other, None).await.unwrap(), Creation::Conflict);
    }
    assert_eq!(waiting(&store).await.len(), 1, "only the first made an event");
}

#[tokio::test]
async fn one_that_appeared_by_being_used_can_be_created_and_keeps_its_numbers() {
    let (_database, store) = TestDatabase::migrated().await;
    store
        .run(async |connection| {
            sqlx::query("INSERT INTO conversations (id, epoch, head_rev, head_seq) VALUES ('c1', 1, 9, 8)")
                .execute(connection)
                .await?;
            Ok(())
        })
        .await
        .unwrap();
    assert!(!store.conversation(&id("c1")).await.unwrap().unwrap().created);

    let created = store.create_conversation(&new("c1", &["a"]), None).await.unwrap();
    assert!(matches!(created, Creation::Created(_)), "{created:?}");
    let heads = store.heads(&id("c1")).await.unwrap();
    assert_eq!(heads, Some(Heads { version: Version::new(1, 9), seq: Seq(8) }));
}

#[tokio::test]
async fn of_two_that_create_at_once_one_creates() {
    let (_database, store) = TestDatabase::migrated().await;
    let new = new("c1", &["a"]);
    let (one, two) =
        tokio::join!(store.create_conversation(&new, None), store.create_conversation(&new, None));
    let created = [one.unwrap(), two.unwrap()].iter().filter(|c| matches!(c, Creation::Created(_))).count();
    assert_eq!(created, 1);
    assert_eq!(waiting(&store).await.len(), 1);
}
