//! While Postgres is away.

use std::time::Duration;

use parlance_broker::ingest::StreamKind;
use parlance_worker::dead_letter;

use crate::{
    entries::{message, receipt, unstorable},
    proxy::Proxy,
    server::Server,
    world::{World, eventually},
};

#[tokio::test]
async fn nothing_is_acknowledged_while_postgres_is_away_and_all_is_stored_after() {
    let world = World::new().await;
    let proxy = Proxy::before(&world.database.url()).await;
    let worker = world.start(&[("PARLANCE__POSTGRES__URL", proxy.url())]).await;
    world.append(&message("c1", 1)).await;
    world.drained().await;
    let before = world.persisted("c1").await;

    proxy.cut();
    let entries: Vec<_> =
        (2..=40).map(|n| if n == 9 { unstorable("c1", n) } else { message("c1", n) }).collect();
    world.append_all(&entries).await;
    eventually("the worker has taken them", async || {
        let status = world.status("c1", StreamKind::Ingest).await;
        if status.pending == 39 { Ok(()) } else { Err(status) }
    })
    .await;
    let until = tokio::time::Instant::now() + Duration::from_secs(2);
    while tokio::time::Instant::now() < until {
        assert_eq!(world.status("c1", StreamKind::Ingest).await.entries, 39);
        assert_eq!(world.persisted("c1").await, before);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(world.seqs("c1").await, [1]);
    assert_eq!(dead_letter::count(&world.store).await.unwrap(), 0, "an outage is no entry's fault");

    proxy.mend();
    world.drained().await;
    assert_eq!(world.seqs("c1").await.len(), 39);
    assert_eq!(dead_letter::count(&world.store).await.unwrap(), 1);
    worker.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn a_worker_stops_while_postgres_is_away_and_the_next_one_goes_on() {
    let world = World::new().await;
    let proxy = Proxy::before(&world.database.url()).await;
    let worker = world.start(&[("PARLANCE__POSTGRES__URL", proxy.url())]).await;
    proxy.cut();
    world.append_all(&(1..=5).map(|n| message("c1", n)).collect::<Vec<_>>()).await;
    eventually("the worker has taken them", async || {
        let status = world.status("c1", StreamKind::Ingest).await;
        if status.pending == 5 { Ok(()) } else { Err(status) }
    })
    .await;
    worker.stop().await;
    assert_eq!(world.status("c1", StreamKind::Ingest).await.entries, 5);

    let next = world.start(&[("PARLANCE__INGEST__CLAIM_AFTER", "200ms")]).await;
    world.drained().await;
    assert_eq!(world.seqs("c1").await, [1, 2, 3, 4, 5]);
    next.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn a_missing_table_parks_nothing() {
    let world = World::new().await;
    let worker = world.start(&[]).await;
    world.sql("ALTER TABLE messages RENAME TO mislaid").await;
    world.append(&message("c1", 1)).await;
    eventually("the worker has taken it", async || {
        let status = world.status("c1", StreamKind::Ingest).await;
        if status.pending == 1 { Ok(()) } else { Err(status) }
    })
    .await;
    world.sql("ALTER TABLE mislaid RENAME TO messages").await;
    world.drained().await;
    assert_eq!(world.seqs("c1").await, [1]);
    assert_eq!(dead_letter::count(&world.store).await.unwrap(), 0);
    worker.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn a_postgres_that_stops_answering_holds_nothing_up_for_good() {
    let world = World::new().await;
    let proxy = Proxy::before(&world.database.url()).await;
    let environment =
        [("PARLANCE__POSTGRES__URL", proxy.url()), ("PARLANCE__POSTGRES__STATEMENT_DEADLINE", "300ms")];
    let worker = world.start(&environment).await;
    world.append(&message("c1", 1)).await;
    world.drained().await;

    proxy.freeze();
    world.append_all(&(2..=200).map(|n| message("c1", n)).collect::<Vec<_>>()).await;
    eventually("the worker has taken them", async || {
        let status = world.status("c1", StreamKind::Ingest).await;
        if status.pending == 199 { Ok(()) } else { Err(status) }
    })
    .await;
    proxy.mend();
    world.drained().await;
    assert_eq!(world.seqs("c1").await.len(), 200);
    worker.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn a_redis_that_restarts_is_read_again() {
    let mut redis = Server::start();
    let world = World::on(&redis.url()).await;
    let worker = world.start(&[("PARLANCE__INGEST__CLAIM_AFTER", "300ms")]).await;
    world.append(&message("c1", 1)).await;
    world.drained().await;

    redis.kill();
    redis.start_again();
    eventually("the tests' own connection is back", async || world.broker.ping().await).await;
    world.append_all(&(2..=10).map(|n| message("c1", n)).collect::<Vec<_>>()).await;
    world.drained().await;
    assert_eq!(world.seqs("c1").await.len(), 10);
    worker.stop().await;
}

#[tokio::test]
async fn a_redis_without_memory_is_drained_all_the_same() {
    let redis = Server::start();
    let world = World::on(&redis.url()).await;
    let proxy = Proxy::before(&world.database.url()).await;
    let worker = world.start(&[("PARLANCE__POSTGRES__URL", proxy.url())]).await;
    proxy.cut();
    world.append_all(&(1..=20).map(|n| message("c1", n)).collect::<Vec<_>>()).await;
    world.append(&receipt("c1", "anna", 1, 1, 0)).await;
    assert_eq!(redis.ask("CONFIG SET maxmemory 1"), "+OK");
    assert!(redis.ask("SET any thing").starts_with("-OOM"));
    proxy.mend();
    world.drained().await;
    assert_eq!(world.seqs("c1").await.len(), 20);
    worker.stop().await;
}
