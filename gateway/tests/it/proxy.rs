//! A way to Redis or Postgres that can be cut, frozen, or made to lose what Redis publishes.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use parlance_chassis::lifecycle::CancellationToken;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

use crate::app::eventually;

/// What the way does with connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Open,
    /// Ends those there are and refuses new ones.
    Cut,
    /// Lets nothing through, and tells nobody.
    Frozen,
}

/// Listens on a port and passes everything on.
pub struct Proxy {
    url: String,
    mode: watch::Sender<Mode>,
    connections: Arc<Mutex<Vec<Arc<Connection>>>>,
    _accepting: JoinSet<()>,
}

/// What is known of one connection.
#[derive(Default)]
struct Connection {
    /// It sent a `SSUBSCRIBE`.
    subscribes: AtomicBool,
    /// What the server says is thrown away.
    is_deaf: AtomicBool,
    thrown_away: Mutex<Vec<u8>>,
    /// Bytes from the server.
    received: AtomicU64,
    end: CancellationToken,
}

impl Proxy {
    /// A proxy before the server of this URL: `scheme://user@host:port/rest`, of which the user and the rest may
    /// be missing.
    pub async fn before(url: &str) -> Self {
        let parsed = url::Url::parse(url).unwrap();
        let server = format!("{}:{}", parsed.host_str().unwrap(), parsed.port().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (mode, seen) = watch::channel(Mode::Open);
        let connections = Arc::default();
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, server.clone(), seen, Arc::clone(&connections)));
        Self { url: url.replacen(&server, &address, 1), mode, connections, _accepting: accepting }
    }

    /// The URL that leads through it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ends every connection, and refuses new ones.
    pub fn cut(&self) {
        self.mode.send_replace(Mode::Cut);
    }

    /// Stops passing anything on; connections stay as they are.
    pub fn freeze(&self) {
        self.mode.send_replace(Mode::Frozen);
    }

    /// Passes everything on again, also what was held back.
    pub fn mend(&self) {
        self.mode.send_replace(Mode::Open);
    }

    /// Ends the connections that subscribe; new ones are let through.
    pub fn break_subscriber(&self) {
        assert!(!self.subscribers().is_empty(), "somebody subscribes");
        self.break_if_it_subscribes();
    }

    /// The same where there may be none.
    pub fn break_if_it_subscribes(&self) {
        self.subscribers().iter().for_each(|connection| connection.end.cancel());
    }

    /// Throws away what the subscribing connections of now are told, until [`Proxy::hear`].
    pub fn deafen_subscriber(&self) {
        assert!(!self.subscribers().is_empty(), "somebody subscribes");
        self.deafen_if_it_subscribes();
    }

    /// The same where there may be none.
    pub fn deafen_if_it_subscribes(&self) {
        self.subscribers().iter().for_each(|connection| connection.is_deaf.store(true, Ordering::SeqCst));
    }

    /// Waits until this was thrown away.
    pub async fn has_thrown_away(&self, text: &str) {
        eventually("the publication is thrown away", async || {
            let thrown = |connection: &Arc<Connection>| {
                let bytes = connection.thrown_away.lock().unwrap();
                bytes.windows(text.len()).any(|window| window == text.as_bytes())
            };
            self.subscribers().iter().any(thrown).then_some(())
        })
        .await;
    }

    /// Lets them hear again.
    pub fn hear(&self) {
        self.subscribers().iter().for_each(|connection| connection.is_deaf.store(false, Ordering::SeqCst));
    }

    /// How many bytes the subscribing connections were sent so far.
    pub fn bytes_published(&self) -> u64 {
        self.subscribers().iter().map(|connection| connection.received.load(Ordering::SeqCst)).sum()
    }

    fn subscribers(&self) -> Vec<Arc<Connection>> {
        let connections = self.connections.lock().unwrap();
        let live = connections.iter().filter(|connection| !connection.end.is_cancelled());
        live.filter(|connection| connection.subscribes.load(Ordering::SeqCst)).cloned().collect()
    }
}

async fn accept(
    listener: TcpListener,
    server: String,
    mode: watch::Receiver<Mode>,
    connections: Arc<Mutex<Vec<Arc<Connection>>>>,
) {
    let mut passing = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        if *mode.borrow() == Mode::Cut {
            continue;
        }
        let connection = Arc::new(Connection::default());
        connections.lock().unwrap().push(Arc::clone(&connection));
        let (server, mode) = (server.clone(), mode.clone());
        passing.spawn(async move {
            pass(client, &server, mode, &connection).await;
            connection.end.cancel();
        });
    }
}

async fn pass(client: TcpStream, server: &str, mode: watch::Receiver<Mode>, connection: &Connection) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    let (mut client_read, mut client_write) = client.into_split();
    let (mut server_read, mut server_write) = server.into_split();
    let (mut outbound, mut inbound, mut cut) = (mode.clone(), mode.clone(), mode);
    let asks = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = client_read.read(&mut buffer).await {
            let bytes = &buffer[..read];
            if bytes.windows(10).any(|word| word == b"SSUBSCRIBE") {
                connection.subscribes.store(true, Ordering::SeqCst);
            }
            thawed(&mut outbound).await;
            if server_write.write_all(bytes).await.is_err() {
                return;
            }
        }
    };
    let answers = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = server_read.read(&mut buffer).await {
            connection.received.fetch_add(read as u64, Ordering::SeqCst);
            thawed(&mut inbound).await;
            if connection.is_deaf.load(Ordering::SeqCst) {
                connection.thrown_away.lock().unwrap().extend_from_slice(&buffer[..read]);
                continue;
            }
            if client_write.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = asks => {}
        () = answers => {}
        () = connection.end.cancelled() => {}
        _ = cut.wait_for(|mode| *mode == Mode::Cut) => {}
    }
}

async fn thawed(mode: &mut watch::Receiver<Mode>) {
    let _ = mode.wait_for(|mode| *mode != Mode::Frozen).await;
}
