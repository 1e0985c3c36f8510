//! Who floods: one process that does one thing as fast as it can, until it is ended.

use std::{net::SocketAddr, time::Duration};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use super::client::{self, Client};

/// Connections that flood at the same time.
const CONNECTIONS: usize = 10;
/// Connections of floods that only hold what they have.
const HELD: usize = 1_000;
/// How long a connection that was refused waits before it tries again.
const PAUSE: Duration = Duration::from_millis(5);
/// A WebSocket frame's header that announces 64 MB of text, masked with zeros.
const HUGE_FRAME: [u8; 14] = [0x81, 0xff, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0];
const UPGRADE: &str = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const OPEN: &str = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// What somebody floods with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attack {
    /// Messages beyond every limit.
    Messages,
    /// Events that nobody knows.
    UnknownEvents,
    /// Joining and leaving.
    Joins,
    /// Typing.
    Typing,
    /// Acknowledgements that nobody asked for.
    Acknowledgements,
    /// Binary packets whose attachments never come.
    Attachments,
    /// Connections with a forged token, one after the other.
    Connects,
    /// Polling sessions that are opened and left.
    Opens,
    /// Requests whose head never ends.
    HalfOpen,
    /// Frames of 64 MB.
    HugeFrames,
    /// Readers of a busy conversation who stop reading.
    SlowReaders,
}

impl Attack {
    pub const ALL: &[Attack] = &[
        Attack::Messages,
        Attack::UnknownEvents,
        Attack::Joins,
        Attack::Typing,
        Attack::Acknowledgements,
        Attack::Attachments,
        Attack::Connects,
        Attack::Opens,
        Attack::HalfOpen,
        Attack::HugeFrames,
        Attack::SlowReaders,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Attack::Messages => "messages",
            Attack::UnknownEvents => "unknown-events",
            Attack::Joins => "joins",
            Attack::Typing => "typing",
            Attack::Acknowledgements => "acknowledgements",
            Attack::Attachments => "attachments",
            Attack::Connects => "connects",
            Attack::Opens => "opens",
            Attack::HalfOpen => "half-open",
            Attack::HugeFrames => "huge-frames",
            Attack::SlowReaders => "slow-readers",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|attack| attack.name() == name)
    }

    /// Floods until the process is ended.
    pub async fn run(self, address: SocketAddr) {
        let mut floods = JoinSet::new();
        let count = if matches!(self, Attack::HalfOpen) { HELD } else { CONNECTIONS };
        for number in 0..count {
            floods.spawn(self.repeat(address, number));
        }
        floods.join_all().await;
    }

    async fn repeat(self, address: SocketAddr, number: usize) {
        loop {
            // A connection that the gateway ends is followed by the next one.
            let _ended = self.once(address, number).await;
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn once(self, address: SocketAddr, number: usize) -> std::io::Result<()> {
        match self {
            Attack::Connects => connect(address).await,
            Attack::Opens => open(address).await,
            Attack::HalfOpen => hold(address).await,
            Attack::HugeFrames => huge_frames(address).await,
            Attack::SlowReaders => slow_reader(address, number).await,
            _ => self.packets(address, number).await,
        }
    }

    /// The packet with this number, for floods that are packets of a connected client.
    fn packet(self, number: u64) -> String {
        let conversation = format!("flood-{}", number % 1_000);
        let event = |name: &str, payload| format!("42{}", json!([name, payload]));
        match self {
            Attack::UnknownEvents => event("no:such:event", json!({"a": number})),
            Attack::Joins if number.is_multiple_of(2) => {
                event("conversation:join", json!({"conversationId": conversation}))
            }
            Attack::Joins => event("conversation:leave", json!({"conversationId": conversation})),
            Attack::Typing => event("typing:start", json!({"conversationId": conversation})),
            Attack::Acknowledgements => format!("43{number}[{{}}]"),
            Attack::Attachments => "451-[\"message:send\",{\"_placeholder\":true,\"num\":0}]".to_owned(),
            _ => event("message:send", json!({"conversationId": conversation, "content": "x"})),
        }
    }

    async fn packets(self, address: SocketAddr, number: usize) -> std::io::Result<()> {
        let client = Client::try_connect(address, &format!("mallory-{number}")).await?;
        let (mut reader, mut writer) = client.split();
        let write = async {
            for number in 0.. {
                client::send(&mut writer, &self.packet(number)).await?;
            }
            Ok(())
        };
        // It reads, so that it is not given up as one that does not.
        let read = async {
            loop {
                reader.packets(|_| ()).await?;
            }
        };
        tokio::select! {
            ended = write => ended,
            ended = read => ended,
        }
    }
}

async fn connect(address: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(UPGRADE.as_bytes()).await?;
    let mut answer = [0; 1_024];
    let _bytes = stream.read(&mut answer).await?;
    let packet = "40{\"token\":\"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.AAAA\"}";
    stream.write_all(&[0x81, 0x80 | packet.len() as u8, 0, 0, 0, 0]).await?;
    stream.write_all(packet.as_bytes()).await?;
    let _bytes = stream.read(&mut answer).await?;
    Ok(())
}

async fn open(address: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(OPEN.as_bytes()).await?;
    stream.read_to_end(&mut Vec::new()).await?;
    Ok(())
}

async fn hold(address: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nX-Slow: ").await?;
    let _bytes = stream.read(&mut [0; 64]).await?;
    Ok(())
}

async fn huge_frames(address: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(UPGRADE.as_bytes()).await?;
    let _bytes = stream.read(&mut [0; 1_024]).await?;
    stream.write_all(&HUGE_FRAME).await?;
    let piece = vec![b'a'; 64 << 10];
    for _ in 0..1_024 {
        stream.write_all(&piece).await?;
    }
    Ok(())
}

/// The first one writes, within the limits; the others have joined and read nothing.
async fn slow_reader(address: SocketAddr, number: usize) -> std::io::Result<()> {
    let mut client = Client::try_connect(address, &format!("mallory-{number}")).await?;
    client.send("420[\"conversation:join\",{\"conversationId\":\"flood\"}]").await?;
    client.wait_for("430[").await?;
    let (_reader, mut writer) = client.split();
    let content = "x".repeat(60_000);
    let message = format!("42{}", json!(["message:send", {"conversationId": "flood", "content": content}]));
    loop {
        tokio::time::sleep(Duration::from_millis(60)).await;
        let packet = if number == 0 { message.as_str() } else { "3" };
        client::send(&mut writer, packet).await?;
    }
}
