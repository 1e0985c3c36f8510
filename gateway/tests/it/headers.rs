//! What every answer tells browsers not to do with it.

#![cfg(test)]

use serde_json::Value;

use crate::{
    app::{Gateway, SERVICE_KEY, TestApp},
    client::token,
    dialect::Folder,
    wire::client::{Answer, http},
};

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

/// Asserts what every answer has.
fn assert_secure(what: &str, answer: &Answer) {
    let header = |name: &str| answer.header(name).unwrap_or_else(|| panic!("{what} has no {name}"));
    assert_eq!(header("x-content-type-options"), "nosniff", "{what}");
    assert_eq!(header("referrer-policy"), "no-referrer", "{what}");
    assert_eq!(header("x-frame-options"), "DENY", "{what}");
    assert!(!header("cache-control").contains("public"), "{what}");
    let policy = header("content-security-policy");
    assert!(
        policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
        "{what}: {policy}"
    );
    assert!(["same-origin", "cross-origin"].contains(&header("cross-origin-resource-policy")), "{what}");
    for name in ["x-content-type-options", "cache-control", "content-security-policy"] {
        assert_eq!(answer.headers(name).count(), 1, "{what}: {name} is said once");
    }
    assert_eq!(answer.header("server"), None, "{what}");
    assert_eq!(answer.header("x-powered-by"), None, "{what}");
}

async fn ask(gateway: &Gateway, method: &str, path: &str, headers: &str) -> Answer {
    let answer = http(&gateway.address, method, path, headers, "").await;
    assert_secure(&format!("{method} {path}: {}", answer.status), &answer);
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_says_what_browsers_must_not_do_with_it() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let backend = format!("Authorization: Bearer {SERVICE_KEY}\r\n");
    let preflight = "Origin: https://a.example\r\nAccess-Control-Request-Method: GET\r\n";
    for (method, path, headers, status, stored) in [
        ("GET", "/health", "", 200, "no-store"),
        ("GET", "/", "", 404, "no-store"),
        ("GET", "/v1/conversations", "", 401, "no-store"),
        ("PUT", "/v1/conversations", "", 405, "no-store"),
        ("POST", "/v1/conversations", "Content-Encoding: gzip\r\n", 415, "no-store"),
        ("GET", "/v1/conversations/c", &*backend, 200, "private, no-cache"),
        ("GET", "/v1/conversations/c/messages", &*backend, 200, "no-store"),
        ("GET", "/v1/openapi.json", "", 200, "no-store"),
        ("GET", "/docs", "", 308, "no-store"),
        ("OPTIONS", "/v1/conversations", preflight, 200, "no-store"),
        ("OPTIONS", POLLING, preflight, 200, "no-store"),
        ("GET", POLLING, "", 200, "no-store"),
        ("GET", "/socket.io/?EIO=4&transport=websocket", "", 426, "no-store"),
        ("GET", "/socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAA", "", 400, "no-store"),
    ] {
        let answer = ask(&gateway, method, path, headers).await;
        assert_eq!(
            (answer.status, answer.header("cache-control")),
            (status, Some(stored)),
            "{method} {path}"
        );
        assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"), "{method} {path}");
        assert_eq!(answer.header("strict-transport-security"), None, "TLS ends in front");
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_and_files_keep_policies_of_their_own() {
    let folder = Folder::with(&[]);
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("uploads.store", &format!("file://{}", folder.0.display()))]).await;
    let page = ask(&gateway, "GET", "/docs/", "").await;
    assert!(page.header("content-security-policy").unwrap().contains("script-src 'self'"));
    let user = format!("Authorization: Bearer {}\r\n", token("ann"));
    let form = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.html\"\r\n\r\nsome text\r\n--b--\r\n";
    let headers = format!("{user}Content-Type: multipart/form-data; boundary=b\r\n");
    let sent = http(&gateway.address, "POST", "/v1/uploads", &headers, form).await;
    assert_secure("an upload", &sent);
    let sent: Value = serde_json::from_str(&sent.body).unwrap();
    let file = ask(&gateway, "GET", sent["url"].as_str().unwrap(), &user).await;
    assert_eq!(file.status, 200);
    assert!(file.header("content-security-policy").unwrap().contains("sandbox"));
    assert_eq!(
        file.header("cross-origin-resource-policy"),
        Some("cross-origin"),
        "pages elsewhere show pictures"
    );
    assert_eq!(file.header("cache-control"), Some("private, max-age=86400, immutable"));
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn browsers_are_told_to_insist_on_tls_when_that_is_wanted() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("server.hsts", "365d")]).await;
    for path in ["/health", "/v1/none", POLLING] {
        let answer = ask(&gateway, "GET", path, "").await;
        assert_eq!(answer.header("strict-transport-security"), Some("max-age=31536000"), "{path}");
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_admin_listener_says_it_too() {
    let (app, gateway) = TestApp::with_gateway().await;
    for path in ["/live", "/ready", "/metrics", "/none"] {
        let answer = http(&gateway.admin, "GET", path, "", "").await;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        assert!(answer.header("content-security-policy").is_some(), "{path}");
        assert_eq!(answer.header("server"), None, "{path}");
    }
    app.end().await;
}
