//! What is refused, and with which code.

use axum::body::Body;
use http::Request;
use parlance_chassis::lifecycle::Lifecycle;
use parlance_gateway::{
    socket::wire::{self, WireConfig},
    web::origins::{Allowed, AllowedNow, Origins},
};
use socketioxide::SocketIo;
use tower::ServiceExt;

use super::app::App;
use super::client::{Polling, Ws, http};

#[tokio::test]
async fn an_oversized_frame_ends_that_connection_only() {
    let app = App::start(WireConfig { max_message_bytes: 1000, ..WireConfig::default() }).await;
    let mut good = Ws::connect(&app.address).await;
    let mut bad = Ws::connect(&app.address).await;
    bad.send(&format!(r#"42["echo","{}"]"#, "x".repeat(2000))).await;
    assert!(bad.next().await.is_none());
    good.send(r#"42["echo","hi"]"#).await;
    assert_eq!(good.next().await.unwrap(), r#"42["echo","hi"]"#);
    assert_eq!(app.ends(1).await.len(), 1);
    assert_eq!(app.wires.len(), 1);
}

#[tokio::test]
async fn an_oversized_post_is_refused_and_ends_its_session() {
    let app = App::start(WireConfig { max_payload_bytes: 1000, ..WireConfig::default() }).await;
    let client = Polling::connect(&app.address).await;
    let body = format!(r#"42["echo","{}"]"#, "x".repeat(2000));
    assert_eq!(client.post(&body).await.status, 413);
    app.ends(1).await;
    app.has_no_session().await;
}

#[tokio::test]
async fn a_foreign_origin_is_refused_and_a_listed_one_is_echoed() {
    let origins = AllowedNow::new(Allowed::by([&Origins::List(vec!["https://app.example".to_owned()])]));
    let app = App::start(WireConfig { origins, ..WireConfig::default() }).await;
    let websocket = "/socket.io/?EIO=4&transport=websocket";
    let polling = "/socket.io/?EIO=4&transport=polling";
    let foreign = "Origin: https://evil.example\r\n";
    let listed = "Origin: https://app.example\r\n";
    assert_eq!(Ws::open(&app.address, websocket, foreign).await.err(), Some(403));
    assert!(Ws::open(&app.address, websocket, listed).await.is_ok());
    assert_eq!(http(&app.address, "GET", polling, foreign, "").await.status, 403);
    let open = http(&app.address, "GET", polling, listed, "").await;
    assert_eq!(open.header("access-control-allow-origin"), Some("https://app.example"));
    assert_eq!(open.header("access-control-allow-credentials"), Some("true"));
    assert!(open.header("vary").is_some_and(|vary| vary.contains("origin")), "{:?}", open.header("vary"));
    let asking = "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: x-my-own\r\n";
    let preflight = http(&app.address, "OPTIONS", polling, &format!("{listed}{asking}"), "").await;
    assert_eq!(preflight.status, 200);
    assert_eq!(preflight.header("access-control-allow-origin"), Some("https://app.example"));
    assert_eq!(
        preflight.header("access-control-allow-headers"),
        Some("x-my-own"),
        "`extraHeaders` of a client"
    );
    assert!(preflight.header("access-control-allow-methods").is_some_and(|methods| methods.contains("POST")));
    assert_eq!(http(&app.address, "OPTIONS", polling, &format!("{foreign}{asking}"), "").await.status, 403);
}

#[tokio::test]
async fn what_is_no_session_is_refused_with_a_code() {
    let app = App::start(WireConfig::default()).await;
    let get = async |query: &str| {
        let answer = http(&app.address, "GET", &format!("/socket.io/?{query}"), "", "").await;
        (answer.status, answer.body)
    };
    let unknown = r#"{"code":1,"message":"Session ID unknown"}"#.to_owned();
    assert_eq!(get("EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAA").await, (400, unknown));
    assert_eq!(get("EIO=3&transport=polling").await.0, 400);
    assert_eq!(get("EIO=4&transport=carrier-pigeon").await.0, 400);
    assert_eq!(get("EIO=4&transport=websocket").await.0, 426);
    assert!(app.wires.is_empty());
}

#[tokio::test]
async fn an_endpoint_whose_entrance_is_closed_opens_no_session() {
    let lifecycle = Lifecycle::without_signals();
    let handle = lifecycle.handle();
    let (router, _io, wires) = wire::build(SocketIo::builder(), WireConfig::default(), &handle).unwrap();
    wires.close_entrance();
    let request = Request::get("/socket.io/?EIO=4&transport=polling").body(Body::empty()).unwrap();
    let answer = router.oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "1");
    assert!(wires.is_empty());
}
