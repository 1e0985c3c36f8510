//! Which web pages may connect, read and send cookies, on both transports and by REST.

#![cfg(test)]

use serde_json::{Value, json};

use crate::{
    app::{Gateway, SERVICE_KEY, TestApp},
    client::token,
    dialect::Folder,
    wire::client::{Answer, Ws, http},
};

const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";
const POLLING: &str = "/socket.io/?EIO=4&transport=polling";
/// The gateway's page.
const OURS: &str = "https://app.example.com";
/// The page of one dialect alone.
const THEIRS: &str = "https://desk.example.com";
/// Somebody else's page.
const FOREIGN: &str = "https://evil.example.org";

async fn ask(gateway: &Gateway, method: &str, path: &str, origin: &str, more: &str) -> Answer {
    http(&gateway.address, method, path, &format!("Origin: {origin}\r\n{more}"), "").await
}

/// Connects to a namespace: what the CONNECT packet is answered.
async fn connect(gateway: &Gateway, namespace: &str, headers: &str, auth: &Value) -> Result<(), String> {
    let mut ws = Ws::open(&gateway.address, WEBSOCKET, headers).await.unwrap();
    let prefix = if namespace == "/" { String::new() } else { format!("{namespace},") };
    ws.send(&format!("40{prefix}{auth}")).await;
    loop {
        let packet = ws.next().await.expect("an answer to CONNECT");
        if let Some(refused) = packet.strip_prefix(&format!("44{prefix}")) {
            let refused: Value = serde_json::from_str(refused).unwrap();
            return Err(refused["message"].as_str().unwrap().to_owned());
        }
        if packet.starts_with(&format!("40{prefix}")) {
            return Ok(());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_page_opens_neither_transport() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("server.origins", "https://app.example.com, http://localhost:5173")]).await;
    for (origin, is_ours) in [
        (OURS, true),
        ("http://localhost:5173", true),
        ("https://APP.example.com", true),
        (FOREIGN, false),
        ("null", false),
        ("https://app.example.com.evil.org", false),
        ("https://app.example.com:8443", false),
        ("http://app.example.com", false),
        ("http://localhost", false),
    ] {
        let header = format!("Origin: {origin}\r\n");
        let websocket = Ws::open(&gateway.address, WEBSOCKET, &header).await.err();
        assert_eq!(websocket, (!is_ours).then_some(403), "{origin}");
        let polling = ask(&gateway, "GET", POLLING, origin, "").await;
        assert_eq!(polling.status, if is_ours { 200 } else { 403 }, "{origin}");
        assert_eq!(polling.header("access-control-allow-origin"), is_ours.then_some(origin));
        assert_eq!(polling.header("access-control-allow-credentials"), is_ours.then_some("true"));
        assert!(is_ours || polling.body.contains("Forbidden origin"), "{}", polling.body);
    }
    assert_eq!(
        http(&gateway.address, "GET", POLLING, "", "").await.status,
        200,
        "apps and servers name none"
    );
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_connects_to_the_dialects_that_let_it() {
    let text = format!(
        "name = \"desk\"\norigins = [\"{THEIRS}\"]\nrefusals.forbidden = \"Not from this page\"\nanswer.ack = 1\nfailure.ack = 1\n"
    );
    let folder = Folder::with(&[("desk.toml", &text)]);
    let app = TestApp::new().await;
    let settings = [("server.origins", OURS), folder.setting()];
    let gateway = app.gateway(&settings).await;
    let auth = json!({"token": token("ann")});
    let from = |origin: &str| format!("Origin: {origin}\r\n");
    assert_eq!(connect(&gateway, "/", &from(OURS), &auth).await, Ok(()));
    assert_eq!(connect(&gateway, "/native", &from(OURS), &auth).await, Ok(()));
    assert_eq!(connect(&gateway, "/desk", &from(THEIRS), &auth).await, Ok(()));
    let refused = |text: &str| Err(text.to_owned());
    assert_eq!(connect(&gateway, "/desk", &from(OURS), &auth).await, refused("Not from this page"));
    assert_eq!(connect(&gateway, "/", &from(THEIRS), &auth).await, refused("forbidden"));
    assert_eq!(connect(&gateway, "/native", &from(THEIRS), &auth).await, refused("forbidden"));
    for namespace in ["/", "/desk"] {
        assert_eq!(connect(&gateway, namespace, "", &auth).await, Ok(()), "an app names no origin");
    }
    assert_eq!(Ws::open(&gateway.address, WEBSOCKET, &from(FOREIGN)).await.err(), Some(403));
    // REST and polling are for the pages of every dialect.
    for path in [POLLING, "/v1/users"] {
        for origin in [OURS, THEIRS] {
            let answer = ask(&gateway, "GET", path, origin, "").await;
            assert_eq!(answer.header("access-control-allow-origin"), Some(origin), "{path}");
        }
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cookie_counts_only_from_a_page_that_is_listed() {
    let text = "name = \"open\"\norigins = [\"*\"]\nanswer.ack = 1\nfailure.ack = 1\n";
    let folder = Folder::with(&[("open.toml", text)]);
    let app = TestApp::new().await;
    let settings = [("server.origins", OURS), ("auth.token_cookie", "jwt"), folder.setting()];
    let gateway = app.gateway(&settings).await;
    let cookie = format!("Cookie: jwt={}\r\n", token("ann"));
    let from = |origin: &str| format!("Origin: {origin}\r\n{cookie}");
    let (nothing, auth) = (json!({}), json!({"token": token("ann")}));
    assert_eq!(connect(&gateway, "/", &from(OURS), &nothing).await, Ok(()));
    assert_eq!(connect(&gateway, "/open", &cookie, &nothing).await, Ok(()), "no page at all");
    // A browser would send its user's cookie from any page.
    assert_eq!(connect(&gateway, "/open", &from(FOREIGN), &nothing).await, Err("token_missing".to_owned()));
    assert_eq!(connect(&gateway, "/open", &from(FOREIGN), &auth).await, Ok(()));
    let polling = ask(&gateway, "GET", POLLING, FOREIGN, "").await;
    assert_eq!(polling.header("access-control-allow-origin"), Some(FOREIGN));
    assert_eq!(polling.header("access-control-allow-credentials"), None);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_star_is_for_every_page_and_never_comes_with_credentials() {
    let (app, gateway) = TestApp::with_gateway().await;
    for path in [POLLING, "/health", "/v1/users"] {
        for origin in [FOREIGN, "null"] {
            let answer = ask(&gateway, "GET", path, origin, "").await;
            assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
            assert_eq!(answer.header("access-control-allow-credentials"), None, "{path}");
        }
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preflights_of_rest_are_answered_without_a_token() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("server.origins", OURS)]).await;
    let asking = "Access-Control-Request-Method: PATCH\r\nAccess-Control-Request-Headers: authorization\r\n";
    for path in ["/v1/conversations", "/v1/messages/x", "/v1/uploads", "/v1/uploads/x"] {
        let answer = ask(&gateway, "OPTIONS", path, OURS, asking).await;
        assert_eq!((answer.status, &*answer.body), (200, ""), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), Some(OURS));
        assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
        assert_eq!(answer.header("access-control-max-age"), Some("600"));
        let lists = |header: &str, all: &[&str]| {
            let listed = answer.header(header).unwrap_or_default().to_lowercase();
            let listed: Vec<&str> = listed.split(',').map(str::trim).collect();
            for one in all {
                assert!(listed.contains(one), "{path} {header}: {one} is not in {listed:?}");
            }
        };
        lists("access-control-allow-methods", &["get", "head", "post", "put", "patch", "delete"]);
        let sent =
            ["authorization", "x-api-key", "content-type", "idempotency-key", "if-match", "if-none-match"];
        lists("access-control-allow-headers", &sent);
        lists("access-control-allow-headers", &["x-act-as", "range"]);
        lists("vary", &["origin"]);
        let foreign = ask(&gateway, "OPTIONS", path, FOREIGN, asking).await;
        assert_eq!(foreign.header("access-control-allow-origin"), None, "{path}");
        assert_eq!(foreign.header("access-control-allow-credentials"), None, "{path}");
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rest_answers_everybody_and_only_pages_that_are_listed_may_read_it() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("server.origins", OURS)]).await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let backend = format!("Authorization: Bearer {SERVICE_KEY}\r\n");
    for (origin, allowed) in [(OURS, Some(OURS)), (FOREIGN, None), ("null", None)] {
        for (path, status) in
            [("/v1/conversations/c", 200), ("/v1/conversations/none", 404), ("/v1/none", 404)]
        {
            let answer = ask(&gateway, "GET", path, origin, &backend).await;
            assert_eq!(answer.status, status, "{origin} {path}");
            assert_eq!(answer.header("access-control-allow-origin"), allowed, "{origin} {path}");
            assert_eq!(answer.header("access-control-allow-credentials"), allowed.map(|_| "true"));
            assert!(answer.headers("vary").any(|vary| vary.contains("origin")), "{path}");
            let shown = answer.header("access-control-expose-headers").unwrap_or_default();
            for header in ["etag", "location", "retry-after", "content-range", "idempotency-replayed"] {
                assert!(shown.contains(header), "{header} is not in {shown}");
            }
        }
    }
    app.end().await;
}
