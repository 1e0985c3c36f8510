//! The Socket.IO endpoint: which request goes where, and who may ask.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::middleware::{self, Next};
use axum::response::IntoResponse;
use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use parlance_chassis::lifecycle::Handle;
use socketioxide::adapter::Adapter;
use socketioxide::{SocketIo, SocketIoBuilder};
use tower::ServiceExt;

use super::Wires;
use super::config::{SocketPaths, WireConfig, WireConfigError};
use super::engine::{self, Engine};
use super::handshake::Handshake;
use super::request::{Ask, Refusal};
use crate::limits::Pass;
use crate::web::{cors, origins::Verdict};

/// Builds Socket.IO and its endpoint. `builder` brings the adapter; every other setting comes from `config`.
/// Returns what answers the requests of its paths (and of no others), the handle on which handlers are registered, and
/// the live wires.
///
/// New sessions are refused once the entrance of the wires is closed; all that are left end with the hard stop.
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
    let wires = Wires::new(&config);
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
        let router = Router::new().fallback(answer).with_state(Arc::clone(&self));
        cors::around(router, &self.config.origins, cors::polling)
            .layer(middleware::from_fn_with_state(Arc::clone(&self), known_origin))
            .layer(middleware::from_fn_with_state(self, known_path))
    }

    pub(super) fn handshake(&self, request: &Request<Body>) -> Result<Handshake, Refusal> {
        Handshake::read(request, self.config.trusted_hops)
    }

    /// A place for a new session.
    pub(super) fn enter(&self, from: &Handshake) -> Result<Option<Pass>, Refusal> {
        let Some(entrance) = &self.config.entrance else { return Ok(None) };
        Ok(Some(entrance.enter(from.address)?))
    }

    async fn dispatch(self: &Arc<Self>, request: Request<Body>) -> Result<Response<Body>, Refusal> {
        match Ask::parse(request.method(), request.uri().query())? {
            Ask::WebSocket(sid) => self.upgrade(request, sid),
            Ask::Open => {
                let handshake = self.handshake(&request)?;
                drop(request);
                let pass = self.enter(&handshake)?;
                self.open(handshake, pass).await
            }
            Ask::Poll(sid) => {
                drop(request);
                self.poll(sid).await
            }
            Ask::Post(sid) => self.post(sid, request).await,
        }
    }
}

/// Routes of something else, with `sockets` at those paths that are Socket.IO's when a request comes.
pub fn in_front_of(others: Router, sockets: Router, paths: SocketPaths) -> Router {
    others.layer(middleware::from_fn(move |request: Request<Body>, next: Next| {
        let sockets = paths.serve(request.uri()).then(|| sockets.clone());
        async move {
            match sockets {
                Some(sockets) => sockets.oneshot(request).await.unwrap_or_else(|never| match never {}),
                None => next.run(request).await,
            }
        }
    }))
}

async fn known_path(
    State(endpoint): State<Arc<Endpoint>>,
    request: Request<Body>,
    next: Next,
) -> Response<Body> {
    if endpoint.config.paths.serve(request.uri()) {
        return next.run(request).await;
    }
    StatusCode::NOT_FOUND.into_response()
}

async fn answer(State(endpoint): State<Arc<Endpoint>>, request: Request<Body>) -> Response<Body> {
    endpoint.dispatch(request).await.unwrap_or_else(Refusal::response)
}

/// Refuses the requests of foreign pages, their preflights too: browsers let any page open a WebSocket.
async fn known_origin(
    State(endpoint): State<Arc<Endpoint>>,
    request: Request<Body>,
    next: Next,
) -> Response<Body> {
    match endpoint.config.origins.get().judge(request.headers()) {
        Verdict::Foreign => Refusal::ForeignOrigin.response(),
        Verdict::NoOrigin | Verdict::Anyone | Verdict::Listed => next.run(request).await,
    }
}
