//! Raw Engine.IO clients: as little as possible between a test and the protocol.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

const DEADLINE: Duration = Duration::from_secs(10);

/// An answer to [`http`].
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: String,
}

impl Answer {
    /// The first header of that name, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).next()
    }

    /// All headers of that name.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        self.head.lines().filter_map(move |line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// One request on a connection of its own. `headers` are whole lines.
pub async fn http(address: &str, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(DEADLINE, stream.read_to_string(&mut answer)).await.expect("an answer").unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a whole answer");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// A polling client.
pub struct Polling {
    address: String,
    sid: String,
}

impl Polling {
    /// Opens a session.
    pub async fn open(address: &str) -> Self {
        let open = http(address, "GET", "/socket.io/?EIO=4&transport=polling", "", "").await;
        let sid = open.body.split('"').nth(3).expect("a session id").to_owned();
        Self { address: address.to_owned(), sid }
    }

    /// Opens a session and joins the main namespace.
    pub async fn connect(address: &str) -> Self {
        Self::connect_with(address, "").await
    }

    /// Opens a session and joins the main namespace with this `auth`.
    pub async fn connect_with(address: &str, auth: &str) -> Self {
        let client = Self::open(address).await;
        assert_eq!(client.post(&format!("40{auth}")).await.body, "ok");
        assert!(client.gets("40{").await);
        client
    }

    pub fn path(&self, transport: &str) -> String {
        format!("/socket.io/?EIO=4&transport={transport}&sid={}", self.sid)
    }

    pub async fn get(&self) -> Answer {
        http(&self.address, "GET", &self.path("polling"), "", "").await
    }

    pub async fn post(&self, body: &str) -> Answer {
        http(&self.address, "POST", &self.path("polling"), "", body).await
    }

    /// Polls until a packet begins so; false when the session has ended.
    pub async fn gets(&self, packet: &str) -> bool {
        loop {
            let answer = self.get().await;
            if answer.status != 200 {
                return false;
            }
            if answer.body.split('\u{1e}').any(|found| found.starts_with(packet)) {
                return true;
            }
        }
    }

    /// Fetches what is there, so that the next poll waits. The engine's first ping comes right after the open.
    pub async fn drain(&self) {
        self.post(r#"42["echo","drained"]"#).await;
        assert!(self.gets(r#"42["echo","drained"]"#).await);
    }

    /// The same with a command that is acknowledged.
    pub async fn drain_with(&self, command: &str) {
        self.post(&format!(r#"420["{command}",{{}}]"#)).await;
        assert!(self.gets("430[").await);
    }

    /// Polls until the session is closed by a packet that says so; everything that came.
    pub async fn until_closed(&self) -> Vec<String> {
        let mut came: Vec<String> = Vec::new();
        while !came.iter().any(|packet| packet == "1") {
            let answer = self.get().await;
            assert_eq!(answer.status, 200, "{} after {came:?}", answer.body);
            came.extend(answer.body.split('\u{1e}').map(str::to_owned));
        }
        came
    }

    /// Opens a WebSocket for this session and probes it; the `5` is left to the test.
    pub async fn upgrade(&self) -> Result<Ws, u16> {
        let mut ws = Ws::open(&self.address, &self.path("websocket"), "").await?;
        ws.send("2probe").await;
        assert_eq!(ws.next().await.unwrap(), "3probe");
        Ok(ws)
    }
}

/// A WebSocket client.
pub struct Ws {
    stream: WebSocketStream<TcpStream>,
    close_code: Option<u16>,
}

impl Ws {
    /// Opens a session and joins the main namespace.
    pub async fn connect(address: &str) -> Self {
        Self::open(address, "/socket.io/?EIO=4&transport=websocket", "").await.unwrap().joined().await
    }

    /// The WebSocket handshake; the HTTP status when it is refused.
    pub async fn open(address: &str, path: &str, headers: &str) -> Result<Self, u16> {
        let stream = TcpStream::connect(address).await.unwrap();
        let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
        for (name, value) in headers.lines().filter_map(|line| line.split_once(": ")) {
            let name: http::HeaderName = name.parse().unwrap();
            // There can be only one.
            if name == http::header::HOST {
                request.headers_mut().remove(&name);
            }
            request.headers_mut().append(name, value.parse().unwrap());
        }
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((stream, _)) => Ok(Self { stream, close_code: None }),
            Err(Error::Http(refused)) => Err(refused.status().as_u16()),
            Err(error) => panic!("no answer: {error}"),
        }
    }

    /// Joins the main namespace.
    pub async fn joined(mut self) -> Self {
        assert!(self.next().await.unwrap().starts_with("0{"));
        self.send("40").await;
        assert!(self.next().await.unwrap().starts_with("40{"));
        self
    }

    pub async fn send(&mut self, packet: &str) {
        self.stream.send(Message::text(packet)).await.unwrap();
    }

    /// The same on a connection that may have ended; false when it has.
    pub async fn try_send(&mut self, packet: &str) -> bool {
        self.stream.send(Message::text(packet)).await.is_ok()
    }

    /// The next packet that is no ping; `None` when the connection has ended.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            match tokio::time::timeout(DEADLINE, self.stream.next()).await.expect("a packet or the end")? {
                Ok(Message::Text(text)) if text.as_str() == "2" => self.send("3").await,
                Ok(Message::Text(text)) => return Some(text.to_string()),
                Ok(Message::Close(frame)) => self.close_code = frame.map(|frame| frame.code.into()),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }

    /// The connection, for a client that does more.
    pub fn into_stream(self) -> WebSocketStream<TcpStream> {
        self.stream
    }

    /// The code of the close frame, after the end.
    pub fn close_code(&self) -> Option<u16> {
        self.close_code
    }
}
