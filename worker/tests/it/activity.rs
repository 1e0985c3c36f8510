//! Participants are told of conversations in which something happened, wherever they are.

use std::collections::BTreeSet;

use parlance_domain::{
    conversation::Activity,
    event::EventKind,
    id::{ConversationId, UserId},
    user_event::UserEvent,
    version::Version,
};

use crate::{
    ear::Ear,
    entries::{TestEntry, changed_message, conversation_deleted, message, message_id, message_in, telling},
    notifying::participants,
    world::{World, eventually},
};

async fn listen(world: &World, users: &[&str]) -> Ear {
    let channel = |id: &&str| world.broker.keys().user_channel(&UserId::new(*id).unwrap());
    Ear::on(world, users.iter().map(channel)).await
}

fn activity(text: &str) -> Activity {
    match serde_json::from_str(text).unwrap() {
        UserEvent::ConversationActivity(activity) => *activity,
        other => panic!("{other:?}"),
    }
}

async fn next(ear: &mut Ear) -> Activity {
    activity(&ear.next().await)
}

fn content(activity: &Activity) -> &str {
    activity.last_message.as_ref().unwrap()["content"].as_str().unwrap()
}

/// Waits until nobody is to be told of anything any more.
async fn settled(world: &World) {
    world.drained().await;
    eventually("everybody was told", async || {
        let sql = "SELECT count(*) FROM conversation_activity";
        let waiting: i64 = world
            .store
            .run("test", async |connection| Ok(sqlx::query_scalar(sql).fetch_one(connection).await?))
            .await
            .unwrap();
        if waiting == 0 { Ok(()) } else { Err(waiting) }
    })
    .await;
}

#[tokio::test]
async fn all_who_take_part_are_told_of_a_message_that_asks_for_it() {
    let world = World::new().await;
    participants(&world, "c1", &["ben", "carol"]).await;
    participants(&world, "c2", &["ben"]).await;
    world.sql("UPDATE participants SET left_at = now() WHERE user_id = 'carol'").await;
    let mut ear = listen(&world, &["anna", "ben", "carol"]).await;
    let worker = world.start(&[]).await;
    world.append(&telling("c1", 1, "hello")).await;
    let told = [next(&mut ear).await, next(&mut ear).await];
    assert_eq!(told[0], told[1]);
    let participants: BTreeSet<&str> = told[0].conversation.participants.iter().map(UserId::as_str).collect();
    assert_eq!(participants, BTreeSet::from(["anna", "ben"]));
    let last = told[0].last_message.as_ref().unwrap();
    assert_eq!(last["id"], message_id("c1", 1).to_string());
    assert_eq!((&last["seq"], &last["content"]), (&1.into(), &"hello".into()));
    assert_eq!(told[0].view()["updatedAt"], last["createdAt"]);

    settled(&world).await;
    // Whose dialects tell of no such thing asks for nothing; and what is only changed is nothing new.
    let edited = changed_message(EventKind::MessageEdited, "c1", Version::new(1, 2), (1, 1), "edited");
    world.append_all(&[message("c2", 1), edited, telling("c1", 1, "hello")]).await;
    settled(&world).await;
    assert_eq!(ear.rest().await, [""; 0]);
    ear.end().await;
    worker.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn workers_that_compete_tell_of_much_once_and_of_the_last_in_the_end() {
    const MESSAGES: u64 = 400;
    let world = World::new().await;
    participants(&world, "c1", &["ben"]).await;
    let mut ear = listen(&world, &["ben"]).await;
    let workers = [world.start(&[]).await, world.start(&[]).await];
    let entries: Vec<TestEntry> = (1..=MESSAGES).map(|n| telling("c1", n, &format!("number {n}"))).collect();
    world.append_all(&entries).await;
    settled(&world).await;
    let told: Vec<u64> = ear
        .rest()
        .await
        .iter()
        .map(|text| activity(text).last_message.unwrap()["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(told.last(), Some(&MESSAGES));
    assert!(told.is_sorted(), "nobody hears of something older later: {told:?}");
    assert!(told.len() < MESSAGES as usize / 4, "told {} times", told.len());
    ear.end().await;
    for worker in workers {
        worker.stop().await;
    }
    world.clean_up().await;
}

#[tokio::test]
async fn what_a_worker_took_and_did_not_tell_the_next_one_tells() {
    let world = World::new().await;
    participants(&world, "c1", &["ben"]).await;
    let first = world.start(&[]).await;
    world.append(&message("c1", 1)).await;
    world.drained().await;
    first.stop().await;
    world.store.note_activity(&ConversationId::new("c1").unwrap()).await.unwrap();
    assert_eq!(world.store.take_active(10).await.unwrap().len(), 1);
    assert!(world.store.take_active(10).await.unwrap().is_empty(), "it is somebody's");
    world.sql("UPDATE conversation_activity SET claimed_until = clock_timestamp()").await;
    let mut ear = listen(&world, &["ben"]).await;
    let worker = world.start(&[]).await;
    assert_eq!(content(&next(&mut ear).await), "hello");
    settled(&world).await;
    ear.end().await;
    worker.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn nobody_is_told_of_what_is_deleted_and_a_large_message_is_shortened() {
    let world = World::new().await;
    participants(&world, "c1", &["ben"]).await;
    participants(&world, "c2", &["ben"]).await;
    let first = world.start(&[]).await;
    let large = "x".repeat(20_000);
    world
        .append_all(&[
            message("c1", 1),
            conversation_deleted("c1", Version::new(1, 2)),
            message_in("c2", Version::new(1, 1), 1, &large),
        ])
        .await;
    world.drained().await;
    first.stop().await;
    world.sql("UPDATE conversations SET deleted_at = now() WHERE id = 'c1'").await;
    for id in ["c1", "c2"] {
        world.store.note_activity(&ConversationId::new(id).unwrap()).await.unwrap();
    }
    let mut ear = listen(&world, &["ben"]).await;
    let worker = world.start(&[]).await;
    let told = next(&mut ear).await;
    assert_eq!((told.conversation.id.as_str(), content(&told).len()), ("c2", 200));
    settled(&world).await;
    assert_eq!(ear.rest().await, [""; 0]);
    ear.end().await;
    worker.stop().await;
    world.clean_up().await;
}
