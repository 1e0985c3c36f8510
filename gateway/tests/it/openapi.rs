//! The OpenAPI document and the page that shows it; and the proof that answers are as it says.

#![cfg(test)]

mod fits;

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::{
    app::{Gateway, SERVICE_KEY, TestApp},
    client::token,
    wire::client::http,
};

const COMMITTED: &str = include_str!("../../../docs/openapi.json");

/// Asserts that the document of this gateway has this answer to a request. `path` is as the document writes it.
pub async fn documented(gateway: &Gateway, method: &str, path: &str, status: u16, body: &Value) {
    let document = http(&gateway.address, "GET", "/v1/openapi.json", "", "").await.body;
    let document: Value = serde_json::from_str(&document).unwrap();
    let operation = &document["paths"][path][method.to_lowercase()];
    assert!(operation.is_object(), "{method} {path} is not in the document");
    let mut answer = &operation["responses"][status.to_string()];
    if let Some(reference) = answer["$ref"].as_str() {
        answer = document.pointer(reference.strip_prefix('#').unwrap()).expect("what is referred to");
    }
    assert!(answer.is_object(), "{method} {path} is answered {status}, which is not in the document: {body}");
    let kind = if status < 400 { "application/json" } else { "application/problem+json" };
    match answer["content"].get(kind) {
        None => assert!(body.is_null(), "{method} {path} {status} should have no body: {body}"),
        Some(content) => {
            let misfits = fits::misfits(&document, &content["schema"], body);
            assert!(misfits.is_empty(), "{method} {path} {status} {body:#}\n{}", misfits.join("\n"));
        }
    }
}

#[tokio::test]
async fn the_document_is_served_to_everybody_and_is_the_committed_one() {
    let (app, gateway) = TestApp::with_gateway().await;
    let answer = http(&gateway.address, "GET", "/v1/openapi.json", "", "").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    assert!(answer.body == COMMITTED, "docs/openapi.json is stale: see `gateway openapi`");
    app.end().await;
}

#[test]
fn every_operation_can_be_told_apart_and_is_refused_in_the_same_form() {
    let document: Value = serde_json::from_str(COMMITTED).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap());
    let mut ids = HashSet::new();
    for (method, operation) in operations {
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id), "{id} stands for two operations");
        assert!(operation["summary"].is_string() && operation["tags"][0].is_string(), "{id}");
        if operation["security"] == json!([{}]) {
            continue;
        }
        let header =
            |name: &str| operation["parameters"].as_array().unwrap().iter().any(|one| one["name"] == name);
        assert!(header("X-Act-As"), "{id}");
        let is_upload = operation["tags"][0] == "files";
        assert_eq!(header("Idempotency-Key"), method == "post" && !is_upload, "{id}");
        for status in ["400", "401", "403", "500", "503"] {
            let name = operation["responses"][status]["$ref"].as_str().unwrap();
            let refusal = document.pointer(name.strip_prefix('#').unwrap()).unwrap();
            let schema = &refusal["content"]["application/problem+json"]["schema"]["$ref"];
            assert_eq!(schema, "#/components/schemas/Problem", "{id} {status}");
        }
    }
    assert!(ids.contains("sendMessage") && ids.contains("getHealth"));
}

#[test]
fn everything_that_is_referred_to_is_there() {
    let document: Value = serde_json::from_str(COMMITTED).unwrap();
    let references = COMMITTED.split("\"$ref\": \"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let mut count = 0;
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
        count += 1;
    }
    assert!(count > 50, "{count}");
}

#[test]
fn every_object_that_the_server_makes_is_closed() {
    let document: Value = serde_json::from_str(COMMITTED).unwrap();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        if schema["properties"].is_object() {
            assert_eq!(schema["additionalProperties"], false, "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_as_the_document_says() {
    const CONVERSATIONS: &str = "/v1/conversations";
    const PARTICIPANT: &str = "/v1/conversations/{conversation}/participants/{user}";
    const MESSAGES: &str = "/v1/conversations/{conversation}/messages";
    const MESSAGE: &str = "/v1/messages/{message}";
    let (app, gateway) = TestApp::with_gateway().await;
    let no_one = "0198c5f0-6c00-7c7e-8f2e-3a1b5c9d0000";
    let new = json!({"id": "c", "title": "Lobby", "participants": ["ann"], "metadata": {"a": [1, null]}});
    let sent = json!({"content": "x", "clientId": "1", "metadata": {"a": 1}, "attachments": [{"url": "u"}]});
    for (method, template, path, user, body, status) in [
        ("GET", "/health", "/health", "", json!({}), 200),
        ("POST", CONVERSATIONS, CONVERSATIONS, "", new.clone(), 201),
        ("POST", CONVERSATIONS, CONVERSATIONS, "", new, 200),
        ("POST", CONVERSATIONS, CONVERSATIONS, "", json!({"id": "d", "participants": []}), 201),
        ("POST", CONVERSATIONS, CONVERSATIONS, "", json!({"id": "c", "participants": []}), 409),
        ("POST", CONVERSATIONS, CONVERSATIONS, "", json!({"participants": 1}), 400),
        ("POST", CONVERSATIONS, CONVERSATIONS, "ann", json!({"participants": []}), 403),
        ("PUT", PARTICIPANT, "/v1/conversations/c/participants/bob", "", json!({}), 201),
        ("PUT", PARTICIPANT, "/v1/conversations/c/participants/bob", "", json!({}), 200),
        ("PUT", PARTICIPANT, "/v1/conversations/x/participants/bob", "", json!({}), 404),
        ("POST", MESSAGES, "/v1/conversations/c/messages", "ann", sent, 201),
        ("POST", MESSAGES, "/v1/conversations/c/messages", "ann", json!({"content": " "}), 400),
        ("POST", MESSAGES, "/v1/conversations/c/messages", "eve", json!({"content": "x"}), 403),
        ("GET", MESSAGES, "/v1/conversations/c/messages", "ann", json!({}), 200),
        ("GET", MESSAGES, "/v1/conversations/c/messages?limit=0", "ann", json!({}), 400),
        ("GET", MESSAGE, &format!("/v1/messages/{no_one}"), "ann", json!({}), 404),
        ("PATCH", MESSAGE, &format!("/v1/messages/{no_one}"), "ann", json!({"content": "y"}), 404),
        ("DELETE", MESSAGE, &format!("/v1/messages/{no_one}"), "ann", json!({}), 404),
        ("DELETE", PARTICIPANT, "/v1/conversations/c/participants/bob", "", json!({}), 204),
    ] {
        asked(&gateway, (method, template, path), user, &body, status).await;
    }
    let page = gateway.rest("GET", "/v1/conversations/c/messages", json!({})).await.1;
    let path = format!("/v1/messages/{}", page["messages"][0]["id"].as_str().unwrap());
    for (method, body) in [("GET", json!({})), ("PATCH", json!({"content": "y"})), ("DELETE", json!({}))] {
        asked(&gateway, (method, MESSAGE, &path), "ann", &body, 200).await;
    }
    app.end().await;
}

/// Asks as a user with a token, or, for "", with a service key.
async fn asked(
    gateway: &Gateway,
    (method, template, path): (&str, &str, &str),
    user: &str,
    body: &Value,
    status: u16,
) {
    let shown = if user.is_empty() { SERVICE_KEY.to_owned() } else { token(user) };
    let headers = format!("Authorization: Bearer {shown}\r\nContent-Type: application/json\r\n");
    let answer = http(&gateway.address, method, path, &headers, &body.to_string()).await;
    assert_eq!(answer.status, status, "{method} {path} {}", answer.body);
    let body = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
    documented(gateway, method, template, status, &body).await;
}

#[tokio::test]
async fn the_page_has_all_its_files_and_takes_none_from_elsewhere() {
    let (app, gateway) = TestApp::with_gateway().await;
    let get = async |path: &str| http(&gateway.address, "GET", path, "", "").await;
    let moved = get("/docs").await;
    assert_eq!((moved.status, moved.header("location")), (308, Some("/docs/")));
    let page = get("/docs/").await;
    let files: Vec<&str> = page.body.split(['"', '\'']).filter(|part| part.starts_with("./")).collect();
    let texts = files.iter().filter(|file| !file.ends_with(".png"));
    assert!(files.iter().any(|file| file.ends_with(".css")) && files.len() >= 4, "{files:?}");
    for file in texts.copied().chain(["./index.html"]) {
        let answer = get(&format!("/docs/{}", &file[2..])).await;
        let policy = answer.header("content-security-policy").unwrap();
        assert_eq!(
            (answer.status, answer.header("x-content-type-options")),
            (200, Some("nosniff")),
            "{file}"
        );
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    }
    assert!(
        !page.body.contains("http://") && !page.body.contains("https://") && !page.body.contains("<script>")
    );
    assert!(get("/docs/swagger-initializer.js").await.body.contains("\"/v1/openapi.json\""));
    for missing in ["/docs/nothing", "/docs/../Cargo.toml", "/docs/%2e%2e/x"] {
        assert_eq!(get(missing).await.status, 404, "{missing}");
    }
    app.end().await;
}
