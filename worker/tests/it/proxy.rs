//! A way to Postgres that can be cut.

use std::sync::{Arc, Mutex};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Open,
    /// Connections end, and new ones are refused.
    Cut,
    /// Connections stand, and nothing passes: as when the machine behind them vanished.
    Frozen,
}

/// Listens on a port and passes everything on, until it is cut.
pub struct Proxy {
    url: String,
    way: watch::Sender<Way>,
    tasks: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl Proxy {
    /// A proxy before the server of this URL (`postgres://user@host:port/database`).
    pub async fn before(url: &str) -> Self {
        let (head, database) = url.rsplit_once('/').unwrap();
        let (user, server) = head.rsplit_once('@').unwrap();
        let server = server.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{user}@{}/{database}", listener.local_addr().unwrap());
        let (way, state) = watch::channel(Way::Open);
        let tasks = Arc::new(Mutex::new(Vec::new()));
        let proxy = Self { url, way, tasks: Arc::clone(&tasks) };
        let accepting = accept(listener, server, state, Arc::clone(&tasks));
        #[expect(clippy::disallowed_methods, reason = "a test's own task, ended with the proxy")]
        let accepting = tokio::spawn(accepting);
        tasks.lock().unwrap().push(accepting);
        proxy
    }

    /// The URL that leads through it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ends every connection, and refuses new ones.
    pub fn cut(&self) {
        self.way.send_replace(Way::Cut);
    }

    /// Lets every connection stand, the new ones too, and passes nothing on.
    pub fn freeze(&self) {
        self.way.send_replace(Way::Frozen);
    }

    /// Passes what comes on new connections on again. A frozen one stays dead.
    pub fn mend(&self) {
        self.way.send_replace(Way::Open);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        for task in self.tasks.lock().unwrap().drain(..) {
            task.abort();
        }
    }
}

async fn accept(
    listener: TcpListener,
    server: String,
    state: watch::Receiver<Way>,
    tasks: Arc<Mutex<Vec<JoinHandle<()>>>>,
) {
    loop {
        let (mut client, _) = listener.accept().await.unwrap();
        if *state.borrow() == Way::Cut {
            continue;
        }
        let (server, mut state) = (server.clone(), state.clone());
        let passing = async move {
            let Ok(mut server) = TcpStream::connect(server).await else { return };
            tokio::select! {
                _ = copy_bidirectional(&mut client, &mut server), if *state.borrow() == Way::Open => {}
                _ = wait_for(&mut state, |way| way != Way::Open) => {}
            }
            if *state.borrow() == Way::Frozen {
                wait_for(&mut state, |way| way == Way::Cut).await;
            }
        };
        #[expect(clippy::disallowed_methods, reason = "a test's own task, ended with the proxy")]
        let passing = tokio::spawn(passing);
        tasks.lock().unwrap().push(passing);
    }
}

async fn wait_for(state: &mut watch::Receiver<Way>, is: impl Fn(Way) -> bool) {
    let _ = state.wait_for(|way| is(*way)).await;
}
