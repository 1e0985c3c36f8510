//! The outbox.

use std::{sync::Mutex, time::Duration};

use parlance_domain::{event::EventKind, id::SessionId};
use parlance_store::{
    Store,
    outbox::{FlushError, OutboxRow},
};

use crate::{
    conversations::{id, new, user, waiting},
    database::TestDatabase,
};

async fn three_events(store: &Store) {
    let origin = SessionId::new("s1");
    store.create_conversation(&new("c1", &["a"]), origin.as_ref()).await.unwrap();
    store.add_participant(&id("c1"), &user("b"), None, None).await.unwrap();
    store.remove_participant(&id("c1"), &user("a"), None).await.unwrap();
}

fn kinds(rows: &[OutboxRow]) -> Vec<EventKind> {
    rows.iter().map(|row| row.kind).collect()
}

const ALL: [EventKind; 3] =
    [EventKind::ConversationCreated, EventKind::ParticipantAdded, EventKind::ParticipantRemoved];

#[tokio::test]
async fn events_are_appended_in_the_order_of_their_commits_and_leave() {
    let (_database, store) = TestDatabase::migrated().await;
    three_events(&store).await;
    store.create_conversation(&new("c2", &["a"]), None).await.unwrap();

    let appended = Mutex::new(Vec::new());
    let append = async |row: OutboxRow| {
        appended.lock().unwrap().push(row);
        Ok::<(), &str>(())
    };
    assert_eq!(store.flush_outbox(&id("c1"), append).await.unwrap(), 3);
    let rows = appended.lock().unwrap().clone();
    assert_eq!(kinds(&rows), ALL);
    assert!(rows.iter().all(|row| row.changes_acl));
    assert_eq!(rows[0].origin, SessionId::new("s1"));
    assert!(rows[1].body.contains("\"participant\":{\"id\":\"b\",\"name\":\"b\"}"), "{}", rows[1].body);
    assert_eq!(waiting(&store).await, [("c2".to_owned(), "conversation.created".to_owned())]);
}

#[tokio::test]
async fn what_cannot_be_appended_stays_with_everything_after_it() {
    let (_database, store) = TestDatabase::migrated().await;
    three_events(&store).await;
    let append = async |row: OutboxRow| match row.kind {
        EventKind::ParticipantAdded => Err("overloaded"),
        _ => Ok(()),
    };
    let failure = store.flush_outbox(&id("c1"), append).await.unwrap_err();
    assert!(matches!(failure, FlushError::Append("overloaded")));
    let left: Vec<String> = waiting(&store).await.into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(left, ["participant.added", "participant.removed"]);
}

#[tokio::test]
async fn two_that_empty_it_at_once_append_each_event_once() {
    let (_database, store) = TestDatabase::migrated().await;
    three_events(&store).await;
    let appended = Mutex::new(Vec::new());
    let append = async |row: OutboxRow| {
        tokio::task::yield_now().await;
        appended.lock().unwrap().push(row);
        Ok::<(), &str>(())
    };
    let conversation = id("c1");
    let (one, two) =
        tokio::join!(store.flush_outbox(&conversation, append), store.flush_outbox(&conversation, append));
    assert_eq!(one.unwrap() + two.unwrap(), 3);
    assert_eq!(kinds(&appended.lock().unwrap()), ALL);
}

#[tokio::test]
async fn only_what_waits_too_long_is_stale() {
    let (_database, store) = TestDatabase::migrated().await;
    three_events(&store).await;
    assert_eq!(store.stale_outbox(Duration::from_secs(60), 10).await.unwrap(), []);
    assert_eq!(store.stale_outbox(Duration::ZERO, 10).await.unwrap(), [id("c1")]);
}

#[tokio::test]
async fn many_that_need_a_second_connection_each_do_not_wait_for_each_other() {
    let (_database, store) = TestDatabase::migrated().await;
    // More than the pool has connections.
    let conversations: Vec<String> = (0..40).map(|number| format!("c{number}")).collect();
    for conversation in &conversations {
        store.create_conversation(&new(conversation, &["a"]), None).await.unwrap();
    }
    let append = async |row: OutboxRow| store.heads(&row.conversation).await.map(drop);
    let flushes =
        conversations.iter().map(async |conversation| store.flush_outbox(&id(conversation), append).await);
    for flushed in futures_util::future::join_all(flushes).await {
        assert_eq!(flushed.unwrap(), 1);
    }
}
