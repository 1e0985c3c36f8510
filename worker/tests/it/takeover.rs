//! Entries of workers that died.

use std::time::Duration;

use parlance_broker::ingest::{Consumer, StreamKind};
use sqlx::Connection;
use tokio::process::{Child, Command};

use crate::{
    entries::{message, receipt},
    world::{World, eventually},
};

/// A worker as a process, which can be killed.
fn spawn(world: &World, more: &[(&str, &str)]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_worker"))
        .arg("run")
        .env_clear()
        .envs(world.environment(more))
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

async fn pending(world: &World, count: u64) {
    eventually("the worker has taken them", async || {
        let status = world.status("c1", StreamKind::Ingest).await;
        if status.pending == count { Ok(()) } else { Err(status) }
    })
    .await;
}

#[tokio::test]
async fn a_killed_workers_entries_are_stored_by_the_next() {
    let world = World::new().await;
    // Nothing can be written while this transaction is open.
    let mut blocker = sqlx::PgConnection::connect(&world.database.url()).await.unwrap();
    let mut transaction = blocker.begin().await.unwrap();
    sqlx::query("LOCK TABLE messages IN ACCESS EXCLUSIVE MODE").execute(&mut *transaction).await.unwrap();

    let mut worker = spawn(&world, &[]);
    world.append_all(&(1..=40).map(|n| message("c1", n)).collect::<Vec<_>>()).await;
    pending(&world, 40).await;
    worker.kill().await.unwrap();
    transaction.rollback().await.unwrap();

    let next = world.start(&[("PARLANCE__INGEST__CLAIM_AFTER", "300ms")]).await;
    world.drained().await;
    assert_eq!(world.seqs("c1").await.len(), 40);
    eventually("the dead consumer is deleted", async || {
        let consumers = world.status("c1", StreamKind::Ingest).await.consumers;
        if consumers.len() == 1 { Ok(()) } else { Err(consumers) }
    })
    .await;
    next.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn both_streams_of_a_dead_consumer_are_claimed_past_what_others_hold() {
    let world = World::new().await;
    let partition = world.partition("c1");
    let dead = Consumer::connect(&world.broker, partition, "dead", Duration::from_millis(50)).await.unwrap();
    world.append_all(&(1..=100).map(|n| message("c1", n)).collect::<Vec<_>>()).await;
    world.append_all(&[receipt("c1", "anna", 5, 5, 0)]).await;
    let taken = dead.read(1_000).await.unwrap();
    assert_eq!(taken.len(), 101);

    let worker = world.start(&[("PARLANCE__INGEST__CLAIM_AFTER", "200ms")]).await;
    world.drained().await;
    assert_eq!(world.seqs("c1").await.len(), 100);
    worker.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn what_a_living_worker_waits_to_write_is_not_claimed() {
    let world = World::new().await;
    let mut blocker = sqlx::PgConnection::connect(&world.database.url()).await.unwrap();
    let mut transaction = blocker.begin().await.unwrap();
    sqlx::query("LOCK TABLE messages IN ACCESS EXCLUSIVE MODE").execute(&mut *transaction).await.unwrap();

    let claims = [("PARLANCE__INGEST__CLAIM_AFTER", "600ms")];
    let first = world.start(&claims).await;
    world.append_all(&(1..=10).map(|n| message("c1", n)).collect::<Vec<_>>()).await;
    pending(&world, 10).await;
    let holder = |consumers: Vec<parlance_broker::ingest::ConsumerStatus>| {
        consumers.into_iter().find(|consumer| consumer.pending == 10).map(|consumer| consumer.name)
    };
    let owner = holder(world.status("c1", StreamKind::Ingest).await.consumers).unwrap();
    let second = world.start(&claims).await;
    // Long enough for several claims to come and go.
    let until = tokio::time::Instant::now() + Duration::from_secs(3);
    while tokio::time::Instant::now() < until {
        let status = world.status("c1", StreamKind::Ingest).await;
        assert_eq!(holder(status.consumers.clone()).as_ref(), Some(&owner), "{status:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    transaction.rollback().await.unwrap();
    world.drained().await;
    assert_eq!(world.seqs("c1").await.len(), 10);
    first.stop().await;
    second.stop().await;
    world.clean_up().await;
}
