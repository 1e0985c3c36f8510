//! What is compressed, what is not, and that nothing that is compressed is taken in.

#![cfg(test)]

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    app::{DEADLINE, Gateway, SERVICE_KEY, TestApp},
    client::{Client, token},
    dialect::Folder,
    wire::client::{Polling, http},
};

const GZIP: &str = "Accept-Encoding: gzip\r\n";
/// How a gzip stream begins (RFC 1952, 2.3.1).
const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 8];

/// An answer whose body is no text.
struct Raw {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Raw {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// Whether the body, which has the length of a chunk in front, is gzip.
    fn is_gzip(&self) -> bool {
        self.body.iter().take(16).copied().collect::<Vec<_>>().windows(3).any(|bytes| bytes == GZIP_MAGIC)
    }
}

async fn raw(gateway: &Gateway, method: &str, path: &str, headers: &str, body: &str) -> Raw {
    let mut stream = TcpStream::connect(&gateway.address).await.unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(DEADLINE, stream.read_to_end(&mut answer)).await.expect("an answer").unwrap();
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a whole head");
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Raw { status, head, body: answer[end + 4..].to_vec() }
}

fn backend(more: &str) -> String {
    format!("Authorization: Bearer {SERVICE_KEY}\r\nContent-Type: application/json\r\n{more}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_answers_are_compressed_for_who_takes_it_and_short_ones_for_nobody() {
    let (app, gateway) = TestApp::with_gateway().await;
    let document = "/v1/openapi.json";
    let plain = raw(&gateway, "GET", document, "", "").await;
    assert_eq!((plain.header("content-encoding"), plain.header("vary")), (None, Some("accept-encoding")));
    assert_eq!(plain.header("content-length"), Some(&*plain.body.len().to_string()));
    for (accepted, coding) in
        [("gzip", "gzip"), ("br", "br"), ("gzip, deflate, br", "br"), ("gzip, br;q=0", "gzip")]
    {
        let answer = raw(&gateway, "GET", document, &format!("Accept-Encoding: {accepted}\r\n"), "").await;
        assert_eq!(answer.header("content-encoding"), Some(coding), "{accepted}");
        assert_eq!((answer.header("vary"), answer.header("content-length")), (Some("accept-encoding"), None));
        assert!(answer.body.len() * 3 < plain.body.len(), "{coding}: {}", answer.body.len());
        assert_eq!(answer.is_gzip(), coding == "gzip");
    }
    for none in ["identity", "deflate", "gzip;q=0"] {
        let answer = raw(&gateway, "GET", document, &format!("Accept-Encoding: {none}\r\n"), "").await;
        assert_eq!(
            (answer.header("content-encoding"), answer.body.len()),
            (None, plain.body.len()),
            "{none}"
        );
    }
    let short = raw(&gateway, "GET", "/health", GZIP, "").await;
    assert_eq!(short.header("content-encoding"), None);
    assert!(short.body.starts_with(br#"{"status":"ok""#), "it is not compressed");
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compressed_answer_has_a_tag_of_its_own_that_means_the_same_state() {
    let (app, gateway) = TestApp::with_gateway().await;
    let long = json!({"id": "c", "participants": ["ann"], "metadata": {"text": "x".repeat(2_000)}});
    assert_eq!(gateway.rest("POST", "/v1/conversations", long).await.0, 201);
    let path = "/v1/conversations/c";
    let plain = raw(&gateway, "GET", path, &backend(""), "").await;
    let compressed = raw(&gateway, "GET", path, &backend(GZIP), "").await;
    let (plain, tag) = (plain.header("etag").unwrap(), compressed.header("etag").unwrap());
    assert!(compressed.is_gzip());
    assert_eq!(
        tag,
        format!("{}.gzip\"", plain.strip_suffix('"').unwrap()),
        "other bytes, another strong tag"
    );
    for tag in [plain, tag] {
        let known = format!("If-None-Match: {tag}\r\n{GZIP}");
        let unchanged = raw(&gateway, "GET", path, &backend(&known), "").await;
        assert_eq!(
            (unchanged.status, unchanged.header("etag")),
            (304, Some(tag)),
            "the tag of what they have"
        );
        assert_eq!(unchanged.header("vary"), Some("accept-encoding"));
        assert_eq!(unchanged.header("cache-control"), Some("private, no-cache"));
        assert!(unchanged.body.is_empty());
    }
    let change = format!("If-Match: {tag}\r\n{GZIP}");
    let body = json!({"title": "new"}).to_string();
    assert_eq!(raw(&gateway, "PATCH", path, &backend(&change), &body).await.status, 200);
    assert_eq!(raw(&gateway, "PATCH", path, &backend(&change), &body).await.status, 412);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_polling_answers_are_compressed() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann", "bob"]).await;
    let ann = Client::connect(&gateway, "ann").await;
    let bob = Polling::connect_with(&gateway.address, &json!({"token": token("bob")}).to_string()).await;
    bob.post(r#"420["conversation:join",{"conversationId":"c"}]"#).await;
    assert!(bob.gets("430[").await);
    let content = "long ".repeat(10_000);
    ann.send("c", &content).await;
    let answer = loop {
        let answer = raw(&gateway, "GET", &bob.path("polling"), GZIP, "").await;
        assert_eq!(answer.status, 200);
        if answer.header("content-encoding").is_some() {
            break answer;
        }
        assert!(answer.body.len() < 1024, "what is not compressed is short: {}", answer.body.len());
    };
    assert!(answer.is_gzip() && answer.body.len() < content.len() / 10, "{}", answer.body.len());
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=UTF-8"));
    assert_eq!(answer.header("content-length"), None);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_never_compressed_whole_or_in_part() {
    let folder = Folder::with(&[]);
    let app = TestApp::new().await;
    let store = format!("file://{}", folder.0.display());
    let gateway = app.gateway(&[("uploads.store", &store)]).await;
    let text = "a long text that could well be shorter\n".repeat(100);
    let form = format!(
        "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\n{text}\r\n--b--\r\n"
    );
    let user = format!("Authorization: Bearer {}\r\n", token("ann"));
    let headers = format!("{user}Content-Type: multipart/form-data; boundary=b\r\n");
    let sent = http(&gateway.address, "POST", "/v1/uploads", &headers, &form).await;
    assert_eq!(sent.status, 201, "{}", sent.body);
    let sent: Value = serde_json::from_str(&sent.body).unwrap();
    let (path, both) = (sent["url"].as_str().unwrap(), format!("{user}Accept-Encoding: gzip, br\r\n"));
    let whole = raw(&gateway, "GET", path, &both, "").await;
    assert_eq!((whole.status, whole.header("content-encoding")), (200, None));
    assert_eq!((&*whole.body, whole.header("accept-ranges")), (text.as_bytes(), Some("bytes")));
    assert_eq!(whole.header("content-length"), Some(&*text.len().to_string()));
    let part = raw(&gateway, "GET", path, &format!("{both}Range: bytes=10-2009\r\n"), "").await;
    assert_eq!((part.status, part.header("content-encoding")), (206, None));
    assert_eq!(&*part.body, &text.as_bytes()[10..2010]);
    let tag = whole.header("etag").unwrap();
    let again = raw(&gateway, "GET", path, &format!("{both}If-None-Match: {tag}\r\n"), "").await;
    assert_eq!(again.status, 304);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_compressed_is_taken_nowhere() {
    let (app, gateway) = TestApp::with_gateway().await;
    let encoded = |coding: &str| backend(&format!("Content-Encoding: {coding}\r\n"));
    for path in ["/v1/conversations", "/v1/conversations/c/messages", "/v1/uploads"] {
        for coding in ["gzip", "br", "deflate", "identity, gzip"] {
            let answer =
                http(&gateway.address, "POST", path, &encoded(coding), "{\"participants\":[]}").await;
            let problem: Value = serde_json::from_str(&answer.body).unwrap();
            assert_eq!(
                (answer.status, &problem["code"]),
                (415, &json!("unsupported_encoding")),
                "{path} {coding}"
            );
            assert_eq!(answer.header("accept-encoding"), Some("identity"));
        }
    }
    let body = "{\"participants\":[]}";
    let plain = http(&gateway.address, "POST", "/v1/conversations", &encoded("identity"), body).await;
    assert_eq!(plain.status, 201);
    // A polling client is told, and may go on.
    let auth = json!({"token": token("ann")}).to_string();
    let client = Polling::connect_with(&gateway.address, &auth).await;
    let path = client.path("polling");
    let refused = http(&gateway.address, "POST", &path, "Content-Encoding: gzip\r\n", "42[\"ping\"]").await;
    assert_eq!(refused.status, 415, "{}", refused.body);
    assert!(refused.body.contains("Content-Encoding not supported"));
    assert_eq!(client.post("421[\"ping\"]").await.body, "ok");
    assert!(client.gets("431[").await);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_is_not_compressed_though_the_client_offers_it() {
    let (app, gateway) = TestApp::with_gateway().await;
    let mut stream = TcpStream::connect(&gateway.address).await.unwrap();
    let request = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\nAccept-Encoding: gzip, br\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        let read = tokio::time::timeout(DEADLINE, stream.read_buf(&mut answer)).await.expect("an answer");
        assert!(read.unwrap() > 0, "the head ends");
    }
    let head = String::from_utf8_lossy(&answer).to_lowercase();
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(!head.contains("sec-websocket-extensions") && !head.contains("content-encoding"), "{head}");
    // A frame that says it is compressed (RSV1) ends the connection.
    stream.write_all(&[0xc1, 0x81, 0, 0, 0, 0, b'2']).await.unwrap();
    let mut rest = Vec::new();
    tokio::time::timeout(DEADLINE, stream.read_to_end(&mut rest)).await.expect("the connection ends").ok();
    app.end().await;
}
