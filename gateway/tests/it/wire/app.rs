//! A tiny Socket.IO application behind the wire, and how tests wait for what it does.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use parlance_chassis::lifecycle::Lifecycle;
use parlance_gateway::listener::{self, HttpLimits};
use parlance_gateway::socket::wire::{self, KillReason, Wire, WireConfig, WireSlot, Wires};
use socketioxide::SocketIo;
use socketioxide::extract::{Data, SocketRef};
use socketioxide::socket::DisconnectReason;
use tokio::net::TcpListener;

use super::client::{Answer, Polling};

pub const DEADLINE: Duration = Duration::from_secs(10);

/// The application: joins everybody, remembers the wire and the end of each socket, answers `echo`, and floods
/// whoever says `flood`.
pub struct App {
    pub address: String,
    pub wires: Arc<Wires>,
    pub connected: Arc<Mutex<Vec<Arc<Wire>>>>,
    pub ended: Arc<Mutex<Vec<DisconnectReason>>>,
    pub lifecycle: Lifecycle,
}

impl App {
    pub async fn start(config: WireConfig) -> Self {
        let lifecycle = Lifecycle::without_signals();
        let (router, io, wires) = wire::build(SocketIo::builder(), config, &lifecycle.handle()).unwrap();
        let connected: Arc<Mutex<Vec<Arc<Wire>>>> = Arc::default();
        let ended: Arc<Mutex<Vec<DisconnectReason>>> = Arc::default();
        let (connects, ends) = (Arc::clone(&connected), Arc::clone(&ended));
        io.ns("/", async move |socket: SocketRef| {
            wire_of(&socket).admit();
            connects.lock().unwrap().push(wire_of(&socket));
            socket.on("echo", async |socket: SocketRef, Data(text): Data<String>| {
                socket.emit("echo", &text).unwrap();
            });
            socket.on("flood", async |socket: SocketRef, Data(count): Data<usize>| {
                flood(&socket, count);
            });
            socket.on_disconnect(async move |reason: DisconnectReason| ends.lock().unwrap().push(reason));
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let handle = lifecycle.handle();
        listener::serve(listener, router, HttpLimits::default(), handle.soft(), &handle);
        Self { address, wires, connected, ended, lifecycle }
    }

    /// The wire of the last socket that connected.
    pub async fn wire(&self) -> Arc<Wire> {
        eventually("a socket connects", || self.connected.lock().unwrap().last().cloned()).await
    }

    pub async fn ends(&self, count: usize) -> Vec<DisconnectReason> {
        let ended = || Some(self.ended.lock().unwrap().clone()).filter(|ended| ended.len() >= count);
        eventually("sockets end", ended).await
    }

    pub async fn has_no_session(&self) {
        tokio::time::timeout(DEADLINE, self.wires.emptied()).await.expect("no wire is left");
    }

    /// Stops the server; everything it spawned must end by itself.
    pub async fn stop(self) {
        let handle = self.lifecycle.handle();
        handle.stop();
        let code =
            tokio::time::timeout(DEADLINE, self.lifecycle.run(Duration::ZERO)).await.expect("it stops");
        assert_eq!(code, std::process::ExitCode::SUCCESS);
    }
}

fn wire_of(socket: &SocketRef) -> Arc<Wire> {
    Arc::clone(socket.req_parts().extensions.get::<WireSlot>().expect("a session has a wire").wire())
}

/// Emits `count` events of 32 KiB, as fast as it can.
fn flood(socket: &SocketRef, count: usize) {
    let (wire, text) = (wire_of(socket), "x".repeat(32 << 10));
    for _ in 0..count {
        wire.queued(text.len());
        if socket.emit("flood", &text).is_err() {
            wire.kill(KillReason::SlowReader);
        }
    }
}

/// Polls, and runs `then` while the poll waits in the engine.
pub async fn while_polling(client: &Polling, wire: &Wire, then: impl Future<Output = ()>) -> Answer {
    let stalled = || !wire.stalled_for(Instant::now()).is_zero();
    wire.queued(1);
    eventually("something seems to wait", || stalled().then_some(())).await;
    let waiting = eventually("the poll waits", || (!stalled()).then_some(()));
    let (answer, ()) = tokio::join!(client.get(), async {
        waiting.await;
        then.await;
    });
    answer
}

pub async fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(start.elapsed() < DEADLINE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
