//! The admin listener: `/live`, `/ready` and `/metrics`, apart from the port that clients reach.
//!
//! It lives through the drain, so that probes and scrapes see it, and ends at the hard stop.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::lifecycle::Handle;
use crate::metrics::MetricsHandle;
use crate::readiness::Readiness;

/// How often histogram samples are folded when nobody scrapes.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// How long a request may still run after the hard stop.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Serves the admin routes and `extra`, the owner's own routes, on `listener` until the hard stop. Returns the
/// address that it listens on.
///
/// - `GET /live`: 200 as long as the process answers at all.
/// - `GET /ready`: 200 `{"ready":true}` or 503 with the names and reasons of what is not ready
///   ([`crate::readiness::Status`]).
/// - `GET /metrics`: the Prometheus text format.
///
/// # Errors
/// When the listener has no local address.
///
/// # Panics
/// When `extra` has a route for one of these paths.
pub fn serve(
    listener: TcpListener,
    readiness: Readiness,
    metrics: MetricsHandle,
    lifecycle: &Handle,
    extra: Router,
) -> io::Result<SocketAddr> {
    let address = listener.local_addr()?;
    let router = Router::new()
        .route("/live", get(live))
        .route("/ready", get(ready).with_state(readiness.clone()))
        .route("/metrics", get(scrape).with_state((readiness, metrics.clone())))
        .merge(extra)
        .layer(middleware::map_response(secure));
    lifecycle.spawn_support("admin", answer(listener, router, lifecycle.hard()));
    lifecycle.spawn_support("metrics upkeep", keep_up(metrics, lifecycle.hard()));
    tracing::info!(%address, "admin listener started");
    Ok(address)
}

async fn answer(listener: TcpListener, router: Router, hard: CancellationToken) -> io::Result<()> {
    let too_late = hard.clone();
    let server = axum::serve(listener, router).with_graceful_shutdown(hard.cancelled_owned());
    tokio::select! {
        ended = server => ended,
        // A client that sends half a request must not hold up the end.
        () = async { too_late.cancelled().await; tokio::time::sleep(LAST_WORDS).await } => Ok(()),
    }
}

async fn keep_up(metrics: MetricsHandle, hard: CancellationToken) -> io::Result<()> {
    let mut ticks = tokio::time::interval(UPKEEP_EVERY);
    loop {
        tokio::select! {
            _ = ticks.tick() => metrics.upkeep(),
            () = hard.cancelled() => return Ok(()),
        }
    }
}

/// What is read here is what it says that it is, stands in no frame, and is not stored.
async fn secure(mut response: Response) -> Response {
    let usual = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in usual {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn live() -> &'static str {
    "live\n"
}

async fn ready(State(readiness): State<Readiness>) -> Response {
    let status = readiness.status();
    let code = if status.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(status)).into_response()
}

async fn scrape(State((readiness, metrics)): State<(Readiness, MetricsHandle)>) -> Response {
    readiness.record();
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], metrics.render()).into_response()
}
