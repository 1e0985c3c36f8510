//! What operators see of a running worker.

use std::net::SocketAddr;

use parlance_chassis::metrics::{METRICS, Metric, PROCESS};
use parlance_worker::metrics::SECTIONS;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
};

use crate::{
    entries::{message, unstorable},
    exposition::mistakes,
    proxy::Proxy,
    world::{World, eventually},
};

async fn get(admin: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(admin).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn ready(admin: SocketAddr) -> Result<(), String> {
    let answer = get(admin, "/ready").await;
    if answer.starts_with("HTTP/1.1 200 ") { Ok(()) } else { Err(answer) }
}

#[tokio::test]
async fn ready_tells_when_postgres_is_away() {
    let world = World::new().await;
    let proxy = Proxy::before(&world.database.url()).await;
    let worker = world.start(&[("PARLANCE__POSTGRES__URL", proxy.url())]).await;
    eventually("the worker is ready", async || ready(worker.admin).await).await;
    proxy.cut();
    eventually("the worker says what is away", async || match ready(worker.admin).await {
        Err(answer) if answer.contains("postgres") && !answer.contains("redis") => Ok(()),
        other => Err(other),
    })
    .await;
    proxy.mend();
    eventually("the worker is ready again", async || ready(worker.admin).await).await;
    worker.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn metrics_count_what_was_written_and_what_was_parked() {
    let world = World::new().await;
    let worker = world.start(&[]).await;
    world.append_all(&[message("c1", 1), message("c1", 2), unstorable("c1", 3)]).await;
    world.drained().await;
    let expected = [
        "parlance_worker_persisted_total{stream=\"ingest\"} 3",
        "parlance_worker_dead_letters_total 1",
        "parlance_worker_batch_entries_count",
        "parlance_worker_commit_seconds_bucket",
        "parlance_ingest_lag_seconds{stream=\"ingest\"}",
        "parlance_ingest_pending_entries{stream=\"receipts\"}",
        "parlance_dead_letters",
    ];
    eventually("all metrics are there", async || {
        let metrics = get(worker.admin, "/metrics").await;
        match expected.iter().find(|line| !metrics.contains(*line)) {
            None => Ok(()),
            Some(missing) => Err((*missing).to_owned()),
        }
    })
    .await;
    worker.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn metrics_are_those_that_are_declared() {
    // Nothing panicked, and no call went on for too long.
    const SELDOM: [&str; 2] = ["parlance_task_panics_total", "parlance_worker_calls_ended_total"];
    let world = World::new().await;
    let worker = world.start(&[]).await;
    world.append_all(&[message("c1", 1)]).await;
    world.drained().await;
    let declared = SECTIONS.iter().flat_map(|section| section.metrics).chain(METRICS).chain(PROCESS);
    let declared: Vec<Metric> = declared.copied().collect();
    for metric in &declared {
        assert_eq!(metric.kind.as_str() == "counter", metric.name.ends_with("_total"), "{}", metric.name);
    }
    let expected = [
        "parlance_redis_connected 1\n",
        "parlance_ready 1\n",
        "parlance_not_ready{check=\"postgres\"} 0\n",
        "parlance_redis_errors_total{operation=\"acknowledge\"} 0\n",
        "parlance_postgres_query_seconds_count{operation=\"write_batch\"} ",
        "parlance_worker_persisted_total{stream=\"receipts\"} 0\n",
    ];
    eventually("all metrics are there", async || {
        let answer = get(worker.admin, "/metrics").await;
        let (_, text) = answer.split_once("\r\n\r\n").unwrap();
        let mut mistakes = mistakes(text, &declared, &SELDOM);
        mistakes.extend(expected.iter().filter(|line| !text.contains(**line)).map(|line| (*line).to_owned()));
        if mistakes.is_empty() { Ok(()) } else { Err(mistakes) }
    })
    .await;
    worker.stop().await;
    world.clean_up().await;
}

#[tokio::test]
async fn healthcheck_succeeds_when_the_worker_is_ready() {
    let world = World::new().await;
    let worker = world.start(&[]).await;
    eventually("the worker is ready", async || ready(worker.admin).await).await;
    let port = worker.admin.port().to_string();
    let status = Command::new(env!("CARGO_BIN_EXE_worker"))
        .arg("healthcheck")
        .env_clear()
        .envs(world.environment(&[("PARLANCE__ADMIN__PORT", &port)]))
        .status()
        .await
        .unwrap();
    assert!(status.success());
    worker.stop().await;
    world.clean_up().await;
}
