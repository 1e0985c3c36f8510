//! Presence while gateways end and Redis fails.

use fred::interfaces::KeysInterface;
use parlance_domain::id::UserId;
use serde_json::json;

use super::{Lobby, lobby, sessions, status, told, until_seen, until_sessions};
use crate::{
    app::{TestApp, eventually},
    client::Client,
    database::required,
    lock::{Lock, blocked},
    proxy::Proxy,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_come_back_elsewhere_after_a_drain_never_went_offline() {
    let slow = [("presence.linger", "1s"), ("postgres.statement_deadline", "30s")];
    let lobby_of_two = Lobby::with(&[], &slow).await;
    let (app, here, there) = (&lobby_of_two.app, &lobby_of_two.here, &lobby_of_two.there);
    let ann = lobby(here, "ann").await;
    let bob = lobby(here, "bob").await;
    ann.ok("presence:set", json!({"status": "busy"})).await;
    until_seen(there, "bob", "online").await;
    // A drain that takes a while: what is told of the sockets that end would be told.
    app.conversation(here, "c", &["carl"]).await;
    let carl = Client::connect(here, "carl").await;
    let lock = Lock::on(app, "messages").await;
    carl.ask("message:history", json!({"conversationId": "c"})).await;
    blocked(&app.store, 1).await;
    here.process.ask_to_stop();
    ann.ended().await;
    bob.ended().await;
    let _back = lobby(there, "ann").await;
    until_sessions(there, "ann", 2).await;
    lock.release().await;
    here.process.stop().await;
    // Bob does not come back: when he does not count any more, what stood under the old lease is over.
    until_seen(there, "bob", "offline").await;
    assert_eq!(sessions(there, "ann").await.len(), 1);
    assert_eq!(status(there, "ann").await["status"], "busy");
    assert_eq!(lobby_of_two.told("ann").await, ["online", "busy"]);
    lobby_of_two.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happened_while_redis_was_away_is_told_when_it_is_back() {
    let redis = Proxy::before(&required("PARLANCE_TEST_REDIS_URL")).await;
    let lobby_of_two = Lobby::with(&[], &[("redis.url", redis.url())]).await;
    let (here, there) = (&lobby_of_two.here, &lobby_of_two.there);
    let (goes, stays) = (lobby(here, "goes").await, lobby(here, "stays").await);
    until_seen(there, "goes", "online").await;
    until_seen(there, "stays", "online").await;
    redis.cut();
    drop(goes);
    let error = stays.refused("presence:set", json!({"status": "away"}), "unavailable").await;
    assert_eq!(error["retryable"], true);
    assert_eq!(status(there, "goes").await["status"], "online", "nobody knows better");
    redis.mend();
    until_seen(there, "goes", "offline").await;
    eventually("a status is taken again", async || {
        let answer = stays.call("presence:set", json!({"status": "away"})).await;
        (answer["ok"] == true).then_some(())
    })
    .await;
    assert_eq!(lobby_of_two.told("goes").await, ["online", "offline"]);
    assert_eq!(lobby_of_two.told("stays").await, ["online", "away"]);
    lobby_of_two.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_forgot_everything_is_told_again() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("presence.ttl", "1s")]).await;
    let (_ann, _bob) = (Client::connect(&gateway, "ann").await, Client::connect(&gateway, "bob").await);
    until_seen(&gateway, "ann", "online").await;
    until_seen(&gateway, "bob", "online").await;
    let (keys, ann) = (app.broker.keys(), UserId::new("ann").unwrap());
    let mut lost: Vec<String> = vec![keys.presence(&ann), keys.presence(&UserId::new("bob").unwrap())];
    lost.extend(keys.partitions().all().map(|partition| keys.leases(partition)));
    let _: u64 = app.broker.client().del(lost).await.unwrap();
    for user in ["ann", "bob"] {
        until_seen(&gateway, user, "online").await;
        until_sessions(&gateway, user, 1).await;
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_was_cut_off_for_longer_than_its_lease_registers_everything_anew() {
    let app = TestApp::new().await;
    let proxy = Proxy::before(&app.redis_url()).await;
    let short = ("presence.ttl", "1s");
    let cut_off = app.gateway(&[short, ("redis.url", proxy.url())]).await;
    let there = app.gateway(&[short]).await;
    app.conversation(&there, "c", &["ann", "bob"]).await;
    let (ann, bob) = (Client::connect(&cut_off, "ann").await, Client::connect(&there, "bob").await);
    let _second = Client::connect(&there, "dora").await;
    bob.join("c").await;
    ann.join("c").await;
    eventually("ann is told of", async || (told(&bob, "ann") == ["online"]).then_some(())).await;
    proxy.freeze();
    until_seen(&there, "ann", "offline").await;
    assert_eq!(status(&there, "dora").await["status"], "online", "another lease is not concerned");
    proxy.mend();
    until_seen(&there, "ann", "online").await;
    until_sessions(&there, "ann", 1).await;
    app.end().await;
}
