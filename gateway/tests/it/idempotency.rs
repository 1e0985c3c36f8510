//! `Idempotency-Key`: a repeated request is answered as the first one and not carried out again.

#![cfg(test)]

use fred::{interfaces::KeysInterface, types::scan::Scanner};
use futures_util::TryStreamExt;
use serde_json::{Value, json};

use crate::{
    app::{Gateway, SERVICE_KEY, TestApp, eventually},
    client::token,
    lock::{Lock, blocked},
    proxy::Proxy,
    wire::client::{Answer, http},
};

const MESSAGES: &str = "/v1/conversations/c/messages";

async fn post(gateway: &Gateway, user: &str, key: &str, path: &str, body: &Value) -> Answer {
    let headers = format!(
        "Authorization: Bearer {}\r\nContent-Type: application/json\r\nIdempotency-Key: {key}\r\n",
        token(user)
    );
    http(&gateway.address, "POST", path, &headers, &body.to_string()).await
}

fn code(answer: &Answer) -> String {
    let body: Value = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
    body["code"].as_str().unwrap_or_default().to_owned()
}

async fn count(gateway: &Gateway) -> usize {
    let (_, page) = gateway.rest("GET", MESSAGES, json!({})).await;
    page["messages"].as_array().unwrap().len()
}

/// The keys in Redis that hold requests and answers, with how long they live, in seconds.
async fn kept(app: &TestApp) -> Vec<(String, i64)> {
    let client = app.broker.client();
    let mut pages = client.scan(format!("{}*:idempotency:*", app.broker.config().prefix), Some(1_000), None);
    let mut kept = Vec::new();
    while let Some(mut page) = pages.try_next().await.unwrap() {
        for key in page.take_results().unwrap_or_default() {
            let ttl: i64 = client.ttl(&key).await.unwrap();
            kept.push((key.into_string().unwrap(), ttl));
        }
        page.next();
    }
    kept
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_request_is_answered_as_the_first_by_any_gateway() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["ann", "bob"]).await;
    let hello = json!({"content": "hello"});
    let first = post(&here, "ann", "k1", MESSAGES, &hello).await;
    assert_eq!((first.status, first.header("idempotency-replayed")), (201, None), "{}", first.body);
    let again = post(&there, "ann", "k1", MESSAGES, &hello).await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.header("content-type"), first.header("content-type"));
    assert_eq!(count(&here).await, 1);

    let reused = post(&here, "ann", "k1", MESSAGES, &json!({"content": "other"})).await;
    assert_eq!((reused.status, &*code(&reused)), (422, "idempotency_key_reused"));
    // Keys are of one caller and of one thing to do.
    assert_eq!(post(&here, "bob", "k1", MESSAGES, &hello).await.header("idempotency-replayed"), None);
    app.conversation(&here, "d", &["ann"]).await;
    let elsewhere = post(&here, "ann", "k1", "/v1/conversations/d/messages", &hello).await;
    assert_eq!((elsewhere.status, elsewhere.header("idempotency-replayed")), (201, None));
    assert_eq!(count(&here).await, 2);

    let kept = kept(&app).await;
    assert_eq!(kept.len(), 3);
    for (name, ttl) in kept {
        assert!((80_000..=86_400).contains(&ttl), "{name} lives {ttl} s");
        assert!(!name.contains("k1") && !name.contains("ann"), "{name}");
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_s_key_is_of_the_user_it_acts_for() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann", "bob"]).await;
    let send = async |user: &str| {
        let headers = format!(
            "X-Api-Key: {SERVICE_KEY}\r\nX-Act-As: {user}\r\nContent-Type: application/json\r\nIdempotency-Key: k\r\n"
        );
        http(&gateway.address, "POST", MESSAGES, &headers, "{\"content\":\"x\"}").await
    };
    let (ann, bob, again) = (send("ann").await, send("bob").await, send("ann").await);
    assert_eq!(
        (ann.status, bob.status, again.body == ann.body, bob.body == ann.body),
        (201, 201, true, false)
    );
    assert!(kept(&app).await.iter().all(|(name, _)| !name.contains(SERVICE_KEY)));
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_first_runs_a_repetition_is_told_to_wait() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("postgres.statement_deadline", "30s")]).await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let hello = json!({"content": "hello"});
    let lock = Lock::on(&app, "participants").await;
    let first = post(&gateway, "ann", "k", MESSAGES, &hello);
    let meanwhile = async {
        blocked(&app.store, 1).await;
        let second = post(&gateway, "ann", "k", MESSAGES, &hello).await;
        assert_eq!((second.status, &*code(&second)), (409, "idempotency_in_progress"));
        assert_eq!(second.header("retry-after"), Some("1"));
        let other = post(&gateway, "ann", "k", MESSAGES, &json!({"content": "other"})).await;
        assert_eq!((other.status, &*code(&other)), (422, "idempotency_key_reused"));
        lock.release().await;
    };
    let (first, ()) = tokio::join!(first, meanwhile);
    assert_eq!(first.status, 201);
    assert_eq!(post(&gateway, "ann", "k", MESSAGES, &hello).await.body, first.body);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_hangs_up_finds_the_answer_when_they_come_back() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("postgres.statement_deadline", "30s")]).await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let hello = json!({"content": "hello"});
    let lock = Lock::on(&app, "participants").await;
    {
        let first = std::pin::pin!(post(&gateway, "ann", "k", MESSAGES, &hello));
        let running = std::pin::pin!(blocked(&app.store, 1));
        futures_util::future::select(first, running).await;
    }
    lock.release().await;
    let answer = eventually("the first one ends", async || {
        Some(post(&gateway, "ann", "k", MESSAGES, &hello).await).filter(|answer| answer.status != 409)
    });
    let answer = answer.await;
    assert_eq!(
        (answer.status, answer.header("idempotency-replayed")),
        (201, Some("true")),
        "{}",
        answer.body
    );
    assert_eq!(count(&gateway).await, 1);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_succeed_later_is_tried_again() {
    let app = TestApp::new().await;
    let proxy = Proxy::before(&app.database_url()).await;
    let gateway = app.gateway(&[("postgres.url", proxy.url()), ("postgres.statement_deadline", "2s")]).await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let hello = json!({"content": "hello"});
    proxy.cut();
    let failed = post(&gateway, "ann", "k", MESSAGES, &hello).await;
    assert_eq!((failed.status, &*code(&failed)), (503, "unavailable"));
    assert!(kept(&app).await.is_empty(), "the key is free again");
    proxy.mend();
    let sent = eventually("postgres is back", async || {
        Some(post(&gateway, "ann", "k", MESSAGES, &hello).await).filter(|answer| answer.status == 201)
    });
    assert_eq!(sent.await.header("idempotency-replayed"), None);
    // A refusal that stays one is an answer like any other.
    let refused = post(&gateway, "eve", "k", MESSAGES, &hello).await;
    let again = post(&gateway, "eve", "k", MESSAGES, &hello).await;
    assert_eq!(
        (refused.status, again.status, again.header("content-type")),
        (403, 403, refused.header("content-type"))
    );
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_not_sent_twice_even_when_its_answer_was_not_kept() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let hello = json!({"content": "hello"});
    let first = post(&gateway, "ann", "k", MESSAGES, &hello).await;
    assert_eq!(first.status, 201);
    for (name, _) in kept(&app).await {
        let _: u64 = app.broker.client().del(name).await.unwrap();
    }
    let again = post(&gateway, "ann", "k", MESSAGES, &hello).await;
    assert_eq!((again.status, again.header("idempotency-replayed")), (201, None));
    assert_eq!((again.body, count(&gateway).await), (first.body, 1));
    let named = json!({"content": "hello", "clientId": "own"});
    let own = post(&gateway, "ann", "k2", MESSAGES, &named).await;
    assert!(own.body.contains("\"clientId\":\"own\""), "{}", own.body);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_none_is_refused_and_nothing_is_done() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let hello = json!({"content": "hello"});
    for wrong in [
        String::new(),
        "a b".to_owned(),
        "ä".to_owned(),
        "a".repeat(256),
        "a\r\nIdempotency-Key: b".to_owned(),
    ] {
        let answer = post(&gateway, "ann", &wrong, MESSAGES, &hello).await;
        assert_eq!((answer.status, &*code(&answer)), (400, "invalid_payload"), "{wrong}");
    }
    assert_eq!(count(&gateway).await, 0);
    assert_eq!(post(&gateway, "ann", &"~".repeat(255), MESSAGES, &hello).await.status, 201);
    let nobody = "Content-Type: application/json\r\nIdempotency-Key: k\r\n";
    assert_eq!(http(&gateway.address, "POST", MESSAGES, nobody, "{}").await.status, 401);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_too_large_is_not_kept() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let long = json!({"content": "x".repeat(300_000)});
    assert_eq!(post(&gateway, "ann", "k", MESSAGES, &long).await.status, 201);
    assert!(kept(&app).await.is_empty());
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_nothing_is_promised() {
    let app = TestApp::new().await;
    let proxy = Proxy::before(&app.redis_url()).await;
    let settings = [("redis.url", proxy.url()), ("redis.command_deadline", "1s")];
    let gateway = app.gateway(&settings).await;
    proxy.cut();
    let body = json!({"id": "c", "participants": []});
    let headers =
        format!("X-Api-Key: {SERVICE_KEY}\r\nContent-Type: application/json\r\nIdempotency-Key: k\r\n");
    let answer = http(&gateway.address, "POST", "/v1/conversations", &headers, &body.to_string()).await;
    assert_eq!((answer.status, &*code(&answer)), (503, "unavailable"));
    proxy.mend();
    let answer = eventually("redis is back", async || {
        let answer = http(&gateway.address, "POST", "/v1/conversations", &headers, &body.to_string()).await;
        (answer.status != 503).then_some(answer)
    });
    assert_eq!(answer.await.status, 201, "nothing was created while redis was away");
    app.end().await;
}
