//! The HTTP listener from outside: what a connection may cost, and how it ends.

#![cfg(test)]

use std::process::ExitCode;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::routing::get;
use axum::{Extension, Router};
use parlance_chassis::lifecycle::{CancellationToken, Lifecycle};
use parlance_gateway::listener::{self, HttpLimits, Unanswered};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const DEADLINE: Duration = Duration::from_secs(10);

/// A listener that is deaf as soon as it is stopped.
async fn start(limits: HttpLimits) -> (Lifecycle, String) {
    let lifecycle = Lifecycle::without_signals();
    let deaf = lifecycle.handle().soft();
    start_until(deaf, limits, lifecycle).await
}

async fn start_until(
    deaf: CancellationToken,
    limits: HttpLimits,
    lifecycle: Lifecycle,
) -> (Lifecycle, String) {
    let peer = async |ConnectInfo(peer): ConnectInfo<std::net::SocketAddr>| peer.to_string();
    let endless = async || std::future::pending::<()>().await;
    let nobody = async || Extension(Unanswered);
    let app =
        Router::new().route("/peer", get(peer)).route("/endless", get(endless)).route("/nobody", get(nobody));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    listener::serve(listener, app, limits, deaf, &lifecycle.handle());
    (lifecycle, address)
}

/// Sends a text and reads until the server hangs up.
async fn exchange(address: &str, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let local = stream.local_addr().unwrap().to_string();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    tokio::time::timeout(DEADLINE, read).await.expect("the server hangs up").ok();
    (local, String::from_utf8(answer).unwrap())
}

#[tokio::test]
async fn a_handler_finds_the_peer() {
    let (_lifecycle, address) = start(HttpLimits::default()).await;
    let (local, answer) =
        exchange(&address, "GET /peer HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(&local), "{answer}");
}

#[tokio::test]
async fn a_head_that_does_not_arrive_ends_the_connection() {
    let limits = HttpLimits { head_timeout: Duration::from_millis(50), ..HttpLimits::default() };
    let (_lifecycle, address) = start(limits).await;
    for begun in ["", "GET /peer HTTP/1.1\r\nhost: x\r\n"] {
        let (_, answer) = exchange(&address, begun).await;
        assert!(!answer.contains(" 200 "), "{answer}");
    }
}

#[tokio::test]
async fn a_head_beyond_the_limit_is_431() {
    let limits = HttpLimits { head_bytes: 1000, ..HttpLimits::default() };
    let (_lifecycle, address) = start(limits).await;
    let long = "x".repeat(2000);
    let (_, answer) =
        exchange(&address, &format!("GET /peer HTTP/1.1\r\nhost: x\r\nlong: {long}\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn connections_beyond_the_limit_are_answered_503_and_one_is_let_in_when_another_has_ended() {
    let (_lifecycle, address) = start(HttpLimits { connections: 2, ..HttpLimits::default() }).await;
    let request = "GET /peer HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    // Half-open handshakes count like any other connection.
    let mut idle = Vec::new();
    for begun in ["", "GET /peer HTTP/1.1\r\n"] {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        idle.push(stream);
    }
    for _ in 0..3 {
        let (_, answer) = exchange(&address, "").await;
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\r\nretry-after: 5\r\n"), "{answer}");
    }
    idle.pop();
    let end = tokio::time::Instant::now() + DEADLINE;
    loop {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        // One that is refused may be reset before it has been written to.
        stream.write_all(request.as_bytes()).await.ok();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok();
        if answer.starts_with(b"HTTP/1.1 200 ") {
            break;
        }
        assert!(tokio::time::Instant::now() < end, "the place is taken for ever");
    }
}

#[tokio::test]
async fn a_stop_ends_idle_connections_at_once_and_endless_requests_at_last() {
    let (lifecycle, address) = start(HttpLimits::default()).await;
    let handle = lifecycle.handle();
    let idle = exchange(&address, "");
    let endless = exchange(&address, "GET /endless HTTP/1.1\r\nhost: x\r\n\r\n");
    let stop = async {
        // Both connections are accepted in order, so one that comes after them proves that they were.
        exchange(&address, "GET /peer HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        handle.stop();
        lifecycle.run(Duration::from_millis(100)).await
    };
    let (_, _, code) = tokio::join!(idle, endless, stop);
    assert_eq!(code, ExitCode::SUCCESS);
    assert!(TcpStream::connect(&address).await.is_err(), "nobody listens");
}

#[tokio::test]
async fn between_the_stop_and_its_end_connections_are_taken_for_one_request_each() {
    let lifecycle = Lifecycle::without_signals();
    let (deaf, handle) = (CancellationToken::new(), lifecycle.handle());
    let (_lifecycle, address) = start_until(deaf.clone(), HttpLimits::default(), lifecycle).await;
    let request = "GET /peer HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut kept = TcpStream::connect(&address).await.unwrap();
    kept.write_all(request.as_bytes()).await.unwrap();
    let mut answer = [0; 1_000];
    let length = kept.read(&mut answer).await.unwrap();
    let answer = std::str::from_utf8(&answer[..length]).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && !answer.contains("connection: close"), "{answer}");
    handle.stop();
    // One that is kept is not closed before it is used once more, and neither is refused a new one.
    let mut rest = String::new();
    kept.write_all(request.as_bytes()).await.unwrap();
    tokio::time::timeout(DEADLINE, kept.read_to_string(&mut rest)).await.unwrap().unwrap();
    let (_, new) = exchange(&address, request).await;
    for answer in [rest, new] {
        assert!(
            answer.starts_with("HTTP/1.1 200 ") && answer.contains("\r\nconnection: close\r\n"),
            "{answer}"
        );
    }
    deaf.cancel();
    let refused = async { while TcpStream::connect(&address).await.is_ok() {} };
    tokio::time::timeout(DEADLINE, refused).await.expect("nobody listens any more");
}

#[tokio::test]
async fn who_has_connected_before_it_is_deaf_gets_his_answer() {
    let lifecycle = Lifecycle::without_signals();
    let deaf = CancellationToken::new();
    let (_lifecycle, address) = start_until(deaf.clone(), HttpLimits::default(), lifecycle).await;
    // Nothing else runs meanwhile: the listener learns of the connection and of its own end at the same time.
    let stream = std::net::TcpStream::connect(&address).unwrap();
    deaf.cancel();
    stream.set_nonblocking(true).unwrap();
    let mut stream = TcpStream::from_std(stream).unwrap();
    stream.write_all(b"GET /peer HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(DEADLINE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn what_is_for_nobody_here_ends_its_connection_without_an_answer() {
    let (_lifecycle, address) = start(HttpLimits::default()).await;
    let (_, answer) = exchange(&address, "GET /nobody HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(answer, "");
}
