//! Clients that do not read.

use std::time::Duration;

use parlance_gateway::socket::wire::{KillReason, SlowReader, WireConfig};
use socketioxide::socket::DisconnectReason;

use super::app::{App, DEADLINE, eventually};
use super::client::{Polling, Ws};

#[tokio::test]
async fn a_websocket_that_stops_reading_is_gone_after_the_deadline() {
    let slow_reader = SlowReader { deadline: Duration::from_millis(100), bytes: 1 << 30 };
    let app = App::start(WireConfig { slow_reader, ..WireConfig::default() }).await;
    let mut client = Ws::connect(&app.address).await;
    client.send(r#"42["flood",1000]"#).await;
    assert_eq!(app.ends(1).await, [DisconnectReason::TransportError]);
    assert_eq!(app.wire().await.killed(), Some(KillReason::SlowReader));
    app.has_no_session().await;
    app.stop().await;
}

#[tokio::test]
async fn a_reader_that_owes_too_many_bytes_is_gone_at_once() {
    let slow_reader = SlowReader { deadline: DEADLINE, bytes: 1 << 20 };
    let app = App::start(WireConfig { slow_reader, ..WireConfig::default() }).await;
    let mut client = Ws::connect(&app.address).await;
    client.send(r#"42["flood",1000]"#).await;
    app.ends(1).await;
    assert_eq!(app.wire().await.killed(), Some(KillReason::SlowReader));
    app.has_no_session().await;
}

#[tokio::test]
async fn a_reader_that_reads_may_be_sent_more_than_the_bound() {
    let slow_reader = SlowReader { deadline: DEADLINE, bytes: 1 << 20 };
    let app = App::start(WireConfig { slow_reader, ..WireConfig::default() }).await;
    let mut client = Ws::connect(&app.address).await;
    for _ in 0..10 {
        client.send(r#"42["flood",10]"#).await;
        for _ in 0..10 {
            assert!(client.next().await.unwrap().starts_with(r#"42["flood","#));
        }
    }
    assert_eq!(app.wire().await.killed(), None);
    eventually("all has left", || (app.wires.snapshot()[0].outstanding() == 0).then_some(())).await;
}

#[tokio::test]
async fn a_polling_client_that_does_not_fetch_is_gone_after_the_deadline() {
    let slow_reader = SlowReader { deadline: Duration::from_millis(100), bytes: 1 << 30 };
    let app = App::start(WireConfig { slow_reader, ..WireConfig::default() }).await;
    let client = Polling::connect(&app.address).await;
    client.post(r#"42["flood",1]"#).await;
    assert_eq!(app.ends(1).await, [DisconnectReason::TransportClose]);
    assert_eq!(app.wire().await.killed(), Some(KillReason::SlowReader));
    app.has_no_session().await;
}
