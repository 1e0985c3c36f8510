//! Conversations: made, changed, deleted, and made again.

use parlance_domain::{
    conversation::{Conversation, ParticipantRole, Title},
    id::{ConversationId, UserId},
    message::Metadata,
    version::{Heads, Seq, Version},
};
use parlance_store::{
    Store,
    conversation::{Creation, NewConversation, Update, Used},
    outbox::OutboxRow,
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
        participants: participants.iter().map(|text| (user(text), ParticipantRole::default())).collect(),
    }
}

pub fn role(word: &str) -> ParticipantRole {
    ParticipantRole::new(word).unwrap()
}

pub async fn waiting(store: &Store) -> Vec<(String, String)> {
    store
        .run("test", async |connection| {
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
        NewConversation {
            participants: vec![(user("a"), role("owner")), (user("b"), role("member"))],
            ..new("c1", &[])
        },
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
        .run("test", async |connection| {
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

/// The events that wait, taken out.
async fn flushed(store: &Store, conversation: &str) -> Vec<OutboxRow> {
    let taken = std::sync::Mutex::new(Vec::new());
    let take = async |row| {
        taken.lock().unwrap().push(row);
        Ok::<(), &str>(())
    };
    store.flush_outbox(&id(conversation), take).await.unwrap();
    taken.into_inner().unwrap()
}

fn title(text: &str) -> Option<Title> {
    Some(Title::new(text.into()).unwrap())
}

#[tokio::test]
async fn an_update_changes_what_is_given_and_what_is_so_already_makes_no_event() {
    let (_database, store) = TestDatabase::migrated().await;
    store.create_conversation(&new("c1", &["a", "b"]), None).await.unwrap();
    flushed(&store, "c1").await;

    let updated = store.update_conversation(&id("c1"), Some(&title("Other")), None, None).await.unwrap();
    let Update::Done(now) = updated else { panic!("{updated:?}") };
    assert_eq!((now.title.clone(), &now.metadata), (title("Other"), &new("c1", &[]).metadata));
    assert!(now.updated_at_ms.is_some());
    let events = flushed(&store, "c1").await;
    assert_eq!((events.len(), events[0].changes_acl), (1, false));
    assert_eq!(serde_json::from_str::<Conversation>(&events[0].body).unwrap(), now);
    assert_eq!(store.conversation(&id("c1")).await.unwrap().unwrap().conversation, now);

    let again = store.update_conversation(&id("c1"), Some(&title("Other")), Some(&now.metadata), None).await;
    assert_eq!(again.unwrap(), Update::Nothing(now));
    assert!(flushed(&store, "c1").await.is_empty());

    let updated =
        store.update_conversation(&id("c1"), Some(&None), Some(&Metadata::default()), None).await.unwrap();
    let Update::Done(bare) = updated else { panic!("{updated:?}") };
    assert_eq!((bare.title, bare.metadata.is_empty()), (None, true));
    let nowhere = store.update_conversation(&id("c2"), Some(&None), None, None).await.unwrap();
    assert_eq!(nowhere, Update::NoConversation);
}

#[tokio::test]
async fn of_two_updates_at_once_the_later_event_has_what_both_changed() {
    let (_database, store) = TestDatabase::migrated().await;
    store.create_conversation(&new("c1", &["a"]), None).await.unwrap();
    flushed(&store, "c1").await;
    let (conversation, other, nothing) = (id("c1"), title("Other"), Metadata::default());
    let (one, two) = tokio::join!(
        store.update_conversation(&conversation, Some(&other), None, None),
        store.update_conversation(&conversation, None, Some(&nothing), None),
    );
    assert!(matches!((one.unwrap(), two.unwrap()), (Update::Done(_), Update::Done(_))));
    let events = flushed(&store, "c1").await;
    let last: Conversation = serde_json::from_str(&events[1].body).unwrap();
    assert_eq!((last.title, last.metadata.is_empty()), (other, true));
}

#[tokio::test]
async fn a_deleted_conversation_has_nobody_and_nothing_and_is_not_deleted_twice() {
    let (_database, store) = TestDatabase::migrated().await;
    store.create_conversation(&new("c1", &["b", "a"]), None).await.unwrap();
    store.remove_participant(&id("c1"), &user("b"), None).await.unwrap();
    flushed(&store, "c1").await;
    let delete = async || store.delete_conversation(&id("c1"), Used::OnlyWhenCreated, None).await.unwrap();
    assert!(delete().await);
    let events = flushed(&store, "c1").await;
    assert_eq!((events.len(), events[0].changes_acl), (1, true));
    assert_eq!(events[0].body, r#"{"participants":["a"]}"#, "who took part then hears of it");

    let stored = store.conversation(&id("c1")).await.unwrap().unwrap();
    assert!(stored.deleted && !stored.created && stored.conversation.participants.is_empty());
    assert_eq!((stored.conversation.title, stored.conversation.metadata.is_empty()), (None, true));
    assert_eq!(store.member_role(&id("c1"), &user("a")).await.unwrap(), None);
    assert_eq!(store.add_participant(&id("c1"), &user("a"), None, None).await.unwrap(), None);
    let updated = store.update_conversation(&id("c1"), Some(&None), None, None).await.unwrap();
    assert_eq!(updated, Update::NoConversation);
    assert!(!delete().await);
    assert!(!store.delete_conversation(&id("c2"), Used::OnlyWhenCreated, None).await.unwrap());
    assert!(flushed(&store, "c1").await.is_empty());
}

#[tokio::test]
async fn a_deleted_id_is_created_again_with_its_numbers_and_without_those_who_were_in_it() {
    let (_database, store) = TestDatabase::migrated().await;
    store.create_conversation(&new("c1", &["a", "b"]), None).await.unwrap();
    let sql = "UPDATE conversations SET epoch = 1, head_rev = 9, head_seq = 8";
    store.run("test", async |connection| Ok(sqlx::query(sql).execute(connection).await?)).await.unwrap();
    store.delete_conversation(&id("c1"), Used::OnlyWhenCreated, None).await.unwrap();
    let again = NewConversation { title: None, ..new("c1", &["b"]) };
    let created = store.create_conversation(&again, None).await.unwrap();
    assert!(matches!(created, Creation::Created(_)), "{created:?}");
    let stored = store.conversation(&id("c1")).await.unwrap().unwrap();
    assert!(stored.created && !stored.deleted);
    assert_eq!((stored.conversation.participants, stored.conversation.title), (vec![user("b")], None));
    assert_eq!(stored.heads, Heads { version: Version::new(1, 9), seq: Seq(8) });
    let kinds: Vec<String> = waiting(&store).await.into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(kinds, ["conversation.created", "conversation.deleted", "conversation.created"]);
}

#[tokio::test]
async fn what_appears_by_being_used_can_be_deleted_again_when_it_is_used_again() {
    let (_database, store) = TestDatabase::migrated().await;
    let sql = async |sql: &'static str| {
        store.run("test", async |connection| Ok(sqlx::query(sql).execute(connection).await?)).await.unwrap();
    };
    sql("INSERT INTO conversations (id, epoch, head_rev, head_seq) VALUES ('c1', 1, 3, 3)").await;
    let delete = async |used| store.delete_conversation(&id("c1"), used, None).await.unwrap();
    assert!(delete(Used::WithoutCreation).await);
    assert!(!delete(Used::WithoutCreation).await, "nothing was said since");
    sql("UPDATE conversations SET deleted_rev = 4, head_rev = 4").await;
    assert!(!delete(Used::WithoutCreation).await);
    sql("UPDATE conversations SET head_rev = 5").await;
    assert!(!delete(Used::OnlyWhenCreated).await);
    assert!(delete(Used::WithoutCreation).await);
}
