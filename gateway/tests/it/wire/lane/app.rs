//! A Socket.IO application whose sockets have sessions. All that is said to a socket is numbered in the order in
//! which it is said, events and acknowledgements alike.

use std::convert::Infallible;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use parlance_chassis::lifecycle::Lifecycle;
use parlance_domain::id::{SessionId, UserId};
use parlance_gateway::auth::Identity;
use parlance_gateway::dialect::{Audience, Frame};
use parlance_gateway::limits::Rate;
use parlance_gateway::listener::{self, HttpLimits};
use parlance_gateway::socket::cluster::{AckSender, Adapter, ClusterDriver, SocketRef};
use parlance_gateway::socket::session::{Acknowledgement, NewSession, Patience, Session};
use parlance_gateway::socket::wire::{self, Wire, WireConfig, WireSlot, Wires};
use serde_json::value::RawValue;
use socketioxide::handler::{ConnectHandler, FromMessageParts};
use socketioxide::socket::Socket;
use socketioxide_core::Value as Packet;
use tokio::net::{TcpListener, TcpSocket};

use super::super::app::eventually;
use crate::dialect::load;

pub struct App {
    pub address: String,
    pub wires: Arc<Wires>,
    pub speakers: Arc<Mutex<Vec<Speaker>>>,
    pub lifecycle: Lifecycle,
}

/// What is said to one socket.
#[derive(Clone)]
pub struct Speaker {
    pub socket: SocketRef,
    pub session: Arc<Session>,
    next: Arc<Mutex<u64>>,
}

impl App {
    pub async fn start(config: WireConfig) -> Self {
        Self::on(config, TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    /// With sockets that take only a few kilobytes at once.
    pub fn start_narrow(config: WireConfig) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // Accepted connections inherit it.
        socket.set_send_buffer_size(4096).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self::on(config, socket.listen(64).unwrap())
    }

    fn on(config: WireConfig, listener: TcpListener) -> Self {
        let (app, router) = Self::build(config, listener.local_addr().unwrap().to_string());
        let handle = app.lifecycle.handle();
        listener::serve(listener, router, HttpLimits::default(), handle.soft(), &handle);
        app
    }

    /// The application and its routes, to be served by the caller.
    pub fn build(config: WireConfig, address: String) -> (Self, axum::Router) {
        let lifecycle = Lifecycle::without_signals();
        let (router, io, wires) =
            wire::build(ClusterDriver::alone().builder(), config, &lifecycle.handle()).unwrap();
        let speakers: Arc<Mutex<Vec<Speaker>>> = Arc::default();
        for namespace in ["/", "/other"] {
            let speakers = Arc::clone(&speakers);
            let greet = async move |socket: SocketRef| {
                socket.req_parts().extensions.get::<WireSlot>().unwrap().wire().admit();
                socket.extensions.insert(Speaker::of(socket.clone(), namespace));
                socket.on_fallback(async |_: Answering| {});
                socket.on_disconnect(async |socket: SocketRef| {
                    socket.extensions.remove::<Speaker>().unwrap().session.end();
                });
                Ok::<(), Infallible>(())
            };
            let connected = async move |socket: SocketRef| {
                let speaker = socket.extensions.get::<Speaker>().unwrap();
                speaker.session.open(|| socket.clone());
                speakers.lock().unwrap().push(speaker);
            };
            // A driver that is alone waits for nothing.
            io.ns(namespace, connected.with(greet)).now_or_never().unwrap().unwrap();
        }
        (Self { address, wires, speakers, lifecycle }, router)
    }

    /// The speaker of the socket that connected as number `index`.
    pub async fn speaker(&self, index: usize) -> Speaker {
        eventually("a socket connects", || self.speakers.lock().unwrap().get(index).cloned()).await
    }
}

impl Speaker {
    fn of(socket: SocketRef, namespace: &str) -> Self {
        let slot = socket.req_parts().extensions.get::<WireSlot>().unwrap();
        let session = Session::new(NewSession {
            key: 1,
            id: SessionId::from_random(1),
            identity: Identity::claimed(UserId::new("ann").unwrap()),
            dialect: load(None, "native").unwrap().get("native").unwrap(),
            namespace: namespace.into(),
            conversation: None,
            role: None,
            wire: Arc::clone(slot.wire()),
            place: None,
            patience: Patience {
                rate: Rate::per_second(NonZeroU32::MAX, NonZeroU32::MAX),
                refusals: u32::MAX,
                refusals_in: Duration::from_secs(1),
            },
        });
        Self { socket, session, next: Arc::default() }
    }

    pub fn wire(&self) -> &Wire {
        &self.session.wire
    }

    /// Says the next number in an event, with `length` bytes beside it.
    pub fn say(&self, length: usize) {
        let mut next = self.next.lock().unwrap();
        self.session.emit(&frame(*next, length));
        *next += 1;
    }

    /// Says `count` numbers.
    pub async fn say_many(self, count: u64, length: usize) {
        for _ in 0..count {
            self.say(length);
            tokio::task::yield_now().await;
        }
    }

    fn answer(&self, ack: Acknowledgement) {
        let mut next = self.next.lock().unwrap();
        self.session.acknowledge(ack, &raw(*next, 0));
        *next += 1;
    }
}

fn frame(number: u64, length: usize) -> Frame {
    Frame { event: "said".into(), payload: Some(raw(number, length)), audience: Audience::Everyone }
}

fn raw(number: u64, length: usize) -> Box<RawValue> {
    RawValue::from_string(format!(r#"{{"n":{number},"pad":"{}"}}"#, "x".repeat(length))).unwrap()
}

/// The number in a packet, which must be exactly what [`Speaker`] said in that namespace (`""` or `"/ns,"`).
pub fn number(packet: &str, prefix: &str) -> u64 {
    let rest =
        packet.strip_prefix("42").or_else(|| packet.strip_prefix("43")).unwrap_or_else(|| panic!("{packet}"));
    let rest = rest.strip_prefix(prefix).unwrap_or_else(|| panic!("{packet}"));
    let rest = rest.trim_start_matches(|character: char| character.is_ascii_digit());
    let rest = rest.strip_prefix("[\"said\",").or_else(|| rest.strip_prefix('[')).unwrap();
    let payload: serde_json::Value = serde_json::from_str(rest.strip_suffix(']').unwrap()).unwrap();
    assert!(payload["pad"].as_str().unwrap().bytes().all(|byte| byte == b'x'), "{packet}");
    payload["n"].as_u64().unwrap_or_else(|| panic!("{packet}"))
}

/// Answers whatever wants an acknowledgement.
struct Answering;

impl FromMessageParts<Adapter> for Answering {
    type Error = Infallible;

    fn from_message_parts(
        socket: &Arc<Socket<Adapter>>,
        packet: &mut Packet,
        ack: &Option<i64>,
    ) -> Result<Self, Infallible> {
        if let (Some(id), Some(speaker)) = (ack, socket.extensions.get::<Speaker>()) {
            speaker.session.open(|| SocketRef::from(socket.clone()));
            let sender = AckSender::from_message_parts(socket, packet, ack)?;
            speaker.answer(Acknowledgement { id: *id, sender });
        }
        Ok(Self)
    }
}
