//! REST, as `docs/rest.md` describes it.

#![cfg(test)]

use serde_json::{Value, json};

use crate::{
    app::{Gateway, SERVICE_KEY, TestApp},
    client::{Client, token},
    lock::{Lock, blocked},
    proxy::Proxy,
    wire::client::{Answer, http},
};

const JSON: &str = "Content-Type: application/json\r\n";

async fn request(gateway: &Gateway, method: &str, path: &str, headers: &str, body: &str) -> (Answer, Value) {
    let answer = http(&gateway.address, method, path, headers, body).await;
    let body = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
    (answer, body)
}

/// A backend that acts for a user.
async fn acting(gateway: &Gateway, user: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
    let headers = format!("{JSON}Authorization: Bearer {SERVICE_KEY}\r\nX-Act-As: {user}\r\n");
    let (answer, body) = request(gateway, method, path, &headers, &body.to_string()).await;
    (answer.status, body)
}

/// A user with a token.
async fn user(gateway: &Gateway, user: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
    let headers = format!("{JSON}authorization: bearer {}\r\n", token(user));
    let (answer, body) = request(gateway, method, path, &headers, &body.to_string()).await;
    (answer.status, body)
}

/// Asserts that a refusal has the documented form.
fn assert_problem(answer: &Answer, body: &Value, status: u16, code: &str) {
    assert_eq!((answer.status, body["code"].as_str()), (status, Some(code)), "{body}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(body["type"], format!("urn:parlance:problem:{code}"));
    assert_eq!(body["status"], status);
    assert!(
        body["title"].is_string() && body["detail"].is_string() && body["retryable"].is_boolean(),
        "{body}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_is_created_once_and_a_different_one_is_a_conflict() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    let new =
        json!({"id": "c", "title": "Lobby", "participants": ["ann", "bob", "ann"], "metadata": {"a": [1]}});
    let (status, created) = here.rest("POST", "/v1/conversations", new.clone()).await;
    assert_eq!(status, 201, "{created}");
    assert_eq!((&created["id"], &created["title"]), (&json!("c"), &json!("Lobby")));
    assert_eq!(created["metadata"], json!({"a": [1]}));
    let mut participants: Vec<_> =
        created["participants"].as_array().unwrap().iter().map(Value::to_string).collect();
    participants.sort_unstable();
    assert_eq!(participants, ["\"ann\"", "\"bob\""]);
    assert!(created["createdAt"].as_str().is_some_and(|at| at.ends_with('Z')));
    let (status, again) = there.rest("POST", "/v1/conversations", new.clone()).await;
    assert_eq!((status, &again), (200, &created));
    for (field, other) in
        [("title", json!("Other")), ("participants", json!(["ann"])), ("metadata", json!({"a": [2]}))]
    {
        let mut different = new.clone();
        different[field] = other;
        let (status, problem) = here.rest("POST", "/v1/conversations", different).await;
        assert_eq!((status, &problem["code"]), (409, &json!("conflict")), "{field}");
    }
    let (status, made) = here.rest("POST", "/v1/conversations", json!({"participants": []})).await;
    assert_eq!(status, 201);
    assert!(made["id"].as_str().is_some_and(|id| !id.is_empty()));
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_creations_of_one_conversation_make_one() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    for n in 0..10 {
        let body = || json!({"id": format!("c{n}"), "participants": ["ann", "bob"]});
        let (one, other, third) = tokio::join!(
            here.rest("POST", "/v1/conversations", body()),
            there.rest("POST", "/v1/conversations", body()),
            there.rest("POST", "/v1/conversations", body()),
        );
        let mut statuses = [one.0, other.0, third.0];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 200, 201], "{} {} {}", one.1, other.1, third.1);
        assert_eq!(one.1, other.1);
        // Its event was appended once.
        let ann = Client::connect(&here, "ann").await;
        assert_eq!(ann.join(&format!("c{n}")).await["offset"], 1);
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn participants_come_and_go_and_sockets_hear_of_it_on_every_gateway() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["ann"]).await;
    let (near, far) = (Client::connect(&here, "ann").await, Client::connect(&there, "ann").await);
    near.join("c").await;
    far.join("c").await;
    let path = "/v1/conversations/c/participants/bob";
    let (status, added) = here.rest("PUT", path, json!({})).await;
    assert_eq!((status, &added["conversationId"]), (201, &json!("c")));
    assert_eq!((&added["participant"]["id"], &added["participant"]["name"]), (&json!("bob"), &json!("bob")));
    assert_eq!(there.rest("PUT", path, json!({})).await.0, 200);
    assert_eq!(there.rest("DELETE", path, json!({})).await.0, 204);
    assert_eq!(here.rest("DELETE", path, json!({})).await.0, 204);
    for client in [&near, &far] {
        let added = client.event("participant:added").await;
        assert_eq!((&added["participant"]["id"], &added["offset"]), (&json!("bob"), &json!(2)));
        let removed = client.event("participant:removed").await;
        assert_eq!((&removed["participant"]["id"], &removed["offset"]), (&json!("bob"), &json!(3)));
    }
    near.send("c", "nothing came in between").await;
    let next = far.event("message:created").await;
    assert_eq!((&next["offset"], &next["seq"]), (&json!(4), &json!(1)));
    for method in ["PUT", "DELETE"] {
        let (status, problem) =
            here.rest(method, "/v1/conversations/nowhere/participants/bob", json!({})).await;
        assert_eq!((status, &problem["code"]), (404, &json!("not_found")));
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_those_of_the_sockets() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann", "bob"]).await;
    let (ann, bob) = (Client::connect(&gateway, "ann").await, Client::connect(&gateway, "bob").await);
    ann.join("c").await;
    bob.join("c").await;
    let path = "/v1/conversations/c/messages";
    let message = json!({"content": "hello", "clientId": "1", "type": "IMAGE", "metadata": {"a": 1}});
    let (status, sent) = acting(&gateway, "ann", "POST", path, message.clone()).await;
    assert_eq!(status, 201, "{sent}");
    assert_eq!((&sent["senderId"], &sent["type"]), (&json!("ann"), &json!("image")));
    // A request is no socket: everybody is one of the others.
    for client in [&ann, &bob] {
        assert_eq!(client.event("message:created").await, sent);
    }
    // The same command from a socket, or as the user, is the same message.
    let mut from_socket = message.clone();
    from_socket["conversationId"] = json!("c");
    assert_eq!(ann.ok("message:send", from_socket).await["message"], sent);
    assert_eq!(user(&gateway, "ann", "POST", path, message).await.1, sent);
    for n in 2..=5 {
        assert_eq!(user(&gateway, "bob", "POST", path, json!({"content": n.to_string()})).await.0, 201);
    }
    let seqs = |page: Value| -> Vec<u64> {
        page["messages"].as_array().unwrap().iter().map(|message| message["seq"].as_u64().unwrap()).collect()
    };
    for (query, expected, more) in [
        ("", vec![1, 2, 3, 4, 5], false),
        ("?limit=2", vec![4, 5], true),
        ("?before=3", vec![1, 2], false),
        ("?after=3&limit=1", vec![4], true),
    ] {
        let (status, page) = gateway.rest("GET", &format!("{path}{query}"), Value::Null).await;
        assert_eq!((status, page["hasMore"].as_bool()), (200, Some(more)), "{query}");
        assert_eq!(seqs(page), expected, "{query}");
        assert_eq!(user(&gateway, "bob", "GET", &format!("{path}{query}"), Value::Null).await.0, 200);
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_may_do_what_he_may_and_no_more() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let messages = "/v1/conversations/c/messages";
    let hello = || json!({"content": "hello"});
    for (answer, status, code) in [
        (user(&gateway, "eve", "POST", messages, hello()).await, 403, "not_a_participant"),
        (user(&gateway, "eve", "GET", messages, Value::Null).await, 403, "not_a_participant"),
        (acting(&gateway, "eve", "POST", messages, hello()).await, 403, "not_a_participant"),
        (acting(&gateway, "eve", "GET", messages, Value::Null).await, 403, "not_a_participant"),
        (gateway.rest("POST", messages, hello()).await, 403, "forbidden"),
        (
            user(&gateway, "ann", "POST", "/v1/conversations", json!({"participants": ["ann"]})).await,
            403,
            "forbidden",
        ),
        (
            user(&gateway, "eve", "PUT", "/v1/conversations/c/participants/eve", json!({})).await,
            403,
            "forbidden",
        ),
        (
            user(&gateway, "ann", "DELETE", "/v1/conversations/c/participants/ann", json!({})).await,
            403,
            "forbidden",
        ),
    ] {
        assert_eq!((answer.0, answer.1["code"].as_str()), (status, Some(code)), "{}", answer.1);
    }
    let no_one = "Authorization: Bearer a-service-key-of-some-lengtH\r\n";
    let pretending = format!("Authorization: Bearer {}\r\nX-Act-As: ann\r\n", token("eve"));
    for (headers, status, code) in [
        ("", 401, "token_missing"),
        ("Authorization: Basic YTpi\r\n", 401, "token_missing"),
        (no_one, 401, "token_malformed"),
        (&*pretending, 403, "forbidden"),
    ] {
        let (answer, body) =
            request(&gateway, "POST", messages, &format!("{JSON}{headers}"), "{\"content\":\"x\"}").await;
        assert_problem(&answer, &body, status, code);
        assert_eq!(answer.header("www-authenticate").is_some(), status == 401);
    }
    let ann = Client::connect(&gateway, "ann").await;
    assert!(ann.history(json!({"conversationId": "c"})).await.0.is_empty());
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_requests_are_refused_in_one_form() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let backend = format!("Authorization: Bearer {SERVICE_KEY}\r\nX-Act-As: ann\r\n");
    let with_json = format!("{JSON}{backend}");
    let messages = "/v1/conversations/c/messages";
    let (long, large) = ("x".repeat(300), json!({"content": "x".repeat(2_200_000)}).to_string());
    let too_large = json!({"content": "x".repeat(1_000_001)}).to_string();
    let long_path = format!("/v1/conversations/{long}/messages");
    for (method, path, headers, body, status, code) in [
        ("POST", messages, &*backend, "{\"content\":\"x\"}", 415, "unsupported_media_type"),
        ("POST", messages, &*with_json, "", 400, "invalid_payload"),
        ("POST", messages, &*with_json, "{", 400, "invalid_payload"),
        ("POST", messages, &*with_json, "[]", 400, "invalid_payload"),
        ("POST", messages, &*with_json, "{\"content\":\"x\",\"unknown\":1}", 400, "invalid_payload"),
        ("POST", messages, &*with_json, "{\"content\":7}", 400, "invalid_payload"),
        ("POST", messages, &*with_json, "{\"content\":\" \"}", 400, "content_blank"),
        ("POST", messages, &*with_json, &*too_large, 413, "content_too_large"),
        ("POST", messages, &*with_json, &*large, 413, "payload_too_large"),
        ("POST", &*long_path, &*with_json, "{\"content\":\"x\"}", 400, "invalid_payload"),
        (
            "POST",
            "/v1/conversations/%ff/messages",
            &*with_json,
            "{\"content\":\"x\"}",
            400,
            "invalid_payload",
        ),
        (
            "POST",
            "/v1/conversations/a%00b/messages",
            &*with_json,
            "{\"content\":\"x\"}",
            400,
            "invalid_payload",
        ),
        ("GET", "/v1/conversations/c/messages?limit=0", &*with_json, "", 400, "invalid_payload"),
        ("GET", "/v1/conversations/c/messages?limit=x", &*with_json, "", 400, "invalid_payload"),
        ("GET", "/v1/conversations/c/messages?before=1&after=1", &*with_json, "", 400, "invalid_payload"),
        ("GET", "/v1/conversations/c/messages?pages=1", &*with_json, "", 400, "invalid_payload"),
        ("PUT", messages, &*with_json, "{}", 405, "method_not_allowed"),
        ("GET", "/v1/nothing", &*with_json, "", 404, "not_found"),
        ("GET", "/", "", "", 404, "not_found"),
    ] {
        let (answer, problem) = request(&gateway, method, path, headers, body).await;
        println!("{method} {path:.80} {body:.40}");
        assert_problem(&answer, &problem, status, code);
        if status == 405 {
            assert!(
                answer.header("allow").is_some_and(|allow| allow.contains("GET")),
                "{:?}",
                answer.header("allow")
            );
        }
    }
    let ann = Client::connect(&gateway, "ann").await;
    assert!(ann.history(json!({"conversationId": "c"})).await.0.is_empty());
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_of_any_characters_go_through_a_path() {
    let (app, gateway) = TestApp::with_gateway().await;
    let (conversation, participant) = ("a/b ?#%{}é", "ü/:@&=+ 1");
    app.conversation(&gateway, conversation, &["ann"]).await;
    let path = "/v1/conversations/a%2Fb%20%3F%23%25%7B%7D%C3%A9/participants/%C3%BC%2F%3A%40%26%3D%2B%201";
    let (status, added) = gateway.rest("PUT", path, json!({})).await;
    assert_eq!((status, &added["participant"]["id"]), (201, &json!(participant)));
    let client = Client::connect(&gateway, participant).await;
    client.join(conversation).await;
    client.send(conversation, "hello").await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_known_is_503_and_health_answers_nevertheless() {
    let app = TestApp::new().await;
    let proxy = Proxy::before(&app.database_url()).await;
    let gateway = app.gateway(&[("postgres.url", proxy.url()), ("postgres.statement_deadline", "2s")]).await;
    app.conversation(&gateway, "c", &["ann"]).await;
    proxy.cut();
    let headers = format!("{JSON}Authorization: Bearer {SERVICE_KEY}\r\nX-Act-As: ann\r\n");
    for (method, path, body) in [
        ("POST", "/v1/conversations", "{\"participants\":[]}"),
        ("PUT", "/v1/conversations/c/participants/bob", ""),
        ("POST", "/v1/conversations/c/messages", "{\"content\":\"x\"}"),
        ("GET", "/v1/conversations/c/messages", ""),
    ] {
        let (answer, problem) = request(&gateway, method, path, &headers, body).await;
        assert_problem(&answer, &problem, 503, "unavailable");
        assert_eq!(problem["retryable"], true);
    }
    let (answer, health) = request(&gateway, "GET", "/health", "", "").await;
    assert_eq!((answer.status, &health["status"]), (200, &json!("ok")));
    assert!(health["timestamp"].is_string(), "{health}");
    proxy.mend();
    assert_eq!(
        acting(&gateway, "ann", "POST", "/v1/conversations/c/messages", json!({"content": "x"})).await.0,
        201
    );
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_stream_is_503_with_the_time_to_wait() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("limits.ingest_entries", "2")]).await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let path = "/v1/conversations/c/messages";
    assert_eq!(user(&gateway, "ann", "POST", path, json!({"content": "x"})).await.0, 201);
    let headers = format!("{JSON}Authorization: Bearer {}\r\n", token("ann"));
    let (answer, problem) = request(&gateway, "POST", path, &headers, "{\"content\":\"x\"}").await;
    assert_problem(&answer, &problem, 503, "overloaded");
    assert!(problem["retryAfterMs"].is_u64());
    assert!(answer.header("retry-after").is_some_and(|seconds| seconds.parse::<u64>().is_ok()));
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_in_hand_is_answered_when_the_gateway_stops() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("postgres.statement_deadline", "30s")]).await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let lock = Lock::on(&app, "participants").await;
    let sending = user(&gateway, "ann", "POST", "/v1/conversations/c/messages", json!({"content": "x"}));
    let stopping = async {
        blocked(&app.store, 1).await;
        gateway.process.ask_to_stop();
        lock.release().await;
    };
    let ((status, sent), ()) = tokio::join!(sending, stopping);
    assert_eq!(status, 201, "{sent}");
    app.end().await;
}
