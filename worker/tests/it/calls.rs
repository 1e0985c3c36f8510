//! Calls that nobody ends: time does, once, whatever the number of workers.

use parlance_broker::append::{Append, Appended, Appender, Bounds, Floors, Object, Once};
use parlance_chassis::clock::Clock;
use parlance_domain::{
    call::{CallBody, CallParticipantBody, CallStatus, CallType},
    event::EventKind,
    id::{CallId, ClientId, ConversationId, UserId},
    time::Timestamp,
    user::Profile,
    version::Version,
};

use crate::world::{World, eventually};

const HOUR: i64 = 3_600_000;

/// The id of the `n`-th call in `c`; ids are in the order of their numbers.
fn call_id(world: &World, n: u64) -> CallId {
    CallId::new(1_700_000_000_000 + n, [0; 8], world.partition("c").0)
}

fn now() -> i64 {
    Clock::system().now_ms()
}

/// A call that has rung since `started`, as the row says; nothing of it is in Redis.
async fn ringing(world: &World, id: CallId, started: i64) {
    world
        .store
        .run("test", async |connection| {
            sqlx::query("INSERT INTO conversations (id, epoch, head_rev) VALUES ('c', 1, 1) ON CONFLICT DO NOTHING")
                .execute(&mut *connection)
                .await?;
            sqlx::query(
                "INSERT INTO calls VALUES ($1, 'c', 'audio', 'ringing', 'a', '{\"id\":\"a\",\"name\":\"a\"}', $2,
                    NULL, NULL, NULL, 1, 1)",
            )
            .bind(id.uuid())
            .bind(Timestamp(started).to_datetime())
            .execute(&mut *connection)
            .await?;
            sqlx::query(
                "INSERT INTO call_participants VALUES ($1, 'a', '{\"id\":\"a\",\"name\":\"a\"}', $2, 1, 1)",
            )
            .bind(id.uuid())
            .bind(Timestamp(started).to_datetime())
            .execute(connection)
            .await?;
            Ok(())
        })
        .await
        .unwrap();
}

async fn with_status(world: &World, status: CallStatus) -> u64 {
    let count: i64 = world
        .store
        .run("test", async |connection| {
            Ok(sqlx::query_scalar("SELECT count(*) FROM calls WHERE status = $1")
                .bind(status.as_str())
                .fetch_one(connection)
                .await?)
        })
        .await
        .unwrap();
    u64::try_from(count).unwrap()
}

async fn all_are(world: &World, status: CallStatus, count: u64) {
    eventually("the rows follow", async || match with_status(world, status).await {
        found if found == count => Ok(()),
        found => Err(found),
    })
    .await;
}

/// Somebody answers: Redis knows, Postgres does not yet.
async fn answer(world: &World, id: CallId, started: i64) {
    let profile = |user: &str| Profile::unknown(UserId::new(user).unwrap());
    let mut body = CallBody::start(id, CallType::default(), profile("a"));
    body.status = CallStatus::Ongoing;
    body.started_at_ms = Some(started);
    body.participants.push(CallParticipantBody { user: profile("b"), joined_at_ms: None });
    let conversation = ConversationId::new("c").unwrap();
    let (kind, text) = (EventKind::CallAnswered, serde_json::to_string(&body).unwrap());
    let key = world.broker.keys().once(
        "call.answered",
        &conversation,
        &body.started_by.id,
        &ClientId::new(id.to_string()).unwrap(),
    );
    let append = Append {
        conversation,
        kind,
        object: Some(Object::of_call(id, Some(Version::new(1, 1)), kind, &text)),
        body: text,
        origin: None,
        trace: None,
        acl: None,
        once: Once { key, keep: std::time::Duration::from_secs(60), mark: id.to_string() },
    };
    let appender = Appender::new(world.broker.clone(), Bounds { entries: 1_000, bytes: 1 << 20 });
    let stored = world.heads("c").await.unwrap();
    let floors = async || Ok::<_, parlance_broker::BrokerError>(Floors { stored, ..Floors::default() });
    let appended = appender.append(&append, floors).await.unwrap();
    assert_eq!(appended, Appended::Stale, "the first one only tells Redis the numbers of the conversation");
    let appended = appender.append(&append, floors).await.unwrap();
    assert!(matches!(appended, Appended::Now(_)), "{appended:?}");
}

#[tokio::test]
async fn every_call_that_rang_too_long_is_missed_once_by_workers_that_compete() {
    let world = World::new().await;
    const CALLS: u64 = 230;
    for n in 0..CALLS {
        ringing(&world, call_id(&world, n), now() - HOUR).await;
    }
    ringing(&world, call_id(&world, CALLS), now() + HOUR).await;
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(world.start(&[]).await);
    }
    all_are(&world, CallStatus::Missed, CALLS).await;
    assert_eq!(with_status(&world, CallStatus::Ringing).await, 1, "it may ring on");
    world.drained().await;
    let heads = world.heads("c").await.unwrap();
    assert_eq!(heads.version.rev, 1 + CALLS, "one event a call");
    for worker in workers {
        worker.stop().await;
    }
    world.clean_up().await;
}

#[tokio::test]
async fn a_call_that_somebody_has_answered_goes_on_whatever_the_row_says() {
    let world = World::new().await;
    let (answered, marker) = (call_id(&world, 1), call_id(&world, 2));
    ringing(&world, answered, now() - HOUR).await;
    answer(&world, answered, now() - HOUR).await;
    ringing(&world, marker, now() - HOUR).await;
    // Whatever is ended, is ended in the order of the ids: the marker last.
    let worker = world.start(&[]).await;
    all_are(&world, CallStatus::Missed, 1).await;
    all_are(&world, CallStatus::Ongoing, 1).await;
    world.drained().await;
    assert_eq!(world.heads("c").await.unwrap().version.rev, 3, "an answer and an end");
    worker.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn a_forgotten_call_is_ended_for_as_long_as_it_lasted() {
    let world = World::new().await;
    let id = call_id(&world, 1);
    ringing(&world, id, now() - HOUR).await;
    world.sql("UPDATE calls SET status = 'ongoing', answered_at = started_at + interval '1 minute'").await;
    let worker = world.start(&[("PARLANCE__CALLS__MAX_DURATION", "58m")]).await;
    all_are(&world, CallStatus::Ended, 1).await;
    let call = world.store.call(id).await.unwrap().unwrap();
    assert_eq!(call.ended_by, None);
    let minutes = call.duration_ms().unwrap() / 60_000;
    assert_eq!(minutes, 59);
    worker.stop().await;
    world.clean_up().await;
}
