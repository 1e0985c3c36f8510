//! While Redis is away, silent or full, commands fail in time and say that a retry can help; nothing happens twice.

use std::time::{Duration, Instant};

use parlance_broker::{
    Broker, BrokerConfig, BrokerError,
    append::{Appended, Floors},
};

use crate::{
    server::Server,
    world::{ROOMY, World, answering, conversation, eventually, now, stored},
};

const DEADLINE: Duration = Duration::from_millis(500);

/// What a command may take beyond its deadline on a busy machine.
const GRACE: Duration = Duration::from_millis(1_500);

/// Every kind of command fails as [`BrokerError::Unavailable`], in time.
async fn assert_unavailable(world: &World) {
    let id = conversation("c");
    let check = |name: &str, started: Instant, answer: Result<(), BrokerError>| {
        let error = answer.expect_err(name);
        assert!(matches!(error, BrokerError::Unavailable(_)), "{name}: {error:?}");
        assert!(error.is_retryable());
        assert!(started.elapsed() < DEADLINE + GRACE, "{name} took {:?}", started.elapsed());
    };
    let started = Instant::now();
    check("append", started, world.try_append_known(&world.message(&id, "lost")).await.map(drop));
    let started = Instant::now();
    check("state", started, world.broker.state(&id).await.map(drop));
    let started = Instant::now();
    check("log", started, world.broker.log_after(&id, 0, 10).await.map(drop));
    let started = Instant::now();
    check("ping", started, world.broker.ping().await);
    let started = Instant::now();
    let ids: Vec<_> = (0..500).map(|n| conversation(&n.to_string())).collect();
    check("states", started, world.broker.states(&ids).await.map(drop));
}

#[tokio::test]
async fn while_redis_is_away_commands_fail_within_their_deadline_and_after_its_return_they_work() {
    let mut server = Server::start();
    let world = World::at(&server.url(), DEADLINE).await;
    let id = conversation("c");
    now(world.append(&world.message(&id, "1")).await);
    server.kill();
    assert_unavailable(&world).await;
    server.start_again();
    let appender = world.appender_within(ROOMY.entries, ROOMY.bytes);
    let floors = stored(1, 1, 1);
    eventually("redis is back", async || appender.append(&world.message(&id, "2"), answering(floors)).await)
        .await;
    let texts =
        world.ingest(&id).await.iter().filter(|(_, row)| row["b"].contains(r#""content":"2""#)).count();
    assert_eq!(texts, 1);
    world.broker.close().await;
}

#[tokio::test]
async fn while_redis_is_silent_commands_fail_within_their_deadline_and_a_repetition_finds_out_what_became_of_them()
 {
    let server = Server::start();
    let world = World::at(&server.url(), DEADLINE).await;
    let id = conversation("c");
    now(world.append(&world.message(&id, "1")).await);
    server.freeze();
    assert_unavailable(&world).await;
    server.thaw();
    let appender = world.appender_within(ROOMY.entries, ROOMY.bytes);
    let lost = world.message(&id, "lost");
    let answer =
        eventually("redis answers", async || appender.append(&lost, answering(Floors::default())).await)
            .await;
    assert!(matches!(answer, Appended::Now(_) | Appended::Before { .. }), "{answer:?}");
    // Whatever was still on its way has arrived before this.
    world.broker.ping().await.unwrap();
    let rows = world.ingest(&id).await;
    assert_eq!(rows.iter().filter(|(_, row)| row["b"].contains("lost")).count(), 1);
    assert_eq!(rows.len(), 2);
    world.broker.close().await;
}

#[tokio::test]
async fn when_redis_is_full_an_append_fails_as_unavailable_and_writes_nothing() {
    let server = Server::start();
    let world = World::at(&server.url(), Duration::from_secs(5)).await;
    let id = conversation("c");
    now(world.append(&world.message(&id, "1")).await);
    let before = world.snapshot().await;
    assert_eq!(world.broker.memory_used().await.unwrap(), None, "without a bound");
    assert_eq!(server.ask("CONFIG SET maxmemory 100kb"), "+OK");
    assert!(world.broker.memory_used().await.unwrap().unwrap() > 1.0);
    let append = world.message(&id, "2");
    let error = world.try_append_known(&append).await.unwrap_err();
    assert!(matches!(error, BrokerError::Unavailable(_)), "{error:?}");
    assert_eq!(world.snapshot().await, before);
    server.ask("CONFIG SET maxmemory 1gb");
    let used = world.broker.memory_used().await.unwrap().unwrap();
    assert!((0.0..0.1).contains(&used), "{used}");
    assert_eq!(now(world.append_known(&append).await).seq.0, 2);
    world.broker.close().await;
}

#[tokio::test]
async fn a_redis_that_cannot_be_reached_at_the_start_is_an_error_and_not_a_hang() {
    let mut server = Server::start();
    let url = server.url();
    server.kill();
    let config = BrokerConfig { url, prefix: String::from("test:"), partitions: 2, deadline: DEADLINE };
    let started = Instant::now();
    let error = Broker::connect(config).await.expect_err("nothing listens");
    assert!(matches!(error, BrokerError::Unavailable(_)), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_malformed_url_is_refused() {
    let config = BrokerConfig {
        url: String::from("http://localhost"),
        prefix: String::from("test:"),
        partitions: 2,
        deadline: DEADLINE,
    };
    let error = Broker::connect(config).await.expect_err("no URL of a redis");
    assert!(!error.is_retryable(), "{error:?}");
}
