//! The binary's verbs and exit codes.

use std::time::Duration;

use parlance_broker::ingest::Consumer;
use tokio::process::Command;

use crate::{
    database::TestDatabase,
    entries::{message, unstorable},
    world::{DEADLINE, World},
};

struct Output {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

async fn worker(environment: &[(String, String)], arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_worker"));
    command.args(arguments).env_clear().kill_on_drop(true);
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    let output = tokio::time::timeout(DEADLINE, command.output()).await.expect("it ends in time").unwrap();
    Output {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[tokio::test]
async fn mistakes_end_with_64_and_are_told_all_at_once() {
    let told = worker(&[], &["run"]).await;
    assert_eq!(told.code, Some(64), "{}", told.stderr);
    assert!(told.stderr.contains("redis.url") && told.stderr.contains("postgres.url"), "{}", told.stderr);
    assert_eq!(worker(&[], &["fly"]).await.code, Some(64));
    assert_eq!(worker(&[], &["--help"]).await.code, Some(0));
    assert_eq!(worker(&[], &["dead-letters", "drop"]).await.code, Some(64), "neither ids nor --all");
}

#[tokio::test]
async fn the_configuration_is_checked_and_printed_without_secrets() {
    let world = World::new().await;
    let environment = world.environment(&[("PARLANCE__REDIS__URL", "redis://user:hunter2@h:1")]);
    assert_eq!(worker(&environment, &["check-config"]).await.code, Some(0));
    let printed = worker(&environment, &["print-config"]).await;
    assert_eq!(printed.code, Some(0));
    assert!(printed.stdout.contains("batch_entries = \"1000\" # default"), "{}", printed.stdout);
    assert!(!printed.stdout.contains("hunter2"), "{}", printed.stdout);
}

#[tokio::test]
async fn run_asks_for_migrate_and_refuses_another_layout() {
    let world = World::new().await;
    let empty = TestDatabase::empty().await;
    let environment = world.environment(&[("PARLANCE__POSTGRES__URL", &empty.url())]);
    let told = worker(&environment, &["run"]).await;
    assert_eq!(told.code, Some(1));
    assert!(told.stderr.contains("run `worker migrate` first"), "{}", told.stderr);
    assert_eq!(worker(&environment, &["migrate"]).await.code, Some(0));
    assert_eq!(worker(&environment, &["migrate"]).await.code, Some(0), "again");

    world.broker.check_layout().await.unwrap();
    let environment = world.environment(&[("PARLANCE__REDIS__PARTITIONS", "3")]);
    let told = worker(&environment, &["run"]).await;
    assert_eq!(told.code, Some(64), "{}", told.stderr);
    assert!(told.stderr.contains("is recorded in redis"), "{}", told.stderr);
    world.clean_up().await;
}

#[tokio::test]
async fn pending_shows_what_waits_and_for_whom() {
    let world = World::new().await;
    let partition = world.partition("c1");
    let consumer =
        Consumer::connect(&world.broker, partition, "slow", Duration::from_millis(50)).await.unwrap();
    world.append_all(&[message("c1", 1), message("c1", 2), message("c1", 3)]).await;
    consumer.read(2).await.unwrap();

    let shown = worker(&world.environment(&[]), &["pending"]).await;
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    let stream = format!("partition={} stream=ingest entries=3 ", partition.0);
    assert!(shown.stdout.contains(&stream), "{}", shown.stdout);
    assert!(shown.stdout.contains("  consumer=slow pending=2 idle_ms="), "{}", shown.stdout);
    assert!(shown.stdout.contains("total entries=3 "), "{}", shown.stdout);
    world.clean_up().await;
}

#[tokio::test]
async fn dead_letters_are_listed_retried_and_dropped() {
    let world = World::new().await;
    let running = world.start(&[]).await;
    world.append_all(&[unstorable("c1", 1), unstorable("c1", 2), unstorable("c1", 3)]).await;
    world.drained().await;
    let environment = world.environment(&[]);
    let verb = async |arguments: &[&str]| {
        let arguments: Vec<&str> = ["dead-letters"].into_iter().chain(arguments.iter().copied()).collect();
        worker(&environment, &arguments).await
    };

    let listed = verb(&["list"]).await;
    assert_eq!((listed.code, listed.stdout.lines().count()), (Some(0), 3), "{}", listed.stdout);
    assert!(listed.stdout.contains("sqlstate=22021"), "{}", listed.stdout);
    assert!(!listed.stdout.contains("pe\""), "what was said is not shown: {}", listed.stdout);
    let whole = verb(&["list", "--json", "--limit", "1"]).await;
    let letter: serde_json::Value = serde_json::from_str(&whole.stdout).unwrap();
    assert_eq!((&letter["conversation"], &letter["stream"]), (&"c1".into(), &"ingest".into()));

    let id = letter["id"].to_string();
    let retried = verb(&["retry", &id]).await;
    assert_eq!(retried.code, Some(1), "it is still bad");
    assert!(retried.stdout.starts_with(&format!("id={id} refused reason=")), "{}", retried.stdout);
    let dropped = verb(&["drop", &id]).await;
    assert_eq!((dropped.code, dropped.stdout), (Some(0), format!("id={id} dropped\n")));
    assert_eq!(verb(&["drop", "--all"]).await.stdout.lines().count(), 2);
    assert_eq!(verb(&["list"]).await.stdout, "");
    running.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn healthcheck_asks_the_admin_listener() {
    let world = World::new().await;
    let environment = world.environment(&[("PARLANCE__ADMIN__PORT", "1")]);
    let told = worker(&environment, &["healthcheck"]).await;
    assert_eq!(told.code, Some(1));
    assert!(told.stderr.contains("no answer"), "{}", told.stderr);
    world.clean_up().await;
}
