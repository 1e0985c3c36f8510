//! What stands in the log of a gateway that says all it can: no token, key or password, and nothing of what people write.

#![cfg(test)]

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{LazyLock, Mutex},
};

use parlance_chassis::clock::Clock;
use serde_json::{Value, json};
use url::Url;

use crate::{
    app::{Gateway, TestApp, eventually},
    client::{Client, assert_refused, token},
    dialect::Folder,
    proxy::Proxy,
    wire::client::{Polling, Ws, http},
};

const JWT_SECRET: &str = "a-marked-jwt-secret-of-more-than-thirty-two-bytes";
const SERVICE_KEY: &str = "a-marked-service-key-of-some-length";
const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";

/// The binary, with all that it logs in a file.
struct Binary {
    child: Mutex<Child>,
    log: PathBuf,
}

impl Binary {
    fn start(folder: &Folder, environment: Vec<(String, String)>) -> Self {
        let log = folder.0.join("log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
        command.arg("run").env_clear().envs(environment).stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.stderr(File::create(&log).unwrap()).spawn().unwrap();
        Self { child: Mutex::new(child), log }
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    fn is_running(&self) -> bool {
        self.child.lock().unwrap().try_wait().unwrap().is_none()
    }

    /// Where it listens, which it says in its log.
    async fn address(&self) -> String {
        eventually("it listens", async || {
            let listening = |line: &str| {
                let line: Value = serde_json::from_str(line).ok()?;
                let is_it = line["message"] == "gateway is listening";
                is_it.then(|| line["address"].as_str().unwrap().to_owned())
            };
            let log = self.log();
            let address = log.lines().find_map(listening);
            assert!(address.is_some() || self.is_running(), "it did not start: {log}");
            address
        })
        .await
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Texts that must not be logged, with what they are.
struct Marks(Vec<(&'static str, String)>);

impl Marks {
    fn add(&mut self, what: &'static str, text: impl Into<String>) {
        self.0.push((what, text.into()));
    }

    /// A token: neither what it says nor its signature may be logged.
    fn token(&mut self, what: &'static str, token: &str) {
        for part in token.split('.').skip(1) {
            self.add(what, part);
        }
    }

    fn assert_absent(&self, log: &str) {
        for (what, text) in &self.0 {
            let bytes = format!("{:?}", text.as_bytes());
            for shown in [text.as_str(), bytes.trim_matches(['[', ']'])] {
                let line = log.lines().find(|line| line.contains(shown));
                assert!(line.is_none(), "{what} is logged: {:.600}", line.unwrap_or_default());
            }
        }
    }
}

/// A token of this user: the same one every time.
fn marked(user: &str) -> String {
    static END: LazyLock<i64> = LazyLock::new(|| Clock::system().now_ms() / 1_000 + 3_600);
    crate::client::sign(&json!({"sub": user, "exp": *END}), JWT_SECRET)
}

fn with_password(url: &str, user: &str, password: &str) -> String {
    let mut url = Url::parse(url).unwrap();
    url.set_username(user).unwrap();
    url.set_password(Some(password)).unwrap();
    url.into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_secret_is_logged_even_at_the_level_trace() {
    let (files, folder) = (Folder::with(&[]), Folder::with(&[]));
    let app = TestApp::new().await;
    let redis = Proxy::before(&app.redis_url()).await;
    let mut marks = Marks(Vec::new());
    // What the tests' database is, is not for a test to choose; a password in its URL is a mark when it is no usual word.
    let postgres_url = app.database_url();
    let password = Url::parse(&postgres_url).unwrap().password().unwrap_or_default().to_owned();
    if password.len() >= 12 {
        marks.add("the password of Postgres", password);
    }
    // A user of Redis without a password is given with any.
    let redis_url = with_password(redis.url(), "default", "marked-of-redis");
    let store = format!("file://{}", files.0.display());
    let environment = app.environment([
        ("server.host", "127.0.0.1"),
        ("server.port", "0"),
        ("admin.host", "127.0.0.1"),
        ("admin.port", "0"),
        ("redis.url", &*redis_url),
        ("redis.command_deadline", "1s"),
        ("postgres.url", &*postgres_url),
        ("auth.jwt_secret", JWT_SECRET),
        ("auth.service_keys", SERVICE_KEY),
        ("auth.token_cookie", "jwt"),
        ("server.origins", "https://app.example.com"),
        ("uploads.store", &*store),
        ("log.level", "trace"),
        ("log.format", "json"),
    ]);
    for (what, text) in [
        ("the password of Redis", "marked-of-redis"),
        ("the secret of tokens", JWT_SECRET),
        ("a service key", SERVICE_KEY),
    ] {
        marks.add(what, text);
    }
    let binary = Binary::start(&folder, environment);
    let gateway = Gateway::elsewhere(binary.address().await);
    converse(&gateway, &mut marks).await;
    refuse(&gateway, &mut marks).await;
    let ann = connect(&gateway, "ann").await;
    redis.cut();
    marks.add("a message while Redis is away", "marked-without-redis");
    let message = json!({"conversationId": "c", "content": "marked-without-redis"});
    assert_refused(&ann.call("message:send", message).await, "unavailable");
    let body = json!({"content": "marked-without-redis"}).to_string();
    let headers = backend("X-Act-As: ann\r\nIdempotency-Key: marked-idempotency-key\r\n");
    let answer = http(&gateway.address, "POST", "/v1/conversations/c/messages", &headers, &body).await;
    assert_eq!(answer.status, 503, "{}", answer.body);
    marks.add("an idempotency key", "marked-idempotency-key");
    let log = binary.log();
    assert!(log.contains("\"level\":\"DEBUG\"") && log.contains("\"message\":\"connect\""), "it says a lot");
    assert!(log.contains("\"result\":\"token_invalid\""), "the log has what was refused");
    marks.assert_absent(&log);
    app.end().await;
}

fn backend(more: &str) -> String {
    format!("Authorization: Bearer {SERVICE_KEY}\r\nContent-Type: application/json\r\n{more}")
}

async fn connect(gateway: &Gateway, user: &str) -> Client {
    Client::try_connect(gateway, WEBSOCKET, "", json!({"token": marked(user)})).await.unwrap()
}

/// Says what must not be logged wherever something can be said.
async fn converse(gateway: &Gateway, marks: &mut Marks) {
    let body = json!({"id": "c", "title": "marked-title", "participants": ["ann", "bob"], "metadata": {"a": "marked-metadata"}});
    marks.add("a title", "marked-title");
    marks.add("metadata", "marked-metadata");
    let answer = http(&gateway.address, "POST", "/v1/conversations", &backend(""), &body.to_string()).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    // A token in each of its places.
    for (what, headers, query, auth) in [
        ("a token in auth", String::new(), String::new(), json!({"token": marked("bob")})),
        (
            "a token in a header",
            format!("Authorization: Bearer {}\r\n", marked("carl")),
            String::new(),
            json!({}),
        ),
        ("a token in a cookie", format!("Cookie: jwt={}\r\n", marked("dora")), String::new(), json!({})),
        ("a token in the query", String::new(), format!("&token={}", marked("eve")), json!({})),
    ] {
        Client::try_connect(gateway, &format!("{WEBSOCKET}{query}"), &headers, auth).await.expect(what);
    }
    for user in ["ann", "bob", "carl", "dora", "eve"] {
        marks.token("a token", &marked(user));
    }
    let polling = Polling::connect_with(&gateway.address, &json!({"token": marked("bob")}).to_string()).await;
    polling.post("421[\"echo\",\"marked-echo-by-polling\"]").await;
    assert!(polling.gets("431[").await);
    marks.add("an event by polling", "marked-echo-by-polling");
    let ann = connect(gateway, "ann").await;
    ann.join("c").await;
    ann.ok("session:authenticate", json!({"token": marked("ann")})).await;
    marks.add("a message", "marked-content");
    let message = json!({"conversationId": "c", "content": "marked-content", "attachments": [{"a": "marked-attachment"}]});
    let sent = ann.ok("message:send", message).await;
    marks.add("an attachment", "marked-attachment");
    marks.add("an edit", "marked-edit");
    ann.ok("message:edit", json!({"messageId": sent["message"]["id"], "content": "marked-edit"})).await;
    ann.ok("echo", json!("marked-echo")).await;
    marks.add("an echo", "marked-echo");
    ann.packet("42[\"marked-unknown-event\",{\"a\":\"marked-payload\"}]").await;
    ann.event("error").await;
    marks.add("the payload of an unknown event", "marked-payload");
    ann.packet("42[\"message:send\",{\"conversationId\":7,\"content\":\"marked-invalid\"}]").await;
    ann.event("error").await;
    marks.add("the payload of a refused command", "marked-invalid");
    let event = json!({"event": "app:x", "data": {"a": "marked-event"}});
    let notification =
        json!({"type": "x", "text": "marked-notification", "data": {"a": "marked-notification"}});
    marks.add("a backend's event", "marked-event");
    marks.add("a notification", "marked-notification");
    for (path, body) in [
        ("/v1/users/bob/notifications", &notification),
        ("/v1/users/bob/events", &event),
        ("/v1/conversations/c/events", &event),
        ("/v1/events", &event),
    ] {
        let answer = http(&gateway.address, "POST", path, &backend(""), &body.to_string()).await;
        assert!(answer.status < 300, "{path}: {} {}", answer.status, answer.body);
    }
    upload(gateway, marks).await;
}

async fn upload(gateway: &Gateway, marks: &mut Marks) {
    let form = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nmarked-file\r\n--b--\r\n";
    let headers = format!(
        "Authorization: Bearer {}\r\nContent-Type: multipart/form-data; boundary=b\r\n",
        marked("ann")
    );
    let answer = http(&gateway.address, "POST", "/v1/uploads", &headers, form).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    marks.add("a file", "marked-file");
    let sent: Value = serde_json::from_str(&answer.body).unwrap();
    let path = format!("{}?token={}", sent["url"].as_str().unwrap(), marked("ann"));
    assert_eq!(http(&gateway.address, "GET", &path, "", "").await.status, 200);
}

/// Shows what is refused, wherever it can be shown.
async fn refuse(gateway: &Gateway, marks: &mut Marks) {
    let foreign = token("mallory");
    marks.token("a token of another issuer", &foreign);
    marks.add("what is no token", "marked-no-token");
    for bad in [&*foreign, "marked-no-token"] {
        let auth = json!({"token": bad});
        assert!(Client::try_connect(gateway, WEBSOCKET, "", auth).await.is_err());
        let path = format!("{WEBSOCKET}&token={bad}");
        assert!(Client::try_connect(gateway, &path, "", json!({})).await.is_err());
        for headers in [format!("Authorization: Bearer {bad}\r\n"), format!("X-Api-Key: {bad}\r\n")] {
            let answer = http(&gateway.address, "GET", "/v1/conversations", &headers, "").await;
            assert_eq!(answer.status, 401);
            assert!(!answer.body.contains(bad), "{}", answer.body);
        }
    }
    marks.add("a body that is refused", "marked-refused");
    for body in
        ["{\"content\": \"marked-refused", "\"marked-refused\"", "{\"content\":{\"a\":\"marked-refused\"}}"]
    {
        let headers = backend("X-Act-As: ann\r\n");
        let answer = http(&gateway.address, "POST", "/v1/conversations/c/messages", &headers, body).await;
        assert_eq!(answer.status, 400, "{}", answer.body);
        assert!(!answer.body.contains("marked-refused"), "{}", answer.body);
    }
    marks.add("rubbish", "marked-rubbish");
    let ann = connect(gateway, "ann").await;
    ann.packet("42[\"marked-rubbish").await;
    ann.ended().await;
    let foreign = "Origin: https://evil.example\r\nCookie: jwt=marked-no-token\r\n";
    assert_eq!(Ws::open(&gateway.address, WEBSOCKET, foreign).await.err(), Some(403));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_does_not_start_says_why_without_its_passwords() {
    let folder = Folder::with(&[]);
    let app = TestApp::new().await;
    let nowhere = "127.0.0.1:1";
    let database = with_password(&app.database_url(), "nobody", "marked-of-postgres");
    for (redis, postgres) in [
        (format!("redis://u:marked-of-redis@{nowhere}"), database.clone()),
        (app.redis_url(), format!("postgres://u:marked-of-postgres@{nowhere}/d")),
        (with_password(&app.redis_url(), "nobody", "marked-of-redis"), database.clone()),
    ] {
        let environment = app.environment([
            ("server.host", "127.0.0.1"),
            ("server.port", "0"),
            ("admin.port", "0"),
            ("redis.url", &*redis),
            ("redis.command_deadline", "1s"),
            ("postgres.url", &*postgres),
            ("auth.jwt_secret", JWT_SECRET),
            ("log.level", "trace"),
        ]);
        let binary = Binary::start(&folder, environment);
        let status =
            eventually("it gives up", async || binary.child.lock().unwrap().try_wait().unwrap()).await;
        assert!(!status.success());
        let log = binary.log();
        assert!(log.contains("failed to start"), "{log}");
        for secret in ["marked-of-redis", "marked-of-postgres", JWT_SECRET] {
            assert!(!log.contains(secret), "{log}");
        }
    }
    app.end().await;
}
