//! Users: written by backends, refreshed by tokens, and read by each as far as it is his business.

#![cfg(test)]

use parlance_chassis::clock::Clock;
use serde_json::{Value, json};

use crate::{
    app::{SECRET, TestApp},
    client::{Client, sign},
    conversations::{acting, as_user},
    openapi::documented,
};

const ANN: &str = "/v1/users/ann";
const DOCUMENTED: &str = "/v1/users/{user}";

fn ann() -> Value {
    json!({
        "name": "Ann", "username": "ann.b", "avatar": "https://example.org/a.png", "email": "ann@example.org",
        "role": "moderator", "metadata": {"team": [7, {"a": 1.5}]},
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_is_written_whole_and_read_as_far_as_it_is_ones_business() {
    let (app, gateway) = TestApp::with_gateway().await;
    let (status, put) = gateway.rest("PUT", ANN, ann()).await;
    assert_eq!(status, 201, "{put}");
    documented(&gateway, "PUT", DOCUMENTED, status, &put).await;
    let mut expected = ann();
    expected["id"] = json!("ann");
    expected["updatedAt"] = put["updatedAt"].clone();
    assert_eq!(put, expected);
    assert_eq!(gateway.rest("PUT", ANN, ann()).await, (200, put.clone()));
    let (status, read) = gateway.rest("GET", ANN, Value::Null).await;
    assert_eq!((status, &read), (200, &put));
    documented(&gateway, "GET", DOCUMENTED, status, &read).await;

    let profile =
        json!({"id": "ann", "name": "Ann", "avatar": "https://example.org/a.png", "role": "moderator"});
    assert_eq!(as_user(&gateway, "ann", "GET", ANN, Value::Null).await, (200, put.clone()));
    assert_eq!(as_user(&gateway, "bob", "GET", ANN, Value::Null).await, (200, profile.clone()));
    assert_eq!(acting(&gateway, "bob", "GET", ANN, Value::Null).await, (200, profile.clone()));
    documented(&gateway, "GET", DOCUMENTED, 200, &profile).await;
    let bob = Client::connect(&gateway, "bob").await;
    assert_eq!(bob.ok("user:get", json!({"userId": "ann"})).await["user"], profile);

    let (status, bare) = gateway.rest("PUT", ANN, json!({"name": "A"})).await;
    assert_eq!((status, &bare["email"], &bare["metadata"]), (200, &Value::Null, &json!({})));
    let socket = Client::connect(&gateway, "ann").await;
    assert_eq!(socket.ok("user:get", json!({"userId": "ann"})).await["user"], bare, "all of himself");
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_refreshes_what_it_carries_and_wipes_nothing_else() {
    let (app, gateway) = TestApp::with_gateway().await;
    gateway.rest("PUT", ANN, ann()).await;
    let exp = Clock::system().now_ms() / 1_000 + 3_600;
    let token = sign(&json!({"sub": "ann", "name": "Ann B.", "exp": exp}), SECRET);
    let path = "/socket.io/?EIO=4&transport=websocket";
    let client = Client::try_connect(&gateway, path, "", json!({"token": token})).await;
    let Ok(client) = client else { panic!("the token is valid") };
    let ready = client.event("session:ready").await;
    assert_eq!((&ready["user"]["name"], &ready["user"]["role"]), (&json!("Ann B."), &json!("moderator")));
    let (_, now) = gateway.rest("GET", ANN, Value::Null).await;
    let mut expected = ann();
    expected["id"] = json!("ann");
    expected["name"] = json!("Ann B.");
    expected["updatedAt"] = now["updatedAt"].clone();
    assert_eq!(now, expected);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_of_whom_nothing_is_known_is_called_by_his_id() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann", "bob"]).await;
    gateway.rest("PUT", ANN, ann()).await;
    let bob = Client::connect(&gateway, "bob").await;
    bob.join("c").await;
    let send = || json!({"content": "hello"});
    let (_, said) = acting(&gateway, "ann", "POST", "/v1/conversations/c/messages", send()).await;
    assert_eq!(said["sender"]["name"], "Ann");
    let (status, gone) = gateway.rest("DELETE", ANN, Value::Null).await;
    assert_eq!(status, 204);
    documented(&gateway, "DELETE", DOCUMENTED, status, &gone).await;
    for answer in [
        gateway.rest("GET", ANN, Value::Null).await,
        gateway.rest("DELETE", ANN, Value::Null).await,
        as_user(&gateway, "bob", "GET", ANN, Value::Null).await,
    ] {
        assert_eq!((answer.0, &answer.1["code"]), (404, &json!("not_found")));
    }
    let (status, himself) = as_user(&gateway, "ann", "GET", ANN, Value::Null).await;
    assert_eq!((status, &himself["name"], &himself["updatedAt"]), (200, &json!("ann"), &Value::Null));
    documented(&gateway, "GET", DOCUMENTED, status, &himself).await;
    // He takes part as before, and what he said keeps who he was.
    let (_, next) = acting(&gateway, "ann", "POST", "/v1/conversations/c/messages", send()).await;
    assert_eq!(next["sender"], json!({"id": "ann", "name": "ann"}));
    let (history, _) = bob.history(json!({"conversationId": "c"})).await;
    assert_eq!(history[0]["sender"], said["sender"]);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_users_are_written_all_or_none_and_listed_in_pages() {
    let (app, gateway) = TestApp::with_gateway().await;
    gateway.rest("PUT", "/v1/users/user%20007", ann()).await;
    let users = |count: usize| -> Vec<Value> {
        (0..count).map(|n| json!({"id": format!("user {n:03}"), "name": format!("User {n}")})).collect()
    };
    let mut bad = users(3);
    bad.push(json!({"id": "user 900", "name": ""}));
    assert_eq!(gateway.rest("PUT", "/v1/users", json!({"users": bad})).await.0, 400);
    let (status, written) = gateway.rest("PUT", "/v1/users", json!({"users": users(500)})).await;
    assert_eq!((status, &written), (200, &json!({"created": 499, "updated": 1})), "none was written before");
    documented(&gateway, "PUT", "/v1/users", status, &written).await;
    let (mut ids, mut query) = (Vec::new(), String::from("?limit=100"));
    loop {
        let (status, page) = gateway.rest("GET", &format!("/v1/users{query}"), Value::Null).await;
        documented(&gateway, "GET", "/v1/users", status, &page).await;
        ids.extend(page["users"].as_array().unwrap().iter().map(|user| user["id"].clone()));
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        query = format!("?limit=100&cursor={cursor}");
    }
    let expected: Vec<_> = users(500).into_iter().map(|user| user["id"].clone()).collect();
    assert_eq!(ids, expected);
    assert_eq!(
        gateway.rest("PUT", "/v1/users", json!({"users": []})).await.1,
        json!({"created": 0, "updated": 0})
    );
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_is_refused_with_the_same_code_everywhere() {
    let (app, gateway) = TestApp::with_gateway().await;
    let long = |bytes: usize| "x".repeat(bytes);
    let long_path = format!("/v1/users/{}", long(129));
    let many: Vec<Value> = (0..501).map(|n| json!({"id": n.to_string(), "name": "x"})).collect();
    let named = |field: &str, value: Value| {
        let mut user = json!({"name": "Ann"});
        user[field] = value;
        user
    };
    for (method, path, body) in [
        ("PUT", ANN, json!({})),
        ("PUT", ANN, named("name", json!(7))),
        ("PUT", ANN, named("name", json!(" "))),
        ("PUT", ANN, named("name", json!(long(257)))),
        ("PUT", ANN, named("name", json!("a\u{0}b"))),
        ("PUT", ANN, named("username", json!(long(129)))),
        ("PUT", ANN, named("avatar", json!(long(2_049)))),
        ("PUT", ANN, named("email", json!(long(321)))),
        ("PUT", ANN, named("role", json!(long(65)))),
        ("PUT", ANN, named("role", json!(["admin"]))),
        ("PUT", ANN, named("metadata", json!("x"))),
        ("PUT", ANN, named("metadata", json!({"a": "\u{0}"}))),
        ("PUT", ANN, named("metadata", json!({"a": long(17_000)}))),
        ("PUT", ANN, named("age", json!(7))),
        ("PUT", ANN, named("id", json!("bob"))),
        ("PUT", &*long_path, json!({"name": "x"})),
        ("PUT", "/v1/users", json!({})),
        ("PUT", "/v1/users", json!({"users": many})),
        ("PUT", "/v1/users", json!({"users": [{"name": "x"}]})),
        ("PUT", "/v1/users", json!({"users": [{"id": "a", "name": "x", "age": 7}]})),
        ("PUT", "/v1/users", json!({"users": [{"id": "a", "name": "x"}, {"id": "a", "name": "y"}]})),
        ("GET", &*long_path, Value::Null),
        ("GET", "/v1/users?limit=101", Value::Null),
        ("GET", "/v1/users?cursor=made+up", Value::Null),
        ("GET", "/v1/users?name=ann", Value::Null),
        ("DELETE", &*long_path, Value::Null),
    ] {
        let (status, problem) = gateway.rest(method, path, body.clone()).await;
        let shown = body.to_string();
        assert_eq!(
            (status, &problem["code"]),
            (400, &json!("invalid_payload")),
            "{method} {path:.40} {shown:.80}"
        );
    }
    for (method, path, body) in [
        ("PUT", ANN, ann()),
        ("PUT", "/v1/users", json!({"users": []})),
        ("GET", "/v1/users", Value::Null),
        ("DELETE", ANN, Value::Null),
    ] {
        let (status, problem) = as_user(&gateway, "ann", method, path, body).await;
        assert_eq!((status, &problem["code"]), (403, &json!("forbidden")), "{method} {path}");
    }
    let bob = Client::connect(&gateway, "bob").await;
    for (event, payload, code) in [
        ("user:get", json!({}), "invalid_payload"),
        ("user:get", json!({"userId": 7}), "invalid_payload"),
        ("user:get", json!({"userId": long(129)}), "invalid_payload"),
        ("user:get", json!({"userId": "nobody"}), "not_found"),
        ("user:put", json!({"userId": "bob", "name": "Bob"}), "unknown_event"),
        ("user:list", json!({}), "unknown_event"),
        ("user:delete", json!({"userId": "bob"}), "unknown_event"),
    ] {
        bob.refused(event, payload, code).await;
    }
    assert_eq!(gateway.rest("GET", ANN, Value::Null).await.0, 404, "nothing was written");
    app.end().await;
}
