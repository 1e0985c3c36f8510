//! A WebSocket client of bytes: it reads as little at a time as a test wants, and believes nothing.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::super::app::DEADLINE;

pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;

pub struct Raw {
    stream: TcpStream,
    read: Vec<u8>,
    /// Most bytes that one read takes.
    pub step: usize,
}

impl Raw {
    /// Opens a session with a small receive buffer and joins the main namespace.
    pub async fn connect(address: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut stream = socket.connect(address.parse().unwrap()).await.unwrap();
        let request = format!(
            "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut raw = Self { stream, read: Vec::new(), step: 1 };
        while !raw.read.ends_with(b"\r\n\r\n") {
            assert!(raw.more().await, "an answer to the handshake");
        }
        assert!(raw.read.starts_with(b"HTTP/1.1 101 "));
        raw.read.clear();
        raw.send("40").await;
        loop {
            let (opcode, payload) = raw.next().await.expect("a CONNECT packet");
            if (opcode, payload.starts_with(b"40")) == (TEXT, true) {
                return raw;
            }
        }
    }

    /// Sends a text frame of at most 125 bytes.
    pub async fn send(&mut self, packet: &str) {
        let length = u8::try_from(packet.len()).unwrap();
        assert!(length <= 125);
        let frame = [&[0x80 | TEXT, 0x80 | length, 0, 0, 0, 0], packet.as_bytes()].concat();
        self.stream.write_all(&frame).await.unwrap();
    }

    /// The next frame; `None` when the stream has ended, wherever that is.
    pub async fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some((header, length)) = self.measure()
                && self.read.len() >= header + length
            {
                let opcode = self.read[0] & 0x0f;
                let payload = self.read[header..header + length].to_vec();
                self.read.drain(..header + length);
                return Some((opcode, payload));
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// The next packet or attachment that is no ping, which it answers.
    pub async fn packet(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            let (opcode, payload) = self.next().await?;
            if (opcode, payload.as_slice()) != (TEXT, b"2") {
                return Some((opcode, payload));
            }
            self.send("3").await;
        }
    }

    /// Header and payload of the first frame, which must look like one of a server.
    fn measure(&self) -> Option<(usize, usize)> {
        let [first, second, rest @ ..] = self.read.as_slice() else { return None };
        assert!([TEXT, BINARY, CLOSE].contains(&(first ^ 0x80)), "no frame begins with {first:#x}");
        assert!(*second < 0x80, "a server does not mask");
        match second {
            126 => Some((4, usize::from(u16::from_be_bytes(rest.get(..2)?.try_into().unwrap())))),
            127 => {
                Some((10, usize::try_from(u64::from_be_bytes(rest.get(..8)?.try_into().unwrap())).unwrap()))
            }
            short => Some((2, usize::from(*short))),
        }
    }

    /// False at the end.
    async fn more(&mut self) -> bool {
        let mut buffer = vec![0; self.step];
        let read = tokio::time::timeout(DEADLINE.max(Duration::from_secs(20)), self.stream.read(&mut buffer));
        match read.await.expect("bytes or the end") {
            Ok(count) if count > 0 => {
                self.read.extend_from_slice(&buffer[..count]);
                true
            }
            _ => false,
        }
    }
}
