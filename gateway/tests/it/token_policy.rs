//! The policy `token`: a token lists the conversations that its user may use, and nothing else counts. And the policy
//! `members` beside it: what one gateway removes is over on the other.

#![cfg(test)]

use parlance_chassis::clock::Clock;
use serde_json::{Value, json};

use crate::{
    app::{Gateway, SECRET, TestApp, eventually},
    client::{Client, sign, token},
    wire::client::http,
};

const PATH: &str = "/socket.io/?EIO=4&transport=websocket";

fn listing(user: &str, conversations: &Value) -> String {
    let end = Clock::system().now_ms() / 1_000 + 3_600;
    sign(&json!({"sub": user, "exp": end, "conversations": conversations}), SECRET)
}

async fn connect(gateway: &Gateway, token: &str) -> Client {
    let client = Client::try_connect(gateway, PATH, "", json!({"token": token})).await;
    let client = client.unwrap_or_else(|refused| panic!("{refused}"));
    client.event("session:ready").await;
    client
}

async fn rest(gateway: &Gateway, token: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
    let headers = format!("Authorization: Bearer {token}\r\nContent-Type: application/json\r\n");
    let body = if method == "GET" { String::new() } else { body.to_string() };
    let answer = http(&gateway.address, method, path, &headers, &body).await;
    (answer.status, serde_json::from_str(&answer.body).unwrap_or(Value::Null))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_uses_what_his_token_lists_and_nothing_else() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("gateway.policy", "token")]).await;
    let (ann_token, bob_token) = (listing("ann", &json!(["room", 7])), listing("bob", &json!(["other"])));
    let (ann, bob) = (connect(&gateway, &ann_token).await, connect(&gateway, &bob_token).await);
    for conversation in ["room", "7"] {
        ann.join(conversation).await;
    }
    let message = ann.send("room", "hello").await;
    let (id, room) = (&message["id"], json!({"conversationId": "room"}));
    for (event, payload, code) in [
        ("conversation:join", room.clone(), "not_a_participant"),
        ("message:send", json!({"conversationId": "room", "content": "x"}), "not_a_participant"),
        ("message:history", room.clone(), "not_a_participant"),
        ("typing:start", room.clone(), "not_a_participant"),
        ("receipt:read", json!({"conversationId": "room", "seq": 1}), "not_a_participant"),
        ("call:start", json!({"conversationId": "room", "type": "audio"}), "not_a_participant"),
        ("conversation:get", room.clone(), "not_found"),
        ("message:get", json!({"messageId": id}), "not_found"),
        ("message:edit", json!({"messageId": id, "content": "x"}), "not_found"),
        ("message:delete", json!({"messageId": id}), "not_found"),
        ("reaction:add", json!({"messageId": id, "emoji": "👍"}), "not_found"),
    ] {
        bob.refused(event, payload, code).await;
    }
    let messages = "/v1/conversations/room/messages";
    assert_eq!(rest(&gateway, &bob_token, "GET", messages, Value::Null).await.0, 403);
    assert_eq!(rest(&gateway, &bob_token, "POST", messages, json!({"content": "x"})).await.0, 403);
    assert_eq!(rest(&gateway, &ann_token, "POST", messages, json!({"content": "by request"})).await.0, 201);
    let (status, page) = rest(&gateway, &ann_token, "GET", messages, Value::Null).await;
    assert_eq!((status, page["messages"].as_array().unwrap().len()), (200, 2), "{page}");
    assert_eq!(rest(&gateway, &token("carl"), "GET", messages, Value::Null).await.0, 403, "it lists nothing");
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn taking_part_counts_for_nothing_and_tells_nothing() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("gateway.policy", "token")]).await;
    let worker = app.worker().await;
    let (ann_token, bob_token) = (listing("ann", &json!(["room"])), listing("bob", &json!(["other"])));
    let (ann, bob) = (connect(&gateway, &ann_token).await, connect(&gateway, &bob_token).await);
    for id in ["room", "other"] {
        app.conversation(&gateway, id, &["ann", "bob"]).await;
    }
    bob.event("conversation:created").await;
    ann.event("conversation:created").await;
    for (client, theirs) in [(&ann, "room"), (&bob, "other")] {
        client.ping().await;
        let told: Vec<Value> =
            client.events("conversation:created").iter().map(|event| event["id"].clone()).collect();
        assert_eq!(told, [json!(theirs)], "of nothing else");
        let listed = client.ok("conversation:list", json!({})).await;
        let listed: Vec<Value> =
            listed["conversations"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
        assert_eq!(listed, [json!(theirs)]);
    }
    bob.refused("conversation:join", json!({"conversationId": "room"}), "not_a_participant").await;
    worker.stop().await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_newer_token_a_socket_leaves_at_once_what_that_does_not_list() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("gateway.policy", "token")]).await;
    let ann = connect(&gateway, &listing("ann", &json!(["kept", "lost"]))).await;
    let bob = connect(&gateway, &listing("bob", &json!(["kept", "lost"]))).await;
    for conversation in ["kept", "lost"] {
        ann.join(conversation).await;
        bob.join(conversation).await;
    }
    ann.ok("session:authenticate", json!({"token": listing("ann", &json!(["kept", "new"]))})).await;
    let left = ann.event("conversation:left").await;
    assert_eq!((&left["conversationId"], &left["reason"]), (&json!("lost"), &json!("removed")));
    bob.send("lost", "unheard").await;
    let heard = bob.send("kept", "heard").await;
    assert_eq!(ann.until("message:created", 1).await, [heard]);
    ann.ping().await;
    assert_eq!(ann.events("message:created").len(), 1);
    ann.refused("conversation:join", json!({"conversationId": "lost"}), "not_a_participant").await;
    ann.refused("message:send", json!({"conversationId": "lost", "content": "x"}), "not_a_participant").await;
    ann.join("new").await;
    app.end().await;
}

async fn notified_of(client: &Client) -> (Vec<String>, u64) {
    let page = client.ok("notification:list", json!({})).await;
    let texts = page["notifications"].as_array().unwrap().iter();
    let texts = texts.map(|one| one["text"].as_str().unwrap().to_owned()).collect();
    (texts, page["unreadCount"].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_part_is_notified_and_learns_of_it_once_his_token_lists_the_conversation() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("gateway.policy", "token")]).await;
    let worker = app.worker().await;
    app.conversation(&gateway, "room", &["ann", "bob", "carl"]).await;
    let lists = json!(["room"]);
    let ann = connect(&gateway, &listing("ann", &lists)).await;
    let bob = connect(&gateway, &listing("bob", &lists)).await;
    let carl = connect(&gateway, &listing("carl", &json!(["other"]))).await;
    // He may use the conversation, and takes no part.
    let dan = connect(&gateway, &listing("dan", &lists)).await;
    ann.send("room", "one").await;
    assert_eq!(bob.event("notification:created").await["text"], "one");
    assert_eq!(notified_of(&bob).await, (vec!["one".to_owned()], 1));
    eventually("those of one message are made together", async || {
        (app.store.unannounced_notifications(1).await.unwrap().is_empty()).then_some(())
    })
    .await;
    assert_eq!(notified_of(&carl).await, (Vec::new(), 0));
    carl.ok("session:authenticate", json!({"token": listing("carl", &lists)})).await;
    assert_eq!(notified_of(&carl).await, (vec!["one".to_owned()], 1));
    ann.send("room", "two").await;
    assert_eq!(carl.event("notification:created").await["text"], "two", "the first was kept from him");
    assert_eq!(notified_of(&dan).await, (Vec::new(), 0));
    assert!(dan.events("notification:created").is_empty());
    worker.stop().await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_uses_everything_for_whomever_it_acts() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("gateway.policy", "token")]).await;
    let ann = connect(&gateway, &listing("ann", &json!(["room"]))).await;
    ann.join("room").await;
    let headers = format!(
        "Authorization: Bearer {}\r\nX-Act-As: bob\r\nContent-Type: application/json\r\n",
        crate::app::SERVICE_KEY
    );
    let path = "/v1/conversations/room/messages";
    let answer = http(&gateway.address, "POST", path, &headers, r#"{"content":"from the shop"}"#).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(ann.event("message:created").await["senderId"], "bob");
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_is_none_is_refused() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("gateway.policy", "token")]).await;
    let many: Vec<u32> = (0..1_001).collect();
    for odd in [json!({"room": true}), json!([["room"]]), json!([""]), json!(many)] {
        let auth = json!({"token": listing("ann", &odd)});
        let refused = Client::try_connect(&gateway, PATH, "", auth).await.err().unwrap();
        assert_eq!(refused["message"], "token_invalid");
    }
    app.end().await;
}

/// The removal is made on one gateway and met on the other, where everything was cached before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_member_can_do_nothing_more_on_any_gateway_within_a_second() {
    let (app, one, other) = TestApp::with_two_gateways().await;
    app.conversation(&one, "room", &["ann", "bob"]).await;
    let (ann, bob) = (Client::connect(&one, "ann").await, Client::connect(&other, "bob").await);
    for client in [&ann, &bob] {
        client.join("room").await;
    }
    bob.send("room", "before").await;
    bob.history(json!({"conversationId": "room"})).await;
    bob.ok("typing:start", json!({"conversationId": "room"})).await;
    one.remove("room", "bob").await;
    let removed = std::time::Instant::now();
    eventually("the removal is met", async || {
        let asked = bob.call("message:history", json!({"conversationId": "room"})).await;
        (asked["ok"] == false).then_some(())
    })
    .await;
    assert!(removed.elapsed() < std::time::Duration::from_secs(1), "{:?}", removed.elapsed());
    for (event, payload) in [
        ("message:send", json!({"conversationId": "room", "content": "after"})),
        ("message:history", json!({"conversationId": "room"})),
        ("typing:start", json!({"conversationId": "room"})),
        ("receipt:read", json!({"conversationId": "room", "seq": 1})),
        ("conversation:join", json!({"conversationId": "room"})),
    ] {
        bob.refused(event, payload, "not_a_participant").await;
    }
    let path = "/v1/conversations/room/messages";
    assert_eq!(rest(&other, &token("bob"), "GET", path, Value::Null).await.0, 403);
    let heard = bob.events("message:created").len();
    let last = ann.send("room", "among ourselves").await;
    ann.until("message:created", 1).await;
    bob.ping().await;
    let told = bob.events("message:created");
    assert_eq!(told.len(), heard, "{last} is not for him");
    app.end().await;
}
