//! Of which messages notifications are to be made.

use parlance_domain::{event::EventKind, version::Version};
use uuid::Uuid;

use crate::{
    entries::{changed_message, conversation_deleted, message, message_id, notifying},
    world::World,
};

/// Keeps what is ever put in the table: a task takes it out.
async fn watch(world: &World) {
    world.sql("CREATE TABLE seen (message_id uuid, policy text)").await;
    world
        .sql(
            "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN INSERT INTO seen VALUES (NEW.message_id, NEW.policy); RETURN NULL; END'",
        )
        .await;
    world
        .sql("CREATE TRIGGER see AFTER INSERT ON notification_jobs FOR EACH ROW EXECUTE FUNCTION see()")
        .await;
}

async fn seen(world: &World) -> Vec<(Uuid, String)> {
    world
        .store
        .run("test", async |connection| {
            let sql = "SELECT message_id, policy FROM seen ORDER BY message_id";
            Ok(sqlx::query_as(sql).fetch_all(connection).await?)
        })
        .await
        .unwrap()
}

#[tokio::test]
async fn each_new_message_asks_once_for_the_notifications_that_its_sender_wanted() {
    let world = World::new().await;
    watch(&world).await;
    let worker = world.start(&[]).await;
    let edit =
        |n, rev| changed_message(EventKind::MessageEdited, "c1", Version::new(1, rev), (n, n), "edited");
    let entries = [notifying("c1", 1, "always"), notifying("c1", 2, "absent"), message("c1", 3)];
    for _ in 0..2 {
        world.append_all(&entries).await;
        world.drained().await;
    }
    world.append_all(&[edit(1, 4), edit(2, 5)]).await;
    world.drained().await;
    let expected = [(1, "always"), (2, "absent")];
    assert_eq!(
        seen(&world).await,
        expected.map(|(n, policy)| (message_id("c1", n).uuid(), policy.to_owned()))
    );
    worker.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn nobody_is_notified_of_what_was_taken_back_or_deleted_before_it_was_stored() {
    let world = World::new().await;
    watch(&world).await;
    let worker = world.start(&[]).await;
    let taken_back = changed_message(EventKind::MessageDeleted, "c1", Version::new(1, 2), (1, 1), "");
    world.append_all(&[taken_back, conversation_deleted("c2", Version::new(1, 2))]).await;
    world.drained().await;
    world.append_all(&[notifying("c1", 1, "always"), notifying("c2", 1, "always")]).await;
    world.drained().await;
    assert_eq!(seen(&world).await, []);
    assert_eq!((world.seqs("c1").await, world.seqs("c2").await), (vec![1], vec![]));
    worker.stop().await;
    world.clean_up().await;
}
