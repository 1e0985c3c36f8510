//! What a user makes others see of him, however he does it.

use serde_json::{Value, json};

use crate::{
    app::{SERVICE_KEY, TestApp},
    client::{Client, assert_refused, token},
    wire::client::http,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statuses_of_sockets_and_requests_share_one_rate_and_backends_are_exempt() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("limits.statuses_per_second", "1"), ("limits.statuses_burst", "2")]).await;
    let ann = Client::connect(&gateway, "ann").await;
    let put = async |authorization: &str, user: &str| {
        let headers = format!("Authorization: Bearer {authorization}\r\nContent-Type: application/json\r\n");
        let path = format!("/v1/users/{user}/presence");
        http(&gateway.address, "PUT", &path, &headers, r#"{"status":"busy"}"#).await
    };
    let begun = std::time::Instant::now();
    let mut taken = 0;
    for status in ["away", "busy", "away", "busy", "away", "busy"] {
        taken += u64::from(ann.call("presence:set", json!({"status": status})).await["ok"] == true);
    }
    assert!((2..=3 + begun.elapsed().as_secs()).contains(&taken), "{taken}");
    let error = assert_refused(&ann.call("presence:set", json!({"status": "away"})).await, "rate_limited");
    assert!((1..=1_000).contains(&error["retryAfterMs"].as_u64().unwrap()), "{error}");
    let refused = put(&token("ann"), "ann").await;
    assert_eq!(refused.status, 429, "{}", refused.body);
    for _ in 0..6 {
        let answer = put(&format!("{SERVICE_KEY}\r\nX-Act-As: ann"), "ann").await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_begins_to_write_too_often_is_acknowledged_and_his_stop_is_told() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("limits.typing_per_second", "1"), ("limits.typing_burst", "1")]).await;
    let (ann, bob) = (Client::connect(&gateway, "ann").await, Client::connect(&gateway, "bob").await);
    let conversations: Vec<String> = (0..12).map(|n| format!("c{n}")).collect();
    for id in &conversations {
        app.conversation(&gateway, id, &["ann", "bob"]).await;
        bob.join(id).await;
    }
    let begun = std::time::Instant::now();
    for id in &conversations {
        ann.ok("typing:start", json!({"conversationId": id})).await;
    }
    let most = 2 + usize::try_from(begun.elapsed().as_secs()).unwrap();
    ann.ok("typing:stop", json!({"conversationId": "c0"})).await;
    bob.event("typing:stopped").await;
    let told = bob.events("typing:started").len();
    assert!((1..=most.min(conversations.len() - 1)).contains(&told), "{told}");
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn joins_of_all_sockets_of_a_user_share_one_rate() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("limits.joins_per_second", "1"), ("limits.joins_burst", "2")]).await;
    let (ann, again) = (Client::connect(&gateway, "ann").await, Client::connect(&gateway, "ann").await);
    app.conversation(&gateway, "c", &["ann", "bob"]).await;
    let mut last = Value::Null;
    for _ in 0..4 {
        for client in [&ann, &again] {
            last = client.call("conversation:join", json!({"conversationId": "c"})).await;
            if last["ok"] != true {
                break;
            }
        }
    }
    let error = assert_refused(&last, "rate_limited");
    assert!((1..=1_000).contains(&error["retryAfterMs"].as_u64().unwrap()), "{error}");
    Client::connect(&gateway, "bob").await.join("c").await;
    app.end().await;
}
