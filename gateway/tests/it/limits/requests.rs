//! Requests of REST, of users and of strangers.

use serde_json::{Value, json};

use crate::{
    app::{Gateway, SERVICE_KEY, TestApp},
    client::token,
    wire::client::{Answer, http},
};

const FEW: &[(&str, &str)] = &[
    ("limits.requests_per_second", "1"),
    ("limits.requests_burst", "3"),
    ("limits.connects_per_second", "1"),
    ("limits.connects_burst", "3"),
];

async fn get(gateway: &Gateway, path: &str, headers: &str) -> Answer {
    http(&gateway.address, "GET", path, headers, "").await
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// Asks until it is refused for being too fast: how often it was answered otherwise, and the refusal.
async fn until_refused(ask: impl AsyncFn() -> Answer, otherwise: u16) -> (usize, Answer) {
    for answered in 0..100 {
        let answer = ask().await;
        if answer.status == 429 {
            return (answered, answer);
        }
        assert_eq!(answer.status, otherwise, "{}", answer.body);
    }
    panic!("nothing is refused");
}

fn assert_tells_when_to_come_back(refused: &Answer) {
    let problem: Value = serde_json::from_str(&refused.body).unwrap();
    assert_eq!(problem["code"], "rate_limited");
    assert!((1..=1_000).contains(&problem["retryAfterMs"].as_u64().unwrap()), "{problem}");
    assert_eq!(refused.header("retry-after"), Some("1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_users_requests_have_a_rate_and_those_of_backends_have_none() {
    let app = TestApp::new().await;
    let gateway = app.gateway(FEW).await;
    let (ann, bob) = (bearer(&token("ann")), bearer(&token("bob")));
    let (answered, refused) =
        until_refused(async || get(&gateway, "/v1/conversations", &ann).await, 200).await;
    assert!((3..=10).contains(&answered), "{answered}");
    assert_tells_when_to_come_back(&refused);
    assert_eq!(get(&gateway, "/v1/conversations", &bob).await.status, 200);
    for _ in 0..10 {
        assert_eq!(get(&gateway, "/v1/users", &bearer(SERVICE_KEY)).await.status, 200);
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_counts_once_however_often_it_is_asked_whose_it_is() {
    let app = TestApp::new().await;
    let slow = [("limits.requests_per_second", "1"), ("limits.requests_burst", "4")];
    let gateway = app.gateway(&slow).await;
    app.conversation(&gateway, "c", &["ann"]).await;
    for n in 0..4 {
        let headers = format!(
            "{}Idempotency-Key: key-{n}\r\nContent-Type: application/json\r\n",
            bearer(&token("ann"))
        );
        let body = json!({"content": "once"}).to_string();
        let path = "/v1/conversations/c/messages";
        assert_eq!(http(&gateway.address, "POST", path, &headers, &body).await.status, 201, "{n}");
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_shows_nothing_valid_is_counted_by_address_and_shuts_out_nobody_else() {
    let app = TestApp::new().await;
    let gateway = app.gateway(FEW).await;
    // What a client writes into the header itself does not make it another address.
    let guess = async || {
        let forged = format!("{}X-Forwarded-For: 10.0.0.{}\r\n", bearer("guessed"), rand::random::<u8>());
        get(&gateway, "/v1/conversations", &forged).await
    };
    let (answered, refused) = until_refused(guess, 401).await;
    assert!((3..=10).contains(&answered), "{answered}");
    assert_tells_when_to_come_back(&refused);
    let (_, refused) = until_refused(async || get(&gateway, "/no-such-path", "").await, 404).await;
    assert_tells_when_to_come_back(&refused);
    for _ in 0..10 {
        assert_eq!(get(&gateway, "/health", "").await.status, 200);
        assert_eq!(get(&gateway, "/v1/users", &bearer(SERVICE_KEY)).await.status, 200);
    }
    assert_eq!(get(&gateway, "/v1/conversations", &bearer(&token("ann"))).await.status, 200);
    app.end().await;
}
