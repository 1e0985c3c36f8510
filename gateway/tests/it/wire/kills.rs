//! The kill switch: transports that the gateway ends.

use std::sync::Arc;

use parlance_gateway::socket::wire::{KillReason, WireConfig};
use socketioxide::socket::DisconnectReason;

use super::app::{App, DEADLINE, while_polling};
use super::client::{Polling, Ws};

#[tokio::test]
async fn a_kill_ends_a_websocket_at_once_with_a_close_frame() {
    let app = App::start(WireConfig::default()).await;
    let mut client = Ws::connect(&app.address).await;
    let wire = app.wire().await;
    assert!(wire.kill(KillReason::Drain));
    assert!(!wire.kill(KillReason::Overload), "a wire is killed once");
    assert!(client.next().await.is_none(), "no DISCONNECT packet is sent");
    assert_eq!(client.close_code(), Some(1001));
    assert_eq!(app.ends(1).await, [DisconnectReason::TransportError]);
    assert_eq!(wire.killed(), Some(KillReason::Drain));
    app.has_no_session().await;
    app.stop().await;
}

#[tokio::test]
async fn a_kill_answers_the_pending_poll_with_a_close_packet_and_the_session_is_gone() {
    let app = App::start(WireConfig::default()).await;
    let client = Polling::connect(&app.address).await;
    let wire = app.wire().await;
    client.drain().await;
    let answer = while_polling(&client, &wire, async { assert!(wire.kill(KillReason::Drain)) }).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "1"));
    assert_eq!(app.ends(1).await, [DisconnectReason::TransportClose]);
    app.has_no_session().await;
    assert_eq!(client.get().await.status, 400);
    assert_eq!(client.post("3").await.status, 400);
    app.stop().await;
}

#[tokio::test]
async fn a_polling_client_between_two_polls_learns_of_its_end_once() {
    let app = App::start(WireConfig::default()).await;
    let client = Polling::connect(&app.address).await;
    app.wire().await.kill(KillReason::Drain);
    app.ends(1).await;
    app.has_no_session().await;
    let answer = client.get().await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "1"));
    assert_eq!(client.get().await.status, 400);
}

#[tokio::test]
async fn a_kill_in_the_middle_of_an_upgrade_ends_the_session() {
    let app = App::start(WireConfig::default()).await;
    let polling = Polling::connect(&app.address).await;
    let mut client = polling.upgrade().await.unwrap();
    app.wire().await.kill(KillReason::Drain);
    assert!(client.next().await.is_none());
    app.ends(1).await;
    app.has_no_session().await;
    assert_eq!(polling.post("3").await.status, 400);
}

#[tokio::test]
async fn a_stop_ends_every_session_and_answers_the_waiting_poll() {
    let app = App::start(WireConfig::default()).await;
    let mut websocket = Ws::connect(&app.address).await;
    let polling = Polling::connect(&app.address).await;
    polling.drain().await;
    let wires = Arc::clone(&app.wires);
    let wire = app.wire().await;
    let answer = while_polling(&polling, &wire, app.stop()).await;
    assert_eq!(answer.body, "1");
    assert!(websocket.next().await.is_none());
    tokio::time::timeout(DEADLINE, wires.emptied()).await.unwrap();
}
