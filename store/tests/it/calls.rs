//! Reading calls.

use parlance_domain::{
    call::{Call, CallStatus},
    id::CallId,
    time::Timestamp,
    version::Version,
};
use parlance_store::{Store, call::Overdue};

use crate::{
    conversations::{id, new},
    database::TestDatabase,
};

const START: i64 = 1_700_000_000_123;

fn call_id(n: u8) -> CallId {
    CallId::new(1_700_000_000_000, [n; 8], 3)
}

/// A call that started `n` seconds after [`START`]; it was answered after two more, and ended after three, if at all.
async fn insert(store: &Store, n: u8, status: CallStatus) {
    let ms = |seconds: i64| Timestamp(START + (i64::from(n) + seconds) * 1_000).to_datetime();
    let answered = matches!(status, CallStatus::Ongoing | CallStatus::Ended);
    store
        .run("test", async |connection| {
            sqlx::query(
                "INSERT INTO calls VALUES ($1, 'c1', 'video', $2, 'z', '{\"id\":\"z\",\"name\":\"Zoe\"}', $3, $4, $5,
                    $6, 1, $7)",
            )
            .bind(call_id(n).uuid())
            .bind(status.as_str())
            .bind(ms(0))
            .bind(answered.then(|| ms(2)))
            .bind(status.is_over().then(|| ms(3)))
            .bind((status == CallStatus::Ended).then_some("b"))
            .bind(100 - i64::from(n))
            .execute(&mut *connection)
            .await?;
            for (user, joined) in [("a", 2), ("b", 1), ("z", 0)] {
                sqlx::query(
                    "INSERT INTO call_participants VALUES ($1, $2, json_build_object('id', $2, 'name', $2), $3, 1, 1)",
                )
                .bind(call_id(n).uuid())
                .bind(user)
                .bind(ms(joined))
                .execute(&mut *connection)
                .await?;
            }
            Ok(())
        })
        .await
        .unwrap();
}

fn ids(calls: &[Call]) -> Vec<CallId> {
    calls.iter().map(|call| call.id).collect()
}

#[tokio::test]
async fn a_call_reads_back_with_who_rang_first_and_the_others_as_they_came() {
    let (_database, store) = TestDatabase::migrated().await;
    insert(&store, 1, CallStatus::Ended).await;
    let call = store.call(call_id(1)).await.unwrap().unwrap();
    let at = |seconds: i64| Timestamp(START + (seconds + 1) * 1_000);
    assert_eq!(
        (call.conversation.as_str(), call.kind.as_str(), call.status),
        ("c1", "video", CallStatus::Ended)
    );
    assert_eq!((call.started_at, call.answered_at, call.ended_at), (at(0), Some(at(2)), Some(at(3))));
    assert_eq!(call.started_by.name, "Zoe");
    assert_eq!(call.ended_by.as_ref().map(|user| user.as_str()), Some("b"));
    assert_eq!(call.version, Version::new(1, 99));
    let joined: Vec<_> = call.participants.iter().map(|one| (one.user.id.as_str(), one.joined_at)).collect();
    assert_eq!(joined, [("z", at(0)), ("b", at(1)), ("a", at(2))]);
    assert_eq!(store.call(call_id(9)).await.unwrap(), None);
}

#[tokio::test]
async fn pages_go_from_the_newest_back_and_changes_from_the_oldest_on() {
    let (_database, store) = TestDatabase::migrated().await;
    for n in 1..=4 {
        insert(&store, n, CallStatus::Missed).await;
    }
    let page = async |before, limit| ids(&store.calls(&id("c1"), before, limit).await.unwrap());
    assert_eq!(page(None, 2).await, [call_id(4), call_id(3)]);
    assert_eq!(page(Some(call_id(3)), 9).await, [call_id(2), call_id(1)]);
    assert!(store.calls(&id("c2"), None, 9).await.unwrap().is_empty());
    let since =
        async |rev, limit| ids(&store.calls_since(&id("c1"), Version::new(1, rev), limit).await.unwrap());
    assert_eq!(since(97, 9).await, [call_id(2), call_id(1)], "the older one changed last");
    assert_eq!(since(0, 1).await, [call_id(4)]);
}

#[tokio::test]
async fn only_what_is_not_over_and_took_too_long_is_overdue() {
    let (_database, store) = TestDatabase::migrated().await;
    store.create_conversation(&new("c1", &["z"]), None).await.unwrap();
    let statuses = [CallStatus::Ringing, CallStatus::Ongoing, CallStatus::Ended, CallStatus::Missed];
    for n in 0..8 {
        insert(&store, n, statuses[usize::from(n % 4)]).await;
    }
    // Ringing: 0 and 4, since then. Ongoing: 1 and 5, answered two seconds later.
    let seconds = |n: i64| Timestamp(START + n * 1_000 + 1);
    let overdue = async |ringing, ongoing, after, limit| {
        let overdue = Overdue { ringing_since: seconds(ringing), ongoing_since: seconds(ongoing) };
        store.overdue_calls(overdue, after, limit).await.unwrap()
    };
    assert_eq!(overdue(3, 2, None, 9).await, [call_id(0)]);
    assert_eq!(overdue(4, 3, None, 9).await, [call_id(0), call_id(1), call_id(4)]);
    assert_eq!(overdue(9, 9, None, 2).await, [call_id(0), call_id(1)]);
    assert_eq!(overdue(9, 9, Some(call_id(1)), 2).await, [call_id(4), call_id(5)]);
    assert_eq!(overdue(-1, 9, None, 9).await, [call_id(1), call_id(5)]);
    let run = async |sql: &'static str| {
        let run = store.run("test", async |connection| Ok(sqlx::query(sql).execute(connection).await?));
        run.await.unwrap();
    };
    run("UPDATE conversations SET deleted_at = now()").await;
    assert!(overdue(9, 9, None, 9).await.is_empty(), "nobody is left to be told");
    // An open conversation stays deleted when it is used again.
    run("UPDATE calls SET rev = 7").await;
    run("UPDATE conversations SET deleted_rev = 6").await;
    assert_eq!(overdue(9, 9, None, 2).await, [call_id(0), call_id(1)]);
    run("UPDATE conversations SET deleted_rev = 7").await;
    assert!(overdue(9, 9, None, 9).await.is_empty(), "these went with it");
}
