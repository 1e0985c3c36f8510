//! socketioxide behind the wire: what is asked of it, whatever its adapter, and how a polling session is ended.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full};
use socketioxide::adapter::Adapter;
use socketioxide::service::SocketIoService;
use socketioxide::socket::Sid;
use socketioxide::{ParserConfig, SocketIo, SocketIoBuilder};
use tower::service_fn;

use super::config::WireConfig;
use super::request::{Ask, ENGINE_PATH};
use super::stream::ClientStream;

/// How many binary attachments a packet may announce. No command takes any; a packet with some is refused when they
/// are there, and with more its connection ends.
const MAX_ATTACHMENTS: usize = 16;

/// The engine's packet that ends a session (Engine.IO protocol, `close`).
pub(super) const CLOSE_PACKET: &[u8] = b"1";

/// Builds socketioxide with every setting that is the wire's.
pub(super) fn build<A: Adapter>(
    builder: SocketIoBuilder<A>,
    config: &WireConfig,
) -> (Arc<dyn Engine>, SocketIo<A>) {
    let parser = ParserConfig::common()
        .max_incoming_binaries(MAX_ATTACHMENTS)
        .max_incoming_binary_buf_size(config.max_message_bytes);
    let (service, io) = builder
        .with_parser(parser)
        .req_path(ENGINE_PATH)
        .ping_interval(config.ping_interval)
        .ping_timeout(config.ping_timeout)
        .connect_timeout(config.connect_timeout)
        .upgrade_timeout(config.upgrade_timeout)
        .max_payload(config.max_payload_bytes as u64)
        .max_buffer_size(config.max_buffer_packets)
        .ws_read_buffer_size(config.ws_read_buffer_bytes)
        .ws_max_message_size(config.max_message_bytes)
        .ws_max_frame_size(config.max_message_bytes)
        .build_with_inner_svc(service_fn(not_found as NotFound));
    (Arc::new(service), io)
}

/// What the wire needs of socketioxide, whatever its adapter.
pub(super) trait Engine: Send + Sync {
    /// A polling request.
    fn poll(&self, request: Request<Full<Bytes>>) -> BoxFuture<'static, Response<Bytes>>;
    /// An upgraded stream with its stripped request.
    fn accept(&self, stream: ClientStream, request: Request<()>);

    /// Ends a session, if it is one and its transport is polling, the way a client would: with a close packet.
    fn end_polling_session(&self, sid: Sid) {
        // The engine spawns a task for it. Streams that are dropped together with the runtime end without one.
        if tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let Ok(uri) = Ask::Post(sid).engine_uri() else {
            return;
        };
        let mut request = Request::new(Full::new(Bytes::from_static(CLOSE_PACKET)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        // It waits for nothing but its body, which is there.
        let answered = self.poll(request).now_or_never();
        debug_assert!(answered.is_some(), "closing a session waits for nothing");
    }
}

type NotFound = fn(Request<Full<Bytes>>) -> std::future::Ready<Result<Response<Empty<Bytes>>, Infallible>>;

/// Where requests for another path than the engine's would go; there are none.
fn not_found(_: Request<Full<Bytes>>) -> std::future::Ready<Result<Response<Empty<Bytes>>, Infallible>> {
    let mut response = Response::new(Empty::new());
    *response.status_mut() = StatusCode::NOT_FOUND;
    std::future::ready(Ok(response))
}

impl<A: Adapter> Engine for SocketIoService<tower::util::ServiceFn<NotFound>, A> {
    fn poll(&self, request: Request<Full<Bytes>>) -> BoxFuture<'static, Response<Bytes>> {
        let answer = tower::Service::<Request<Full<Bytes>>>::call(&mut self.clone(), request);
        Box::pin(async move {
            let (parts, body) = answer.await.unwrap_or_else(|never| match never {}).into_parts();
            let bytes = match body.collect().await {
                Ok(collected) => collected.to_bytes(),
                Err(never) => match never {},
            };
            Response::from_parts(parts, bytes)
        })
    }

    fn accept(&self, stream: ClientStream, request: Request<()>) {
        let call = tower::Service::<(_, Request<()>)>::call(&mut self.clone(), (stream, request));
        if let Err(error) = call.into_inner() {
            tracing::error!(%error, "the engine refused a request that the wire had made");
        }
    }
}
