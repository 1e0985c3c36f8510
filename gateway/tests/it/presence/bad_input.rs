//! What is refused, by socket and request alike.

use serde_json::{Value, json};

use crate::{
    app::TestApp,
    client::{Client, assert_refused},
    conversations::{acting, as_user},
    openapi::documented,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statuses_and_users_that_do_not_fit_are_refused() {
    let (app, gateway) = TestApp::with_gateway().await;
    let ann = Client::connect(&gateway, "ann").await;
    let too_many: Vec<String> = (0..501).map(|n| format!("u{n}")).collect();
    let statuses = [
        json!({}),
        json!({"status": null}),
        json!({"status": ""}),
        json!({"status": "Online"}),
        json!({"status": "invisible"}),
        json!({"status": "x".repeat(100_000)}),
        json!({"status": 1}),
        json!({"status": true}),
        json!({"status": ["away"]}),
        json!({"status": {"status": "away"}}),
    ];
    for body in statuses {
        let by_socket = ann.refused("presence:set", body.clone(), "invalid_payload").await;
        let (status, problem) = as_user(&gateway, "ann", "PUT", "/v1/users/ann/presence", body.clone()).await;
        assert_eq!((status, &problem["code"]), (400, &json!("invalid_payload")), "{body:.200}");
        assert_eq!(problem["detail"], by_socket["message"], "{body:.200}");
        documented(&gateway, "PUT", "/v1/users/{user}/presence", status, &problem).await;
    }
    let users = [
        json!({}),
        json!({"userIds": null}),
        json!({"userIds": []}),
        json!({"userIds": "ann"}),
        json!({"userIds": {"0": "ann"}}),
        json!({"userIds": [1]}),
        json!({"userIds": ["ann", null]}),
        json!({"userIds": [""]}),
        json!({"userIds": ["a\nb"]}),
        json!({"userIds": ["a".repeat(129)]}),
        json!({"userIds": too_many}),
    ];
    for payload in users {
        ann.refused("presence:get", payload, "invalid_payload").await;
    }
    ann.ok("presence:set", json!({"status": "away"})).await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_that_nobody_gave_are_refused() {
    let (app, gateway) = TestApp::with_gateway().await;
    let cursor = |place: Value| {
        use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
        BASE64_URL_SAFE_NO_PAD.encode(place.to_string())
    };
    let queries = [
        "limit=0".to_owned(),
        "limit=501".to_owned(),
        "limit=-1".to_owned(),
        "limit=many".to_owned(),
        "cursor=made-up".to_owned(),
        format!("cursor={}", cursor(json!([0]))),
        format!("cursor={}", cursor(json!([2, "ann"]))),
        format!("cursor={}", cursor(json!([-1, "ann"]))),
        format!("cursor={}", cursor(json!([65_536, "ann"]))),
        format!("cursor={}", cursor(json!([0, ""]))),
        format!("cursor={}", cursor(json!([0, "a\u{0}"]))),
        format!("cursor={}", "A".repeat(4_000)),
        "users=ann".to_owned(),
    ];
    for query in queries {
        let (status, problem) = gateway.rest("GET", &format!("/v1/presence?{query}"), json!({})).await;
        assert_eq!((status, &problem["code"]), (400, &json!("invalid_payload")), "{query:.100} {problem}");
        documented(&gateway, "GET", "/v1/presence", status, &problem).await;
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_belongs_to_others_or_to_backends_is_refused() {
    let (app, gateway) = TestApp::with_gateway().await;
    let ann = Client::connect(&gateway, "ann").await;
    let away = || json!({"status": "away"});
    let others = "/v1/users/bob/presence";
    for (status, problem) in [
        as_user(&gateway, "ann", "PUT", others, away()).await,
        acting(&gateway, "ann", "PUT", others, away()).await,
        as_user(&gateway, "ann", "GET", "/v1/presence", Value::Null).await,
        as_user(&gateway, "ann", "GET", "/v1/users/ann/sessions", Value::Null).await,
    ] {
        assert_eq!((status, &problem["code"]), (403, &json!("forbidden")), "{problem}");
    }
    // What is for backends has no event.
    for event in ["presence:list", "session:list"] {
        assert_refused(&ann.call(event, json!({"userId": "ann"})).await, "unknown_event");
    }
    let (status, presence) = as_user(&gateway, "ann", "GET", others, Value::Null).await;
    assert_eq!((status, &presence["status"]), (200, &json!("offline")));
    let too_long = format!("/v1/users/{}/presence", "b".repeat(129));
    assert_eq!(gateway.rest("GET", &too_long, Value::Null).await.0, 400);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whose_presence_may_be_asked_for_is_the_operators_choice() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("gateway.presence_readers", "backends")]).await;
    let ann = Client::connect(&gateway, "ann").await;
    ann.refused("presence:get", json!({"userIds": ["ann", "bob"]}), "forbidden").await;
    let others = "/v1/users/bob/presence";
    let (status, problem) = as_user(&gateway, "ann", "GET", others, Value::Null).await;
    assert_eq!((status, &problem["code"]), (403, &json!("forbidden")), "{problem}");
    let own = ann.call("presence:get", json!({"userIds": ["ann"]})).await;
    assert_eq!(own["ok"], true, "{own}");
    assert_eq!(gateway.rest("GET", others, Value::Null).await.0, 200);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_no_socket_has_no_status_to_choose() {
    let (app, gateway) = TestApp::with_gateway().await;
    for (status, problem) in [
        as_user(&gateway, "ann", "PUT", "/v1/users/ann/presence", json!({"status": "away"})).await,
        acting(&gateway, "ann", "PUT", "/v1/users/ann/presence", json!({"status": "away"})).await,
        gateway.rest("PUT", "/v1/users/ann/presence", json!({"status": "offline"})).await,
    ] {
        assert_eq!((status, &problem["code"]), (409, &json!("conflict")), "{problem}");
        documented(&gateway, "PUT", "/v1/users/{user}/presence", status, &problem).await;
    }
    app.end().await;
}
