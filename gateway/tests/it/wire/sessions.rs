//! Sessions on both transports, from open to the last trace.

use std::time::Duration;

use parlance_gateway::socket::wire::{KillReason, SocketPath, SocketPaths, Transport, WireConfig};
use socketioxide::socket::DisconnectReason;

use super::app::{App, eventually};
use super::client::{Polling, Ws, http};

#[tokio::test]
async fn a_websocket_talks_and_its_end_leaves_nothing() {
    let app = App::start(WireConfig::default()).await;
    let mut client = Ws::connect(&app.address).await;
    client.send(r#"42["echo","hi"]"#).await;
    assert_eq!(client.next().await.unwrap(), r#"42["echo","hi"]"#);
    let wire = app.wire().await;
    assert_eq!(wire.transport(), Transport::WebSocket);
    assert!(wire.bytes_received() > 0 && wire.bytes_sent() > 0);
    assert_eq!(wire.address().unwrap().to_string(), "127.0.0.1");
    drop(client);
    app.ends(1).await;
    app.has_no_session().await;
    assert!(wire.closed() && wire.killed().is_none());
    app.stop().await;
}

#[tokio::test]
async fn the_handshake_is_kept_with_the_session() {
    let app = App::start(WireConfig { trusted_hops: 1, ..WireConfig::default() }).await;
    let headers = "Authorization: Bearer t0ken\r\nX-Forwarded-For: 9.9.9.9, 1.2.3.4\r\nCookie: a=b\r\nUser-Agent: test\r\n";
    let client =
        Ws::open(&app.address, "/socket.io/?EIO=4&transport=websocket&token=q", headers).await.unwrap();
    let client = client.joined().await;
    let wire = app.wire().await;
    let handshake = wire.handshake();
    assert_eq!(handshake.authorization.as_deref(), Some("Bearer t0ken"));
    assert_eq!(handshake.cookies.as_deref(), Some("a=b"));
    assert_eq!(handshake.user_agent.as_deref(), Some("test"));
    assert_eq!(&*handshake.path, "/socket.io/");
    assert_eq!(&*handshake.query, "EIO=4&transport=websocket&token=q");
    assert_eq!(wire.address().unwrap().to_string(), "1.2.3.4");
    drop(client);
    app.has_no_session().await;
}

#[tokio::test]
async fn polling_opens_posts_and_gets() {
    let app = App::start(WireConfig::default()).await;
    let client = Polling::connect(&app.address).await;
    client.post(r#"42["echo","hi"]"#).await;
    assert!(client.gets(r#"42["echo","hi"]"#).await);
    assert_eq!(app.wire().await.transport(), Transport::Polling);
    assert_eq!(client.post("1").await.status, 200);
    assert_eq!(
        app.ends(1).await,
        [DisconnectReason::ClientNSDisconnect].map(|_| DisconnectReason::TransportClose)
    );
    app.has_no_session().await;
    app.stop().await;
}

#[tokio::test]
async fn an_upgrade_fills_the_wire_of_its_polling_session() {
    let app = App::start(WireConfig::default()).await;
    let polling = Polling::connect(&app.address).await;
    let wire = app.wire().await;
    let mut client = polling.upgrade().await.unwrap();
    client.send("5").await;
    client.send(r#"42["echo","hi"]"#).await;
    assert_eq!(client.next().await.unwrap(), r#"42["echo","hi"]"#);
    assert_eq!(wire.transport(), Transport::Upgraded);
    assert_eq!(app.wires.len(), 1);
    assert!(wire.kill(KillReason::Drain));
    assert!(client.next().await.is_none());
    app.ends(1).await;
    app.has_no_session().await;
    app.stop().await;
}

#[tokio::test]
async fn an_upgrade_dropped_before_its_end_leaves_no_zombie() {
    let app = App::start(WireConfig::default()).await;
    let polling = Polling::connect(&app.address).await;
    let client = polling.upgrade().await.unwrap();
    drop(client);
    app.ends(1).await;
    app.has_no_session().await;
    assert_eq!(polling.get().await.status, 400);
    app.stop().await;
}

#[tokio::test]
async fn a_websocket_that_says_nothing_does_not_cost_the_polling_session() {
    let app = App::start(WireConfig::default()).await;
    let polling = Polling::connect(&app.address).await;
    let wire = app.wire().await;
    let mute = Ws::open(&app.address, &polling.path("websocket"), "").await.unwrap();
    assert_eq!(wire.transport(), Transport::Upgrading);
    let second = Ws::open(&app.address, &polling.path("websocket"), "").await;
    assert_eq!(second.err(), Some(400), "one upgrade at a time");
    drop(mute);
    eventually("polling goes on", || (wire.transport() == Transport::Polling).then_some(())).await;
    polling.post(r#"42["echo","hi"]"#).await;
    assert!(polling.gets(r#"42["echo","hi"]"#).await);
    let _mute = Ws::open(&app.address, &polling.path("websocket"), "").await.unwrap();
    app.stop().await;
}

#[tokio::test]
async fn a_session_that_never_joins_is_forgotten() {
    let app =
        App::start(WireConfig { connect_timeout: Duration::from_millis(100), ..WireConfig::default() }).await;
    let websocket = Ws::open(&app.address, "/socket.io/?EIO=4&transport=websocket", "").await.unwrap();
    let polling = http(&app.address, "GET", "/socket.io/?EIO=4&transport=polling", "", "").await;
    assert_eq!(polling.status, 200);
    app.has_no_session().await;
    drop(websocket);
    app.stop().await;
}

#[tokio::test]
async fn an_alias_is_served_like_the_first_path() {
    let paths = ["/socket.io", "/chat/ws/"].map(|path| SocketPath::parse(path).unwrap());
    let paths = SocketPaths::new(paths);
    let app = App::start(WireConfig { paths, ..WireConfig::default() }).await;
    let client = Ws::open(&app.address, "/chat/ws/?EIO=4&transport=websocket", "").await.unwrap();
    let client = client.joined().await;
    assert_eq!(&*app.wire().await.handshake().path, "/chat/ws/");
    let open = http(&app.address, "GET", "/chat/ws?EIO=4&transport=polling", "", "").await;
    assert_eq!(open.status, 200);
    assert_eq!(http(&app.address, "GET", "/socket.iox/?EIO=4&transport=polling", "", "").await.status, 404);
    drop(client);
}

#[tokio::test]
async fn many_clients_come_and_go_without_a_trace() {
    let app = App::start(WireConfig::default()).await;
    for _ in 0..3 {
        let mut clients = Vec::new();
        for _ in 0..20 {
            clients.push(Ws::connect(&app.address).await);
        }
        let polling = Polling::connect(&app.address).await;
        assert_eq!(app.wires.len(), 21);
        drop(clients);
        polling.post("1").await;
        app.has_no_session().await;
    }
    assert_eq!(app.ends(63).await.len(), 63);
    app.stop().await;
}
