//! Bytes that no client would send, on raw connections: whoever sends them loses his own connection at most, and another
//! client of the same gateway is answered all the while.

#![cfg(test)]

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    app::{DEADLINE, Gateway, TestApp, eventually},
    client::{Client, token},
    wire::client::{Polling, Ws},
};

pub const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;

/// A WebSocket whose frames the test writes byte by byte.
pub struct Raw(TcpStream);

impl Raw {
    /// Shakes hands, and leaves what the gateway says first unread.
    pub async fn open(gateway: &Gateway) -> Self {
        let mut stream = TcpStream::connect(&gateway.address).await.unwrap();
        let request = format!(
            "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            gateway.address
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut raw = Self(stream);
        raw.until("\r\n\r\n").await;
        raw
    }

    /// The same, connected as this user.
    pub async fn connect(gateway: &Gateway, user: &str) -> Self {
        let mut raw = Self::open(gateway).await;
        raw.send(TEXT, format!("40{}", json!({"token": token(user)})).as_bytes()).await;
        raw.until("session:ready").await;
        raw
    }

    /// A whole frame. Its mask is all zeros, so that the bytes are what they are.
    pub async fn send(&mut self, kind: u8, payload: &[u8]) {
        self.announce(kind, payload.len() as u64).await;
        self.write(payload).await;
    }

    /// The head of a frame, whatever follows.
    pub async fn announce(&mut self, kind: u8, length: u64) {
        let mut head = vec![kind, 0x80 | 127];
        head.extend_from_slice(&length.to_be_bytes());
        head.extend_from_slice(&[0; 4]);
        self.write(&head).await;
    }

    /// What cannot be written any more shows as the end of the connection.
    pub async fn write(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes).await;
    }

    /// Reads until a text has come.
    pub async fn until(&mut self, text: &str) {
        let mut seen = Vec::new();
        let read = async {
            while !String::from_utf8_lossy(&seen).contains(text) {
                let count = self.0.read_buf(&mut seen).await.unwrap();
                assert_ne!(count, 0, "{}", String::from_utf8_lossy(&seen));
            }
        };
        timeout(DEADLINE, read).await.expect("it comes");
    }

    /// Waits for the end of the connection.
    pub async fn ended(mut self) {
        let mut rest = Vec::new();
        // A reset is an end as well.
        timeout(DEADLINE, self.0.read_to_end(&mut rest)).await.expect("the gateway hangs up").ok();
    }
}

/// A gateway with somebody else on it.
async fn started() -> (TestApp, Gateway, Client) {
    let (app, gateway) = TestApp::with_gateway().await;
    let other = Client::connect(&gateway, "other").await;
    (app, gateway, other)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_of_64_megabytes_ends_the_connection_when_it_is_announced() {
    let (app, gateway, other) = started().await;
    let mut raw = Raw::connect(&gateway, "ann").await;
    // Not one byte of it follows.
    raw.announce(TEXT, 64 << 20).await;
    raw.ended().await;
    let mut raw = Raw::connect(&gateway, "ann").await;
    raw.announce(BINARY, u64::MAX).await;
    raw.ended().await;
    other.ping().await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_of_many_fragments_ends_the_connection_when_it_is_too_large() {
    let (app, gateway, other) = started().await;
    let mut raw = Raw::connect(&gateway, "ann").await;
    let fragment = vec![b'x'; 256 << 10];
    raw.send(0x01, &fragment).await;
    for _ in 0..16 {
        raw.send(0x00, &fragment).await;
    }
    raw.ended().await;
    other.ping().await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_packet_ends_that_connection_alone() {
    let (app, gateway, other) = started().await;
    let frames: &[(&str, u8, &[u8])] = &[
        ("no UTF-8", TEXT, b"42[\"ping\",\"\xff\xfe\"]"),
        ("UTF-8 that is cut off", TEXT, b"42[\"\xe2\x82"),
        ("nothing", TEXT, b""),
        ("a message that is empty", TEXT, b"4"),
        ("an unknown packet of the engine", TEXT, b"9"),
        ("an unknown packet", TEXT, b"49[\"ping\"]"),
        ("an event without a name", TEXT, b"42"),
        ("an event that is cut off", TEXT, b"42[\"ping\",{\"a\":"),
        ("an event whose name is no text", TEXT, b"42[7]"),
        ("an acknowledgement without a number", TEXT, b"43[]"),
        ("an open packet", TEXT, b"0{\"sid\":\"x\"}"),
        ("a reserved bit", 0xc1, b"42[\"ping\"]"),
        ("a reserved opcode", 0x83, b""),
        ("a ping of the WebSocket that is too long", 0x89, &[0; 200]),
        ("a continuation of nothing", 0x80, b"2"),
        ("an attachment of nothing", BINARY, b"\x00\x01"),
    ];
    for (what, kind, payload) in frames {
        let mut raw = Raw::connect(&gateway, "ann").await;
        raw.send(*kind, payload).await;
        // Either the connection ends, or the event is refused; it answers in no other way.
        raw.send(TEXT, b"421[\"no:such:event\"]").await;
        let mut seen = Vec::new();
        let read = async {
            loop {
                let count = raw.0.read_buf(&mut seen).await.unwrap_or(0);
                if count == 0 || String::from_utf8_lossy(&seen).contains("431[{\"ok\":false") {
                    break;
                }
            }
        };
        timeout(DEADLINE, read).await.unwrap_or_else(|_| panic!("{what}: nothing happens"));
        other.ping().await;
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_that_is_cut_off_leaves_nothing_behind() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("limits.connections_per_user", "1")]).await;
    let other = Client::connect(&gateway, "other").await;
    let mut raw = Raw::connect(&gateway, "ann").await;
    raw.announce(TEXT, 1_000).await;
    raw.write(b"42[\"ping\"").await;
    other.ping().await;
    drop(raw);
    // The place of the only socket that she may have is free again.
    let auth = json!({"token": token("ann")});
    let path = "/socket.io/?EIO=4&transport=websocket";
    let again = async || Client::try_connect(&gateway, path, "", auth.clone()).await.ok();
    eventually("she is gone", again).await.ping().await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attachments_that_are_announced_and_never_come_hold_up_nobody_else() {
    let (app, gateway, other) = started().await;
    let announced = b"451-[\"message:send\",{\"_placeholder\":true,\"num\":0}]";
    // Nothing follows: the connection goes on, with this one packet kept.
    let mut waiting = Raw::connect(&gateway, "ann").await;
    waiting.send(TEXT, announced).await;
    // Something else follows.
    for then in [&b"42[\"ping\",{}]"[..], announced, b"41", b"40"] {
        let mut raw = Raw::connect(&gateway, "ann").await;
        raw.send(TEXT, announced).await;
        raw.send(TEXT, then).await;
        raw.ended().await;
        other.ping().await;
    }
    // At last it comes after all: the event is refused, as no command takes any.
    waiting.send(BINARY, b"late").await;
    waiting.send(TEXT, b"421[\"ping\",{}]").await;
    waiting.until("431[{\"ok\":true").await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_attachments_than_anybody_needs_end_the_connection_when_they_are_announced() {
    let (app, gateway, other) = started().await;
    for count in ["17", "4999999", "18446744073709551615", "99999999999999999999999999"] {
        let mut raw = Raw::connect(&gateway, "ann").await;
        raw.send(TEXT, format!("45{count}-[\"echo\",{{\"_placeholder\":true,\"num\":0}}]").as_bytes()).await;
        raw.ended().await;
        other.ping().await;
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attachments_that_are_too_large_together_end_the_connection() {
    let (app, gateway, other) = started().await;
    let mut raw = Raw::connect(&gateway, "ann").await;
    raw.send(TEXT, b"4516-[\"echo\",{\"_placeholder\":true,\"num\":0}]").await;
    let part = vec![0; 1 << 20];
    for _ in 0..3 {
        raw.send(BINARY, &part).await;
    }
    raw.ended().await;
    other.ping().await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledgements_that_nobody_asked_for_and_unknown_namespaces_are_ignored() {
    let (app, gateway, other) = started().await;
    let mut raw = Raw::connect(&gateway, "ann").await;
    for n in 0..2_000 {
        raw.send(TEXT, format!("43{n}[]").as_bytes()).await;
        raw.send(TEXT, b"42/nowhere,[\"ping\"]").await;
    }
    raw.send(TEXT, b"421[\"ping\",{}]").await;
    raw.until("431[{\"ok\":true").await;
    other.ping().await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_never_connects_to_a_namespace_is_ended() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("socket.connect_timeout", "300ms")]).await;
    let other = Client::connect(&gateway, "other").await;
    let mut held = Vec::new();
    for _ in 0..50 {
        held.push(Raw::open(&gateway).await);
    }
    let polling = Polling::open(&gateway.address).await;
    // A refused CONNECT is none.
    let mut refused = Raw::open(&gateway).await;
    refused.send(TEXT, b"40{\"token\":\"forged\"}").await;
    refused.until("token_malformed").await;
    for raw in held.into_iter().chain([refused]) {
        raw.ended().await;
    }
    eventually("the polling session ends", async || (polling.get().await.status == 400).then_some(())).await;
    other.ping().await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_polls_at_once_end_that_session_alone() {
    let (app, gateway, other) = started().await;
    let auth = json!({"token": token("ann")}).to_string();
    let ann = Polling::connect_with(&gateway.address, &auth).await;
    assert!(ann.gets("42[\"session:ready\"").await);
    let statuses = eventually("two polls meet", async || {
        let (one, two) = tokio::join!(ann.get(), ann.get());
        let statuses = [one.status, two.status];
        statuses.contains(&400).then_some(statuses)
    })
    .await;
    assert!(statuses.contains(&200) || statuses == [400, 400], "{statuses:?}");
    eventually("the session is gone", async || (ann.get().await.status == 400).then_some(())).await;
    other.ping().await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_posts_at_once_are_both_taken_in() {
    let (app, gateway, other) = started().await;
    let auth = json!({"token": token("ann")}).to_string();
    let ann = Polling::connect_with(&gateway.address, &auth).await;
    for n in (0..40).step_by(2) {
        let body = |n| format!("42{n}[\"ping\",{{}}]");
        let (one, two) = (body(n), body(n + 1));
        let (one, two) = tokio::join!(ann.post(&one), ann.post(&two));
        assert_eq!((one.status, two.status), (200, 200));
    }
    let mut answered = 0;
    while answered < 40 {
        let polled = ann.get().await;
        assert_eq!(polled.status, 200, "{}", polled.body);
        answered += polled.body.split('\u{1e}').filter(|packet| packet.starts_with("43")).count();
    }
    other.ping().await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_two_posts_at_once_are_refused_and_the_session_goes_on() {
    let (app, gateway, other) = started().await;
    let auth = json!({"token": token("ann")}).to_string();
    let ann = Polling::connect_with(&gateway.address, &auth).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(&gateway.address).await.unwrap();
        let path = ann.path("polling");
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n42");
        stream.write_all(head.as_bytes()).await.unwrap();
        held.push(stream);
    }
    let post = async || ann.post("42[\"ping\",{}]").await.status;
    eventually("two bodies are waited for", async || (post().await == 400).then_some(())).await;
    // They are given up.
    drop(held);
    eventually("there is room again", async || (post().await == 200).then_some(())).await;
    other.ping().await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_that_is_no_payload_ends_that_session_alone() {
    let (app, gateway, other) = started().await;
    for body in ["\u{1e}\u{1e}", "9", "42[\"ping\"", "b!!!", "0"] {
        let auth = json!({"token": token("ann")}).to_string();
        let ann = Polling::connect_with(&gateway.address, &auth).await;
        let status = ann.post(body).await.status;
        assert!(status == 200 || status == 400, "{body:?}: {status}");
        other.ping().await;
    }
    // Nor is one whose bytes do not come: it is the client's own connection that waits.
    let slow = async {
        let mut stream = TcpStream::connect(&gateway.address).await.unwrap();
        let head = "POST /socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAA HTTP/1.1\r\n\
                    Host: x\r\nContent-Length: 1000000\r\n\r\n42";
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    };
    let _held = slow.await;
    other.ping().await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_end_in_every_way_leave_no_place_taken() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("limits.connections", "3"), ("socket.connect_timeout", "500ms")]).await;
    let other = Client::connect(&gateway, "other").await;
    let path = "/socket.io/?EIO=4&transport=websocket";
    for round in 0..4 {
        let open = async || Ws::open(&gateway.address, path, "").await.ok();
        let mut raw = eventually("there is a place", open).await;
        match round {
            // It goes without a word, with a frame that is too large, by itself, or is ended for its silence.
            0 => drop(raw),
            1 => {
                // It may be ended while it still writes.
                raw.try_send(&"x".repeat(3 << 20)).await;
            }
            2 => raw.send("1").await,
            _ => while raw.next().await.is_some() {},
        }
    }
    let both = async || {
        let one = Ws::open(&gateway.address, path, "").await.ok()?;
        Some((one, Ws::open(&gateway.address, path, "").await.ok()?))
    };
    eventually("all places but one are free", both).await;
    other.ping().await;
    app.end().await;
}
