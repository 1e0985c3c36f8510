//! The Socket.IO endpoint: which request goes where, and who may ask.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::any;
use futures_util::FutureExt;
use http::{Method, Request, Response, StatusCode};
use parlance_chassis::lifecycle::Handle;
use socketioxide::adapter::Adapter;
use socketioxide::{SocketIo, SocketIoBuilder};

use super::Wires;
use super::config::{WireConfig, WireConfigError};
use super::cors::{self, Verdict};
use super::engine::{self, Engine};
use super::handshake::Handshake;
use super::request::{Ask, Refusal};

/// Builds Socket.IO and its endpoint. `builder` brings the adapter; every other setting comes from `config`.
/// Returns the routes (one for each path and with a trailing slash), the handle on which handlers are registered, and
/// the live wires.
///
/// New sessions are refused once the drain has begun; all that are left then end with the hard stop.
///
/// # Errors
/// A setting that cannot work.
pub fn build<A: Adapter>(
    builder: SocketIoBuilder<A>,
    config: WireConfig,
    lifecycle: &Handle,
) -> Result<(Router, SocketIo<A>, Arc<Wires>), WireConfigError> {
    config.check()?;
    let (engine, io) = engine::build(builder, &config);
    let wires = Wires::new(config.slow_reader);
    wires.set_engine(Arc::downgrade(&engine));
    let sweep = Arc::clone(&wires).sweep(lifecycle.hard());
    lifecycle.spawn_support("wire.sweep", sweep.map(Ok::<(), Infallible>));
    let endpoint =
        Arc::new(Endpoint { config, engine, wires: Arc::clone(&wires), lifecycle: lifecycle.clone() });
    Ok((endpoint.router(), io, wires))
}

/// What answers the requests of the Socket.IO paths.
pub(super) struct Endpoint {
    pub(super) config: WireConfig,
    pub(super) engine: Arc<dyn Engine>,
    pub(super) wires: Arc<Wires>,
    pub(super) lifecycle: Handle,
}

impl Endpoint {
    fn router(self: Arc<Self>) -> Router {
        let mut paths: Vec<&str> = self.config.paths.iter().map(|path| path.as_str()).collect();
        paths.sort_unstable();
        paths.dedup();
        let mut router = Router::new();
        for path in paths {
            router = router.route(path, any(answer)).route(&format!("{path}/"), any(answer));
        }
        router.with_state(self)
    }

    pub(super) fn is_draining(&self) -> bool {
        self.lifecycle.soft().is_cancelled()
    }

    pub(super) fn handshake(&self, request: &Request<Body>) -> Result<Handshake, Refusal> {
        Handshake::read(request, self.config.trusted_hops)
    }

    async fn dispatch(self: &Arc<Self>, request: Request<Body>) -> Result<Response<Body>, Refusal> {
        match Ask::parse(request.method(), request.uri().query())? {
            Ask::WebSocket(sid) => self.upgrade(request, sid),
            Ask::Open => {
                let handshake = self.handshake(&request)?;
                drop(request);
                self.open(handshake).await
            }
            Ask::Poll(sid) => {
                drop(request);
                self.poll(sid).await
            }
            Ask::Post(sid) => self.post(sid, request).await,
        }
    }
}

async fn answer(State(endpoint): State<Arc<Endpoint>>, request: Request<Body>) -> Response<Body> {
    let origins = &endpoint.config.origins;
    let verdict = origins.judge(request.headers());
    let mut response = match verdict {
        Verdict::Foreign => Refusal::ForeignOrigin.response(),
        _ if request.method() == Method::OPTIONS => cors::preflight(request.headers()),
        _ => endpoint.dispatch(request).await.unwrap_or_else(Refusal::response),
    };
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        verdict.apply(response.headers_mut(), origins);
    }
    response
}
