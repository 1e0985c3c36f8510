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
use axum::extract::ConnectInfo;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use parlance_chassis::backoff::Backoff;
use parlance_chassis::lifecycle::Handle;
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
/// The answer to a connection for which there is no place.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_MOST: Duration = Duration::from_secs(1);

/// Spawns the accept loop. Handlers find the peer as axum's [`ConnectInfo<SocketAddr>`](ConnectInfo).
///
/// At the soft stop it stops accepting and closes idle connections; others end with their current answer, upgraded
/// ones on their own. A moment after the hard stop what is left of HTTP is dropped.
pub fn serve(listener: TcpListener, app: Router, limits: HttpLimits, lifecycle: &Handle) {
    let accepting = accept(listener, app, limits, lifecycle.clone());
    lifecycle.spawn("http.accept", async move {
        accepting.await;
        Ok::<(), Infallible>(())
    });
}

async fn accept(listener: TcpListener, app: Router, limits: HttpLimits, lifecycle: Handle) {
    let soft = lifecycle.soft();
    let places = Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS)));
    let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MOST);
    while let Some(accepted) = soft.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, peer)) => {
                backoff.reset();
                let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                    Limit::HttpConnections.count();
                    // Nobody waits for a client that does not take so little at once.
                    stream.try_write(FULL).ok();
                    continue;
                };
                let connection = connection(stream, peer, app.clone(), limits, lifecycle.clone());
                lifecycle.spawn_request("http.connection", async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                // Out of file descriptors or memory: it passes when others hang up, and must neither spin nor end.
                tracing::warn!(%error, "accepting a connection failed");
                soft.run_until_cancelled(tokio::time::sleep(backoff.next_delay() + RETRY_FIRST)).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn connection(stream: TcpStream, peer: SocketAddr, app: Router, limits: HttpLimits, lifecycle: Handle) {
    stream.set_nodelay(true).ok();
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        // A router is always ready.
        app.clone().call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_header_size(limits.head_bytes)
        .max_buf_size(BUFFER_BYTES.max(limits.head_bytes.saturating_mul(2)))
        .serve_connection(TokioIo::new(Guarded::new(stream, limits.write_timeout)), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let (soft, hard) = (lifecycle.soft(), lifecycle.hard());
    let result = tokio::select! {
        result = connection.as_mut() => Some(result),
        () = soft.cancelled() => {
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
