//! Messages of a user, however they are sent.

use serde_json::{Value, json};

use crate::{
    app::{Gateway, SERVICE_KEY, TestApp},
    client::{Client, assert_refused, token},
    wire::client::{Answer, http},
};

const FEW: &[(&str, &str)] = &[("limits.sends_per_second", "1"), ("limits.sends_burst", "4")];

async fn post(gateway: &Gateway, authorization: &str) -> Answer {
    let headers = format!("Authorization: Bearer {authorization}\r\nContent-Type: application/json\r\n");
    let body = json!({"content": "by REST"}).to_string();
    http(&gateway.address, "POST", "/v1/conversations/c/messages", &headers, &body).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_users_sockets_and_requests_share_one_rate_and_backends_are_exempt() {
    let app = TestApp::new().await;
    let gateway = app.gateway(FEW).await;
    app.conversation(&gateway, "c", &["ann", "bob"]).await;
    let (ann, again) = (Client::connect(&gateway, "ann").await, Client::connect(&gateway, "ann").await);
    let own = token("ann");
    let say = json!({"conversationId": "c", "content": "by socket"});
    // Eight at once: the burst is four, and at most one more comes within a second each.
    let begun = std::time::Instant::now();
    let mut taken = 0;
    for _ in 0..3 {
        for client in [&ann, &again] {
            taken += usize::from(client.call("message:send", say.clone()).await["ok"] == true);
        }
        taken += usize::from(post(&gateway, &own).await.status == 201);
    }
    let most = 4 + usize::try_from(begun.elapsed().as_secs()).unwrap() + 1;
    assert!((4..=most.min(8)).contains(&taken), "{taken}");
    let error = assert_refused(&ann.call("message:send", say.clone()).await, "rate_limited");
    assert!((1..=1_000).contains(&error["retryAfterMs"].as_u64().unwrap()), "{error}");
    let refused = post(&gateway, &own).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")), "{}", refused.body);
    let problem: Value = serde_json::from_str(&refused.body).unwrap();
    assert_eq!(problem["code"], "rate_limited");
    assert!((1..=1_000).contains(&problem["retryAfterMs"].as_u64().unwrap()), "{problem}");

    for _ in 0..8 {
        assert_eq!(post(&gateway, &format!("{SERVICE_KEY}\r\nX-Act-As: ann")).await.status, 201);
    }
    Client::connect(&gateway, "bob").await.send("c", "his own").await;
    app.end().await;
}
