//! Streams that have no lane, and that nobody can tell the difference.

use std::convert::Infallible;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parlance_gateway::dialect::{Audience, Frame};
use parlance_gateway::socket::wire::WireConfig;
use serde_json::value::RawValue;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tower::ServiceExt;

use super::super::client::Ws;
use super::app::{App, number};

#[tokio::test]
async fn a_stream_that_is_not_the_listeners_goes_through_the_engine() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (app, router) = App::build(WireConfig::default(), address);
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = service_fn(move |request| {
            let router = router.clone();
            async move { Ok::<_, Infallible>(router.oneshot(request).await.unwrap()) }
        });
        http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await.unwrap();
    });
    says_everything_without_a_lane(app).await;
}

#[tokio::test]
async fn a_lane_can_be_turned_off() {
    says_everything_without_a_lane(
        App::start(WireConfig { fast_lane: false, ..WireConfig::default() }).await,
    )
    .await;
}

async fn says_everything_without_a_lane(app: App) {
    let mut client = Ws::connect(&app.address).await;
    let speaker = app.speaker(0).await;
    let mut saying = JoinSet::new();
    saying.spawn(speaker.clone().say_many(500, 100));
    client.send("421[\"ask\"]").await;
    for expected in 0..=500 {
        assert_eq!(number(&client.next().await.unwrap(), ""), expected);
    }
    assert!(speaker.wire().open_lane(&"/".into(), |_, _| panic!("no marker is emitted")).is_none());
}

#[tokio::test]
async fn packets_are_the_same_with_a_lane_and_without() {
    let mut packets = Vec::new();
    for fast_lane in [true, false] {
        let app = App::start(WireConfig { fast_lane, ..WireConfig::default() }).await;
        packets.push(some_of_each_kind(&app).await);
    }
    assert_eq!(packets[0], packets[1]);
}

async fn some_of_each_kind(app: &App) -> Vec<String> {
    let mut client = Ws::connect(&app.address).await;
    client.send("40/other,").await;
    assert!(client.next().await.unwrap().starts_with("40/other,"));
    let mut packets = Vec::new();
    for (index, prefix) in ["", "/other,"].into_iter().enumerate() {
        let session = app.speaker(index).await.session;
        for payload in
            [None, Some("1"), Some("[1,2]"), Some(r#"{"b":"ü\n","a":[]}"#), Some("null"), Some("\"x\"")]
        {
            let payload = payload.map(|payload| RawValue::from_string(payload.to_owned()).unwrap());
            session.emit(&Frame { event: "a \"b\" ü".into(), payload, audience: Audience::Everyone });
            packets.push(client.next().await.unwrap());
        }
        for ack in ["0", "7", "123456"] {
            client.send(&format!("42{prefix}{ack}[\"ask\"]")).await;
            packets.push(client.next().await.unwrap());
        }
    }
    packets
}
