//! REST paths of an application's own, from a dialect's file.

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::{
    app::{Gateway, SERVICE_KEY, TestApp, eventually},
    client::{Client, token},
    dialect::Folder,
    wire::client::{Answer, http},
};

/// Diets are numbers, and so are users.
const DIALECT: &str = r#"
name = "app"
origins = ["https://app.example"]
ids.user.type = "number"
ids.conversation = { type = "number", prefix = "diet_" }
answer.ack = { ok = true }

[failure]
ack = { error = "{message}" }
texts = { not_a_participant = "Not yours", content_blank = "Say something", token_missing = "Who are you?" }

[[route]]
method = "POST"
path = "/api/clients/{cid}/diets/{did}/messages"
command = "message.send"
uploads = ["body.photos[].imageData"]
max_body = "20MB"
fields.conversation = "path.did"
fields.content = "body.content"
fields.attachments = "body.photos"
fields.metadata = { clientId = "path.cid", meal = "body.mealId" }
answer.body.success = true
answer.body.message = { id = "{message.id}", content = "{message.content}", userId = "{message.senderId}", dietId = "{message.conversationId}", "..." = "{message.metadata}", "photos[message.attachments]" = { id = "{id}", imageData = "{url}", uploadedAt = "{createdAt}", expiresAt = "{expiresAt}" } }

[[route]]
method = "GET"
path = "/api/clients/{cid}/diets/{did}/messages"
command = "message.history"
fields.conversation = "path.did"
fields.limit = "query.limit"
answer.body = { success = true, "messages[]" = { content = "{content}", dietId = "{conversationId}" } }

[[route]]
method = "POST"
path = "/api/limited/{did}"
command = "message.send"
quota = "2/h"
fields = { conversation = "path.did", content = "body.content" }
answer = { status = 201, body = { } }
failure = { body = { code = "{code}", wait = "{retryAfterMs}" }, statuses = { content_blank = 422 }, codes = { rate_limited = "SLOW" } }

[[route]]
method = "POST"
path = "/api/notify"
command = "notification.send"
access = "service"
fields = { user = "body.userId", text = "body.text" }
constants.type = "note"
answer.status = 204

[[route]]
method = "GET"
path = "/api/audit/{did}"
command = "message.history"
access = "service"
fields.conversation = "path.did"

[[route]]
method = "GET"
path = "/api/socket"
command = "stats.get"
access = "public"
cors = "*"
cache = "1s"
answer.body = { success = true, connectedSockets = "{connected}" }

[[route]]
method = "GET"
path = "/health"
root = false
command = "ping"
access = "public"
cors = "*"
answer.body = { status = "ok", timestamp = "{time}" }

[[route]]
method = "POST"
path = "/api/upload"
handler = "upload"
answer = { status = 201, body = { uploadId = "{id}", type = "{contentType}" } }
"#;

const MESSAGES: &str = "/api/clients/3/diets/100/messages";
/// A picture of one pixel.
const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// A gateway that stores files in a folder, where 7 and 8 talk in diet 100.
async fn diets() -> (TestApp, Gateway, Folder) {
    let app = TestApp::new().await;
    let folder = Folder::with(&[("app.toml", DIALECT)]);
    let store = format!("file://{}/files", folder.0.display());
    let gateway = app.gateway(&[folder.setting(), ("uploads.store", &store)]).await;
    app.conversation(&gateway, "diet_100", &["7", "8"]).await;
    (app, gateway, folder)
}

async fn request(
    gateway: &Gateway,
    method: &str,
    path: &str,
    headers: &str,
    body: &Value,
) -> (Answer, Value) {
    let (body, json) = match body {
        Value::Null => (String::new(), ""),
        body => (body.to_string(), "Content-Type: application/json\r\n"),
    };
    let answer = http(&gateway.address, method, path, &format!("{headers}{json}"), &body).await;
    let body = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
    (answer, body)
}

async fn user(gateway: &Gateway, user: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
    let headers = format!("Authorization: Bearer {}\r\n", token(user));
    let (answer, body) = request(gateway, method, path, &headers, &body).await;
    (answer.status, body)
}

async fn acting(gateway: &Gateway, user: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
    let headers = format!("X-Api-Key: {SERVICE_KEY}\r\nX-Act-As: {user}\r\n");
    let (answer, body) = request(gateway, method, path, &headers, &body).await;
    (answer.status, body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_is_a_command_in_the_words_of_its_dialect_at_the_root_and_under_its_name() {
    let (app, gateway, _folder) = diets().await;
    let bob = Client::connect(&gateway, "8").await;
    bob.join("diet_100").await;
    let new = json!({"content": "soup", "mealId": 5, "unknown": {"a": 1}});
    let (status, sent) = user(&gateway, "7", "POST", MESSAGES, new).await;
    assert_eq!(status, 200, "{sent}");
    let message = &sent["message"];
    assert_eq!((&sent["success"], &message["content"]), (&json!(true), &json!("soup")));
    assert_eq!(
        (&message["userId"], &message["dietId"], &message["meal"]),
        (&json!(7), &json!(100), &json!(5))
    );
    assert_eq!((&message["clientId"], &message["photos"]), (&json!("3"), &json!([])));
    assert_eq!(bob.event("message:created").await["content"], "soup");

    let under_name = format!("/app{MESSAGES}?limit=1&other=x");
    assert_eq!(acting(&gateway, "8", "POST", &under_name, json!({"content": "bread"})).await.0, 200);
    let (status, page) = user(&gateway, "8", "GET", &under_name, Value::Null).await;
    let expected = json!({"success": true, "messages": [{"content": "bread", "dietId": 100}]});
    assert_eq!((status, page), (200, expected));
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_is_refused_in_the_words_of_the_dialect() {
    let (app, gateway, _folder) = diets().await;
    let error = |text: &str| json!({"error": text});
    let blank = user(&gateway, "7", "POST", MESSAGES, json!({"content": " "})).await;
    assert_eq!(blank, (400, error("Say something")));
    let foreign = user(&gateway, "9", "POST", MESSAGES, json!({"content": "hi"})).await;
    assert_eq!(foreign, (403, error("Not yours")));
    let (answer, body) = request(&gateway, "POST", MESSAGES, "", &json!({"content": "hi"})).await;
    assert_eq!((answer.status, body), (401, error("Who are you?")));
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let large = json!({"content": "x".repeat(2_500_000)});
    assert_eq!(user(&gateway, "7", "POST", "/api/limited/100", large).await.0, 413);
    let other = user(&gateway, "7", "POST", "/api/limited/100", json!({"content": ""})).await;
    assert_eq!(other, (422, json!({"code": "content_blank", "wait": null})));
    let headers = format!("Authorization: Bearer {}\r\nContent-Type: text/plain\r\n", token("7"));
    assert_eq!(http(&gateway.address, "POST", MESSAGES, &headers, "hi").await.status, 415);

    let (answer, _) = request(&gateway, "PUT", MESSAGES, "", &Value::Null).await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET,POST")));
    let (answer, body) = request(&gateway, "GET", "/api/clients", "", &Value::Null).await;
    assert_eq!((answer.status, &body["code"]), (404, &json!("not_found")));
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quota_of_a_route_is_for_users_and_not_for_backends() {
    let (app, gateway, _folder) = diets().await;
    let say = json!({"content": "hi"});
    for _ in 0..2 {
        assert_eq!(user(&gateway, "7", "POST", "/api/limited/100", say.clone()).await, (201, json!({})));
    }
    // What is refused for what it is does not count, before or after.
    assert_eq!(user(&gateway, "8", "POST", "/api/limited/100", json!({"content": ""})).await.0, 422);
    let (status, body) = user(&gateway, "7", "POST", "/app/api/limited/100", say.clone()).await;
    assert_eq!((status, &body["code"]), (429, &json!("SLOW")));
    assert!(body["wait"].as_u64().is_some_and(|wait| wait > 1_000_000), "{body}");
    for _ in 0..4 {
        assert_eq!(acting(&gateway, "7", "POST", "/api/limited/100", say.clone()).await.0, 201);
    }
    assert_eq!(user(&gateway, "8", "POST", "/api/limited/100", say).await.0, 201);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_backends_reach_what_is_for_backends() {
    let (app, gateway, _folder) = diets().await;
    let seven = Client::connect(&gateway, "7").await;
    let note = json!({"userId": "7", "text": "Lunch"});
    let (status, body) = user(&gateway, "8", "POST", "/api/notify", note.clone()).await;
    assert_eq!((status, body["error"].is_string()), (403, true));
    let (status, body) = acting(&gateway, "8", "POST", "/api/notify", note).await;
    assert_eq!((status, body), (204, Value::Null));
    assert_eq!(seven.event("notification:created").await["text"], "Lunch");
    // What users may do elsewhere too.
    assert_eq!(user(&gateway, "8", "GET", "/api/audit/100", Value::Null).await.0, 403);
    assert_eq!(acting(&gateway, "8", "GET", "/api/audit/100", Value::Null).await.0, 200);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_may_ask_what_is_public_from_every_page() {
    let (app, gateway, _folder) = diets().await;
    let _one = Client::connect(&gateway, "7").await;
    let page = "Origin: https://elsewhere.example\r\n";
    let counted = async |path: &str| {
        let (answer, body) = request(&gateway, "GET", path, page, &Value::Null).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some("*")));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        body
    };
    let one = json!({"success": true, "connectedSockets": 1});
    eventually("the socket is counted", async || (counted("/api/socket").await == one).then_some(())).await;
    for path in ["/app/health", "/health"] {
        let body = counted(path).await;
        assert_eq!(body["status"], "ok", "{path}");
        assert!(body["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{path}: {body}");
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pages_of_a_dialect_may_use_its_routes_and_others_may_not() {
    let (app, gateway, _folder) = diets().await;
    let asked = async |path: &str, method: &str, origin: &str| {
        let headers = format!(
            "Origin: {origin}\r\nAccess-Control-Request-Method: {method}\r\nAccess-Control-Request-Headers: x-own\r\n"
        );
        let (answer, _) = request(&gateway, "OPTIONS", path, &headers, &Value::Null).await;
        let header = |name: &str| answer.header(name).map(str::to_owned);
        (header("access-control-allow-origin"), header("access-control-allow-headers"))
    };
    let (own, all, sent) = ("https://app.example", Some("*".to_owned()), Some("x-own".to_owned()));
    assert_eq!(asked(MESSAGES, "POST", own).await, (Some(own.to_owned()), sent.clone()));
    assert_eq!(asked(MESSAGES, "POST", "https://elsewhere.example").await.0, None);
    assert_eq!(asked("/app/api/socket", "GET", "https://elsewhere.example").await, (all, sent));
    assert_eq!(asked("/api/socket", "DELETE", own).await.0, None);
    app.end().await;
}

fn stored(folder: &Folder) -> usize {
    std::fs::read_dir(folder.0.join("files")).map_or(0, Iterator::count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_urls_become_files_that_the_others_can_read() {
    let (app, gateway, folder) = diets().await;
    // Larger than other bodies may be.
    let large = format!("{}{}", "iVBORw0KGgoA", "A".repeat(4_000_000));
    let photos = json!([
        {"imageData": format!("data:image/png;base64,{PNG}")},
        {"imageData": format!("data:image/jpeg;base64,{large}"), "note": "x"},
    ]);
    let (status, sent) =
        user(&gateway, "7", "POST", MESSAGES, json!({"content": "soup", "photos": photos})).await;
    assert_eq!(status, 200, "{sent}");
    let photos = sent["message"]["photos"].as_array().expect("the photos");
    assert_eq!((photos.len(), stored(&folder)), (2, 2));
    for (photo, size) in photos.iter().zip(["70", "3000009"]) {
        assert!(photo["uploadedAt"].is_string() && photo["expiresAt"].is_null(), "{photo}");
        let url = photo["imageData"].as_str().expect("a URL");
        assert_eq!(url, format!("/v1/uploads/{}", photo["id"].as_str().expect("an id")));
        let read = async |user: &str| {
            let headers = format!("Authorization: Bearer {}\r\nRange: bytes=0-3\r\n", token(user));
            http(&gateway.address, "HEAD", url, &headers, "").await
        };
        let answer = read("8").await;
        assert_eq!(answer.header("content-range"), Some(&*format!("bytes 0-3/{size}")));
        assert_eq!((answer.status, answer.header("content-type")), (206, Some("image/png")));
        assert_eq!(read("9").await.status, 404);
    }
    // Without words too.
    let photo = json!({"photos": [{"imageData": format!("data:;base64,{PNG}")}]});
    assert_eq!(user(&gateway, "7", "POST", MESSAGES, photo).await.0, 200);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_a_message_that_is_not_sent_are_not_kept() {
    let (app, gateway, folder) = diets().await;
    let html = "PGh0bWw+PC9odG1sPg==";
    let post = async |who: &str, content: &str, photos: Value| {
        let body = json!({"content": content, "photos": photos});
        user(&gateway, who, "POST", MESSAGES, body).await
    };
    let png = || json!({"imageData": format!("data:image/png;base64,{PNG}")});
    let wrong = json!([png(), {"imageData": format!("data:image/png;base64,{html}")}]);
    assert_eq!(post("7", "hi", wrong).await.0, 415);
    assert_eq!(post("7", "hi", json!([png(), {"imageData": "https://a.example/b.png"}])).await.0, 400);
    assert_eq!(post("7", "hi", json!([png(), {"imageData": "data:image/png;base64,AA=A"}])).await.0, 400);
    assert_eq!(post("9", "hi", json!([png()])).await, (403, json!({"error": "Not yours"})));
    assert_eq!(post("7", "hi", Value::from_iter((0..21).map(|_| png()))).await.0, 400);
    let too_long = "x".repeat(1_000_001);
    assert_eq!(post("7", &too_long, json!([png()])).await.0, 413);
    assert_eq!(stored(&folder), 0);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_can_take_a_file_in() {
    let (app, gateway, folder) = diets().await;
    let part = |name: &str, more: &str, body: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n{body}\r\n")
    };
    let form = format!(
        "{}{}{}--b--\r\n",
        part("other", "", "x"),
        part("conversation", "", "diet_100"),
        part("file", "; filename=\"a.txt\"", &"hello ".repeat(500_000)),
    );
    let headers =
        format!("Authorization: Bearer {}\r\nContent-Type: multipart/form-data; boundary=b\r\n", token("7"));
    let answer = http(&gateway.address, "POST", "/app/api/upload", &headers, &form).await;
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((answer.status, &body["type"]), (201, &json!("text/plain")), "{body}");
    assert!(body["uploadId"].is_string() && stored(&folder) == 1);
    let answer = http(&gateway.address, "POST", "/api/upload", &headers, "--b--\r\n").await;
    assert_eq!(answer.status, 400);
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert!(body["error"].is_string(), "{body}");
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_are_never_more_large_bodies_than_places_for_files() {
    let app = TestApp::new().await;
    let folder = Folder::with(&[("app.toml", DIALECT)]);
    let store = format!("file://{}/files", folder.0.display());
    let settings = [folder.setting(), ("uploads.store", &store), ("uploads.concurrent", "1")];
    let gateway = app.gateway(&settings).await;
    app.conversation(&gateway, "diet_100", &["7", "8"]).await;
    let photo = format!("data:image/png;base64,{PNG}{}", " ".repeat(3_000_000));
    let large = json!({"content": "hi", "photos": [{"imageData": photo}]});
    let mut slow = tokio::net::TcpStream::connect(&gateway.address).await.unwrap();
    let head = format!(
        "POST /api/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: 100\r\n\
         Content-Type: multipart/form-data; boundary=b\r\n\r\n",
        token("8")
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    let deadline = tokio::time::Instant::now() + crate::app::DEADLINE;
    // Until the other one has the place this one is read, and is no base64.
    while user(&gateway, "7", "POST", MESSAGES, large.clone()).await.0 != 503 {
        assert!(tokio::time::Instant::now() < deadline, "the place is never taken");
    }
    assert_eq!(user(&gateway, "7", "POST", MESSAGES, json!({"content": "hi"})).await.0, 200);
    drop(slow);
    while user(&gateway, "7", "POST", MESSAGES, large.clone()).await.0 != 400 {
        assert!(tokio::time::Instant::now() < deadline, "the place is never free again");
    }
    app.end().await;
}
