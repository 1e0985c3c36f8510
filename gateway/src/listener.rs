//! Serves HTTP/1 on a listener: accepts, bounds what a client may cost before it has said anything, and ends with
//! the lifecycle. Routes, TLS and everything above HTTP are elsewhere.

mod guarded;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use parlance_chassis::backoff::Backoff;
use parlance_chassis::lifecycle::{CancellationToken, Handle};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower::Service;

use crate::limits::Limit;

pub use guarded::Guarded;

/// What one HTTP connection may cost.
#[derive(Clone, Copy, Debug)]
pub struct HttpLimits {
    /// How long a request's head may take to arrive; also how long an idle connection is kept.
    pub head_timeout: Duration,
    /// Most bytes of a request's head; beyond it the answer is 431.
    pub head_bytes: usize,
    /// How long a write may make no progress. Longer than the slow-reader deadline of the wire, which comes first.
    pub write_timeout: Duration,
    /// How many connections may speak HTTP at a time; those beyond are answered 503 and closed. An upgraded one is not
    /// among them.
    pub connections: usize,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            head_timeout: Duration::from_secs(10),
            head_bytes: 32 << 10,
            write_timeout: Duration::from_secs(30),
            connections: 100_000,
        }
    }
}

/// The most that hyper reads ahead or holds back of one connection; must exceed the head.
const BUFFER_BYTES: usize = 128 << 10;
/// What the hard stop leaves for answers that it caused, like the last one to a waiting poll.
const LAST_ANSWER: Duration = Duration::from_secs(1);
/// How long an idle connection may still bring a request that was on its way when the listener was closed.
const LAST_REQUEST: Duration = Duration::from_millis(500);
/// The answer to a connection for which there is no place.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_MOST: Duration = Duration::from_secs(1);

/// In the extensions of an answer: it is not sent, and the connection is closed, as if nobody listened.
#[derive(Clone, Copy, Debug)]
pub struct Unanswered;

/// A connection was closed in place of an answer.
#[derive(Debug, thiserror::Error)]
#[error("the request is for nobody here")]
struct HangUp;

/// Spawns the accept loop. Handlers find the peer as axum's [`ConnectInfo<SocketAddr>`](ConnectInfo).
///
/// From the soft stop on every answer is the last of its connection, so that proxies do not use it again. When `deaf` is
/// cancelled it stops accepting, and idle connections are closed a moment later; others end with their current answer,
/// upgraded ones on their own. A moment after the hard stop what is left of HTTP is dropped.
pub fn serve(
    listener: TcpListener,
    app: Router,
    limits: HttpLimits,
    deaf: CancellationToken,
    lifecycle: &Handle,
) {
    let accepting = accept(listener, app, limits, deaf, lifecycle.clone());
    lifecycle.spawn("http.accept", async move {
        accepting.await;
        Ok::<(), Infallible>(())
    });
}

async fn accept(
    listener: TcpListener,
    app: Router,
    limits: HttpLimits,
    deaf: CancellationToken,
    lifecycle: Handle,
) {
    let places = Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS)));
    let take = |stream: TcpStream, peer: SocketAddr| {
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            Limit::HttpConnections.count();
            // Nobody waits for a client that does not take so little at once.
            stream.try_write(FULL).ok();
            return;
        };
        let connection = connection(stream, peer, app.clone(), limits, deaf.clone(), lifecycle.clone());
        lifecycle.spawn_request("http.connection", async move {
            connection.await;
            drop(place);
        });
    };
    let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MOST);
    while let Some(accepted) = deaf.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, peer)) => {
                backoff.reset();
                take(stream, peer);
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                // Out of file descriptors or memory: it passes when others hang up, and must neither spin nor end.
                tracing::warn!(%error, "accepting a connection failed");
                deaf.run_until_cancelled(tokio::time::sleep(backoff.next_delay() + RETRY_FIRST)).await;
            }
        }
    }
    if let Err(error) = take_last(listener, take) {
        tracing::debug!(%error, "the last connections are not taken");
    }
}

/// Takes the connections that were made and not accepted yet: with the listener they would be reset, and a proxy does not
/// ask another gateway when it has sent something. Asks the system itself, because the runtime may not have heard of them.
fn take_last(listener: TcpListener, take: impl Fn(TcpStream, SocketAddr)) -> io::Result<()> {
    let listener = listener.into_std()?;
    loop {
        match listener.accept() {
            Ok((stream, peer)) => {
                stream.set_nonblocking(true)?;
                take(TcpStream::from_std(stream)?, peer);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => return Err(error),
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    app: Router,
    limits: HttpLimits,
    deaf: CancellationToken,
    lifecycle: Handle,
) {
    stream.set_nodelay(true).ok();
    let (soft, hard) = (lifecycle.soft(), lifecycle.hard());
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        // A router is always ready.
        let answer = app.clone().call(request);
        let soft = soft.clone();
        async move {
            let Ok(answer) = answer.await;
            if answer.extensions().get::<Unanswered>().is_some() {
                return Err(HangUp);
            }
            Ok(if soft.is_cancelled() { last(answer) } else { answer })
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_header_size(limits.head_bytes)
        .max_buf_size(BUFFER_BYTES.max(limits.head_bytes.saturating_mul(2)))
        .serve_connection(TokioIo::new(Guarded::new(stream, limits.write_timeout)), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => Some(result),
        () = closing(&deaf, &hard) => {
            connection.as_mut().graceful_shutdown();
            match hard.run_until_cancelled(connection.as_mut()).await {
                Some(result) => Some(result),
                None => tokio::time::timeout(LAST_ANSWER, connection).await.ok(),
            }
        }
    };
    if let Some(Err(error)) = result {
        tracing::trace!(%peer, %error, "connection failed");
    }
}

/// When idle connections are closed.
async fn closing(deaf: &CancellationToken, hard: &CancellationToken) {
    deaf.cancelled().await;
    hard.run_until_cancelled(tokio::time::sleep(LAST_REQUEST)).await;
}

/// An answer after which the connection is closed, unless it goes on as something else than HTTP.
fn last(mut answer: Response<Body>) -> Response<Body> {
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}
