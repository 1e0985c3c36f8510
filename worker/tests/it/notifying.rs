//! Participants are notified of messages, each once, and told of it.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use parlance_broker::{
    lease::{LeaseId, Leases},
    members::{Changes, Members},
};
use parlance_domain::{
    event::EventKind,
    id::{ConversationId, NotificationId, UserId},
    message::Metadata,
    notification::{Notification, NotificationText},
    user::Profile,
    user_event::UserEvent,
    version::Version,
};
use parlance_store::notification::NotificationPage;

use crate::{
    ear::Ear,
    entries::{changed_message, message_id, notifying},
    server::Server,
    world::{World, eventually},
};

fn conversation(id: &str) -> ConversationId {
    ConversationId::new(id).unwrap()
}

fn user(id: &str) -> UserId {
    UserId::new(id).unwrap()
}

/// These users take part, and Anna, who sends.
pub async fn participants(world: &World, conversation: &str, users: &[&str]) {
    world
        .store
        .run("test", async |connection| {
            for user in users.iter().chain(&["anna"]) {
                sqlx::query(
                    "INSERT INTO participants (conversation_id, user_id, joined_at) VALUES ($1, $2, now())",
                )
                .bind(conversation)
                .bind(user)
                .execute(&mut *connection)
                .await?;
            }
            Ok(())
        })
        .await
        .unwrap();
}

/// What a gateway says.
async fn change(world: &World, id: &str, changes: Changes) {
    let lease = LeaseId::new("gateway", 1);
    Leases::new(world.broker.clone()).take(&lease, Duration::from_secs(60)).await.unwrap();
    Members::new(world.broker.clone()).change(&lease, &conversation(id), &changes, 200).await.unwrap();
}

async fn be_here(world: &World, id: &str, users: &[&str]) {
    let came = users.iter().map(|of| Profile::unknown(user(of))).collect();
    change(world, id, Changes { came, ..Changes::default() }).await;
}

async fn leave(world: &World, id: &str, of: &str) {
    change(world, id, Changes { went: vec![user(of)], ..Changes::default() }).await;
}

async fn of(world: &World, user_id: &str) -> Vec<Notification> {
    let page = NotificationPage { after: None, limit: 1_000, unread: false, present: true, granted: None };
    world.store.notifications(&user(user_id), &page).await.unwrap()
}

async fn scalar(world: &World, sql: &'static str) -> i64 {
    world
        .store
        .run("test", async |connection| Ok(sqlx::query_scalar(sql).fetch_one(connection).await?))
        .await
        .unwrap()
}

/// Waits until no job is left and everything is announced.
async fn settled(world: &World) {
    world.drained().await;
    eventually("every notification is made and announced", async || {
        let jobs = scalar(world, "SELECT count(*) FROM notification_jobs").await;
        let silent = scalar(world, "SELECT count(*) FROM notifications WHERE announced_at IS NULL").await;
        if jobs == 0 && silent == 0 { Ok(()) } else { Err((jobs, silent)) }
    })
    .await;
}

/// Hears what is published on the channels of some users.
async fn listen(world: &World, users: &[&str]) -> Ear {
    Ear::on(world, users.iter().map(|id| world.broker.keys().user_channel(&user(id)))).await
}

async fn next(ear: &mut Ear) -> Notification {
    match serde_json::from_str(&ear.next().await).unwrap() {
        UserEvent::Notification(notification) => *notification,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn who_is_absent_is_notified_and_who_is_here_is_not() {
    let world = World::new().await;
    participants(&world, "c1", &["ben", "carol"]).await;
    be_here(&world, "c1", &["ben"]).await;
    let mut ear = listen(&world, &["anna", "ben", "carol"]).await;
    let worker = world.start(&[]).await;
    world.append(&notifying("c1", 1, "absent")).await;

    let told = next(&mut ear).await;
    assert_eq!((told.user.as_str(), told.kind.as_str(), told.text.as_str()), ("carol", "message", "hello"));
    assert_eq!(told.message_id, Some(message_id("c1", 1)));
    let message = told.message.clone().unwrap();
    assert_eq!((&message["content"], &message["conversationId"]), (&"hello".into(), &"c1".into()));
    assert_eq!(message["sender"]["name"], "Anna");
    settled(&world).await;
    let stored = of(&world, "carol").await;
    assert_eq!(stored, [Notification { message: None, ..told }]);
    assert_eq!(stored[0].conversation, Some(conversation("c1")));
    assert!(of(&world, "ben").await.is_empty() && of(&world, "anna").await.is_empty());

    leave(&world, "c1", "ben").await;
    world.append(&notifying("c1", 2, "absent")).await;
    let users = BTreeSet::from([next(&mut ear).await.user, next(&mut ear).await.user]);
    assert_eq!(users, BTreeSet::from([user("ben"), user("carol")]));
    settled(&world).await;
    let newest_first: Vec<_> = of(&world, "carol").await.iter().map(|found| found.message_id).collect();
    assert_eq!(newest_first, [Some(message_id("c1", 2)), Some(message_id("c1", 1))]);
    assert_eq!(ear.rest().await.len(), 0, "each is announced once");
    ear.end().await;
    worker.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn always_is_everybody_but_the_sender_and_never_is_nobody() {
    let world = World::new().await;
    for id in ["c1", "c2"] {
        participants(&world, id, &["ben", "carol", "dan"]).await;
        be_here(&world, id, &["ben", "carol"]).await;
    }
    world.sql("UPDATE participants SET left_at = now() WHERE user_id = 'carol'").await;
    let worker = world.start(&[]).await;
    world.append(&notifying("c2", 1, "never")).await;
    world.append(&notifying("c1", 1, "always")).await;
    world.drained().await;
    settled(&world).await;
    let count = scalar(&world, "SELECT count(*) FROM notifications").await;
    assert_eq!((count, of(&world, "ben").await.len(), of(&world, "dan").await.len()), (2, 1, 1));
    let absent = async |user| of(&world, user).await[0].absent;
    assert_eq!(
        (absent("ben").await, absent("dan").await),
        (Some(false), Some(true)),
        "who was there is told apart"
    );
    worker.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn nobody_is_notified_of_what_was_taken_back_or_is_gone() {
    let world = World::new().await;
    participants(&world, "c1", &["ben"]).await;
    let first = world.start(&[]).await;
    for n in 1..=3 {
        world.append(&notifying("c1", n, "never")).await;
    }
    world.append(&changed_message(EventKind::MessageDeleted, "c1", Version::new(1, 4), (1, 1), "")).await;
    world.drained().await;
    first.stop().await;
    world.sql("INSERT INTO notification_jobs (message_id, policy) SELECT id, 'always' FROM messages").await;
    world.sql("DELETE FROM messages WHERE seq = 2").await;
    let worker = world.start(&[]).await;
    settled(&world).await;
    let notified: Vec<_> = of(&world, "ben").await.into_iter().map(|found| found.message_id).collect();
    assert_eq!(notified, [Some(message_id("c1", 3))]);

    world.append(&changed_message(EventKind::MessageDeleted, "c1", Version::new(1, 5), (3, 3), "")).await;
    world.drained().await;
    let found = of(&world, "ben").await;
    assert_eq!(found[0].text.as_str(), "", "what was taken back is not in the notification either");
    worker.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn what_a_worker_left_unannounced_the_next_one_announces() {
    let world = World::new().await;
    participants(&world, "c1", &["ben"]).await;
    let first = world.start(&[]).await;
    world.append(&notifying("c1", 1, "never")).await;
    world.drained().await;
    first.stop().await;
    world.sql("INSERT INTO notification_jobs (message_id, policy) SELECT id, 'always' FROM messages").await;
    // What a worker has done that died before it announced anything.
    let jobs = world.store.notification_jobs(10).await.unwrap();
    assert_eq!(world.store.make_notifications(&jobs, &HashMap::new()).await.unwrap(), 1);
    assert_eq!(world.store.make_notifications(&jobs, &HashMap::new()).await.unwrap(), 0);
    // And a gateway.
    let left = world.store.insert_notification(of_a_backend("ben", "left")).await.unwrap();
    world
        .sql("UPDATE notifications SET created_at = now() - interval '1 minute' WHERE message_id IS NULL")
        .await;
    let fresh = world.store.insert_notification(of_a_backend("ben", "fresh")).await.unwrap();
    let unannounced = world.store.unannounced_notifications(10).await.unwrap();
    assert!(unannounced.iter().all(|found| found.id != fresh.id), "its gateway is about to announce it");

    let mut ear = listen(&world, &["ben"]).await;
    let worker = world.start(&[]).await;
    let told = BTreeSet::from([next(&mut ear).await.id, next(&mut ear).await.id]);
    assert_eq!(told, BTreeSet::from([left.id, of(&world, "ben").await.last().unwrap().id]));
    world.store.mark_announced(fresh.id).await.unwrap();
    settled(&world).await;
    assert_eq!(ear.rest().await.len(), 0);
    ear.end().await;
    worker.stop().await;
    world.clean_up().await;
}

fn of_a_backend(for_user: &str, text: &str) -> Notification {
    Notification {
        id: NotificationId::new(1, rand::random(), 0),
        user: user(for_user),
        kind: "news".to_owned(),
        text: NotificationText::new(text.to_owned()).unwrap(),
        data: Metadata::default(),
        conversation: None,
        message_id: None,
        message: None,
        absent: None,
        created_at_ms: 0,
        read_at_ms: None,
    }
}

#[tokio::test]
async fn workers_that_compete_notify_everybody_once() {
    const MESSAGES: u64 = 450;
    let world = World::new().await;
    participants(&world, "c1", &["ben", "carol", "dan"]).await;
    be_here(&world, "c1", &["dan"]).await;
    let mut ear = listen(&world, &["ben", "carol", "dan"]).await;
    let fast = [("PARLANCE__NOTIFICATIONS__INTERVAL", "10ms")];
    let workers = [world.start(&fast).await, world.start(&fast).await, world.start(&fast).await];
    for n in 1..=MESSAGES {
        world.append(&notifying("c1", n, "absent")).await;
    }
    let mut told = BTreeSet::new();
    for _ in 0..2 * MESSAGES {
        let notification = next(&mut ear).await;
        assert!(told.insert((notification.user, notification.message_id)), "told twice");
    }
    settled(&world).await;
    assert_eq!(scalar(&world, "SELECT count(*) FROM notifications").await, 2 * MESSAGES as i64);
    assert_eq!((of(&world, "ben").await.len() as u64, of(&world, "dan").await.len()), (MESSAGES, 0));
    assert_eq!(ear.rest().await.len(), 0);
    ear.end().await;
    for worker in workers {
        worker.stop().await;
    }
    world.clean_up().await;
}

#[tokio::test]
async fn while_redis_does_not_know_who_is_here_nobody_is_notified() {
    let mut redis = Server::start();
    let world = World::on(&redis.url()).await;
    participants(&world, "c1", &["ben", "carol"]).await;
    be_here(&world, "c1", &["ben"]).await;
    let worker = world.start(&[]).await;
    world.append_all(&[notifying("c1", 1, "never"), notifying("c1", 2, "never")]).await;
    world.drained().await;
    redis.kill();
    world
        .sql(
            "INSERT INTO notification_jobs (message_id, policy)
             SELECT id, CASE seq WHEN 1 THEN 'absent' ELSE 'always' END FROM messages",
        )
        .await;
    redis.start_again();
    // Gateways say again who is here when they are connected again, which takes them a moment.
    eventually("redis is back", async || world.broker.ping().await).await;
    let unknown = Members::new(world.broker.clone()).users(&conversation("c1")).await.unwrap_err();
    assert!(unknown.is_retryable(), "{unknown}");
    be_here(&world, "c1", &["ben"]).await;
    settled(&world).await;
    let absent = |found: Vec<Notification>| found.iter().map(|found| found.absent).collect::<Vec<_>>();
    assert_eq!(absent(of(&world, "ben").await), [Some(false)], "only of the second");
    assert_eq!(absent(of(&world, "carol").await), [Some(true), Some(true)]);
    worker.stop().await;
    world.clean_up().await;
}
