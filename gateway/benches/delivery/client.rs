//! A Socket.IO client that costs next to nothing, so that the gateway has the machine.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::gateway::SECRET;

/// A connected client.
pub struct Client {
    reader: Reader,
    writer: OwnedWriteHalf,
}

/// Its receiving half.
pub struct Reader {
    stream: OwnedReadHalf,
    buffer: Vec<u8>,
}

impl Client {
    /// Connects a user, and waits until the gateway says that he is.
    pub async fn connect(address: SocketAddr, user: &str) -> Self {
        Self::try_connect(address, user).await.unwrap()
    }

    /// The same, for a client that the gateway may refuse.
    pub async fn try_connect(address: SocketAddr, user: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (reader, writer) = stream.into_split();
        let mut client = Self { reader: Reader { stream: reader, buffer: Vec::new() }, writer };
        let request = format!(
            "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        client.writer.write_all(request.as_bytes()).await?;
        client.reader.skip_head().await?;
        client.send(&format!("40{}", json!({"token": token(user)}))).await?;
        client.wait_for("42[\"session:ready\"").await?;
        Ok(client)
    }

    /// Sends a packet.
    pub async fn send(&mut self, packet: &str) -> io::Result<()> {
        send(&mut self.writer, packet).await
    }

    /// Reads until a packet begins so; answers pings meanwhile.
    pub async fn wait_for(&mut self, begin: &str) -> io::Result<()> {
        loop {
            let mut found = false;
            let pinged = self.reader.packets(|packet| found |= packet.starts_with(begin.as_bytes())).await?;
            if pinged {
                self.send("3").await?;
            }
            if found {
                return Ok(());
            }
        }
    }

    /// Its halves.
    pub fn split(self) -> (Reader, OwnedWriteHalf) {
        (self.reader, self.writer)
    }
}

impl Reader {
    async fn skip_head(&mut self) -> io::Result<()> {
        loop {
            self.read().await?;
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                if !self.buffer.starts_with(b"HTTP/1.1 101 ") {
                    return Err(io::Error::other(self.buffer.escape_ascii().to_string()));
                }
                self.buffer.drain(..end + 4);
                return Ok(());
            }
        }
    }

    /// Reads once and hands on what is whole; whether a ping was among it.
    pub async fn packets(&mut self, mut each: impl FnMut(&[u8])) -> io::Result<bool> {
        if self.buffer.is_empty() {
            self.read().await?;
        }
        let mut pinged = false;
        let mut begin = 0;
        while let Some((header, end)) = measure(&self.buffer[begin..]) {
            let packet = &self.buffer[begin + header..begin + end];
            pinged |= packet == b"2";
            each(packet);
            begin += end;
        }
        self.buffer.drain(..begin);
        if begin == 0 {
            self.read().await?;
        }
        Ok(pinged)
    }

    async fn read(&mut self) -> io::Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            return Err(io::Error::other(format!("the gateway hung up: {}", self.buffer.escape_ascii())));
        }
        Ok(())
    }
}

/// Header and end of the first frame, once it is whole.
fn measure(data: &[u8]) -> Option<(usize, usize)> {
    let (header, length) = match data.get(1)? {
        126 => (4, usize::from(u16::from_be_bytes(data.get(2..4)?.try_into().unwrap()))),
        127 => (10, usize::try_from(u64::from_be_bytes(data.get(2..10)?.try_into().unwrap())).unwrap()),
        short => (2, usize::from(*short)),
    };
    (data.len() >= header + length).then_some((header, header + length))
}

/// Sends a packet, masked with zeros.
pub async fn send(writer: &mut OwnedWriteHalf, packet: &str) -> io::Result<()> {
    let mut frame = vec![0x81];
    match u8::try_from(packet.len()) {
        Ok(length @ ..=125) => frame.push(0x80 | length),
        _ => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&u16::try_from(packet.len()).unwrap().to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(packet.as_bytes());
    writer.write_all(&frame).await
}

fn token(user: &str) -> String {
    let claims = json!({"sub": user, "exp": 4_102_444_800_u64});
    encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
}

/// A message's content, 200 bytes that tell when it was sent.
pub fn content(since: Instant) -> String {
    format!("{:<200}", format!("t={};", since.elapsed().as_micros()))
}

/// How long ago the message in a packet was sent; `None` if the packet is none.
pub fn age(packet: &[u8], since: Instant) -> Option<Duration> {
    const BEGIN: &[u8] = b"42[\"message:created\"";
    const TIME: &[u8] = b"\"content\":\"t=";
    let rest = packet.strip_prefix(BEGIN)?;
    let begin = rest.windows(TIME.len()).position(|window| window == TIME)? + TIME.len();
    let digits: String =
        rest[begin..].iter().take_while(|byte| byte.is_ascii_digit()).map(|byte| char::from(*byte)).collect();
    since.elapsed().checked_sub(Duration::from_micros(digits.parse().ok()?))
}
