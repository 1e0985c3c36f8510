//! The admin listener, asked over a real connection.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use parlance_chassis::lifecycle::{Handle, Lifecycle};
use parlance_chassis::readiness::Readiness;
use parlance_chassis::{admin, listen, metrics};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{AMPLE, end, soon, success};

struct Answer {
    code: u16,
    head: String,
    body: String,
}

async fn ask(address: SocketAddr, path: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    soon("an answer", stream.read_to_string(&mut text)).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let code = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { code, head: head.to_lowercase(), body: body.to_owned() }
}

async fn start(handle: &Handle, readiness: &Readiness, extra: Router) -> SocketAddr {
    let listener = listen::bind("127.0.0.1", 0).await.unwrap();
    admin::serve(listener, readiness.clone(), metrics::install().unwrap(), handle, extra).unwrap()
}

#[tokio::test]
async fn ready_tells_the_truth_from_start_to_drain() {
    let lifecycle = Lifecycle::without_signals();
    let handle = lifecycle.handle();
    let readiness = Readiness::new(&handle);
    let address = start(&handle, &readiness, Router::new()).await;

    let answer = ask(address, "/ready").await;
    assert_eq!(answer.code, 503);
    assert_eq!(answer.body, r#"{"ready":false,"not_ready":[{"name":"lifecycle","reason":"starting"}]}"#);

    let redis = readiness.check("redis");
    redis.not_ready("no subscriber connection");
    let answer = ask(address, "/ready").await;
    assert_eq!(answer.code, 503);
    assert_eq!(
        answer.body,
        r#"{"ready":false,"not_ready":[{"name":"redis","reason":"no subscriber connection"}]}"#
    );

    redis.ready();
    let answer = ask(address, "/ready").await;
    assert_eq!((answer.code, answer.body.as_str()), (200, r#"{"ready":true}"#));

    handle.stop();
    let answer = ask(address, "/ready").await;
    assert_eq!(answer.code, 503);
    assert_eq!(answer.body, r#"{"ready":false,"not_ready":[{"name":"lifecycle","reason":"draining"}]}"#);
    assert_eq!(ask(address, "/live").await.code, 200, "the process lives while it drains");
    assert_eq!(end(lifecycle, AMPLE).await, success());
}

#[tokio::test]
async fn metrics_are_the_recorded_ones_and_those_of_the_process() {
    let lifecycle = Lifecycle::without_signals();
    let handle = lifecycle.handle();
    let address = start(&handle, &Readiness::new(&handle), Router::new()).await;
    ::metrics::counter!("chassis_it_total", "kind" => "test").increment(2);
    let answer = ask(address, "/metrics").await;
    assert_eq!(answer.code, 200);
    assert!(answer.head.contains("content-type: text/plain; version=0.0.4"), "{}", answer.head);
    for line in [r#"chassis_it_total{kind="test"} 2"#, "process_resident_memory_bytes ", "process_threads "] {
        assert!(answer.body.contains(line), "{line} is missing from {}", answer.body);
    }
}

#[tokio::test]
async fn what_stands_against_readiness_is_on_metrics_too() {
    let lifecycle = Lifecycle::without_signals();
    let handle = lifecycle.handle();
    let readiness = Readiness::new(&handle);
    let address = start(&handle, &readiness, Router::new()).await;
    // Names of its own: other tests of this process have the same recorder.
    let (queue, disk) = (readiness.check("metered queue"), readiness.check("metered disk"));
    queue.ready();
    let of_queue = r#"parlance_not_ready{check="metered queue"}"#;
    let body = ask(address, "/metrics").await.body;
    for line in [&format!("{of_queue} 0\n"), "parlance_not_ready{check=\"metered disk\"} 1\n"] {
        assert!(body.contains(line), "{line} is missing from {body}");
    }
    disk.ready();
    queue.not_ready("full");
    assert!(ask(address, "/metrics").await.body.contains(&format!("{of_queue} 1\n")));
    queue.ready();
    handle.stop();
    assert!(ask(address, "/metrics").await.body.contains("parlance_not_ready{check=\"lifecycle\"} 1\n"));
}

#[tokio::test]
async fn the_owner_can_add_routes() {
    let lifecycle = Lifecycle::without_signals();
    let handle = lifecycle.handle();
    let extra = Router::new().route("/dialects", get(async || "native"));
    let address = start(&handle, &Readiness::new(&handle), extra).await;
    assert_eq!(ask(address, "/dialects").await.body, "native");
    assert_eq!(ask(address, "/live").await.body, "live\n");
    assert_eq!(ask(address, "/other").await.code, 404);
}

#[tokio::test]
async fn two_servers_live_in_one_process() {
    let (one, two) = (Lifecycle::without_signals(), Lifecycle::without_signals());
    let first = start(&one.handle(), &Readiness::new(&one.handle()), Router::new()).await;
    let second = start(&two.handle(), &Readiness::new(&two.handle()), Router::new()).await;
    one.handle().stop();
    assert_eq!(end(one, AMPLE).await, success());
    assert!(TcpStream::connect(first).await.is_err(), "the first has ended");
    assert_eq!(ask(second, "/live").await.code, 200);
}

#[tokio::test]
async fn half_a_request_does_not_hold_up_the_end() {
    let lifecycle = Lifecycle::without_signals();
    let handle = lifecycle.handle();
    let address = start(&handle, &Readiness::new(&handle), Router::new()).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /live HTTP/1.1\r\nHost:").await.unwrap();
    assert_eq!(ask(address, "/live").await.code, 200);
    handle.stop();
    assert_eq!(end(lifecycle, Duration::from_secs(1)).await, success());
}
