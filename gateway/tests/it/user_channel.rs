//! What is published for a user reaches all of his sockets, whatever they have joined; and their end by an operator.

#![cfg(test)]

use std::time::Duration;

use fred::interfaces::PubsubInterface;
use futures_util::future::join_all;
use parlance_domain::{
    custom::CustomEvent,
    entry::Header,
    event::{EventKind, Typing},
    id::UserId,
    time::Timestamp,
    user::Profile,
    user_event::{ConversationEvent, UserEvent},
};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    app::{DEADLINE, Gateway, TestApp, eventually, id},
    client::{Client, token},
    custom_events::polling,
    proxy::Proxy,
    wire::client::Ws,
};

fn user(id: &str) -> UserId {
    UserId::new(id).unwrap()
}

fn custom(number: usize) -> UserEvent {
    UserEvent::Custom(CustomEvent::new("told".to_owned(), json!(number)).unwrap())
}

/// How many gateways subscribe to a user.
async fn subscriptions(app: &TestApp, id: &str) -> u64 {
    let channel = app.broker.keys().user_channel(&user(id));
    let answer: Vec<(String, u64)> = app.broker.client().pubsub_shardnumsub(channel).await.unwrap();
    answer[0].1
}

async fn subscribed(app: &TestApp, id: &str, count: u64) {
    eventually("the subscriptions are as many as they should be", async || {
        (subscriptions(app, id).await == count).then_some(())
    })
    .await;
}

async fn disconnect(gateway: &Gateway, id: &str) {
    let (status, answer) = gateway.rest("DELETE", &format!("/v1/users/{id}/sessions"), json!({})).await;
    assert_eq!(status, 204, "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_reaches_every_socket_of_the_user_in_order_and_no_socket_of_another() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    let ann = [
        Client::connect(&here, "ann").await,
        Client::connect(&here, "ann").await,
        Client::connect(&there, "ann").await,
    ];
    let bob = [Client::connect(&here, "bob").await, Client::connect(&there, "bob").await];
    for number in 0..100 {
        app.broker.publish_to_user(&user("ann"), &custom(number)).await.unwrap();
    }
    app.broker.publish_to_user(&user("bob"), &custom(100)).await.unwrap();
    let all: Vec<Value> = (0..100).map(|number| json!(number)).collect();
    for client in &ann {
        assert_eq!(client.until("told", 100).await, all);
    }
    for client in &bob {
        assert_eq!(client.event("told").await, json!(100));
        client.ping().await;
        assert_eq!(client.events("told").len(), 1);
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_is_subscribed_once_a_gateway_and_no_longer_after_his_last_socket() {
    let (app, gateway) = TestApp::with_gateway().await;
    let (one, other) = (Client::connect(&gateway, "ann").await, Client::connect(&gateway, "ann").await);
    assert_eq!(subscriptions(&app, "ann").await, 1);
    drop(one);
    other.ping().await;
    app.broker.publish_to_user(&user("ann"), &custom(1)).await.unwrap();
    assert_eq!(other.event("told").await, json!(1));
    let left = Instant::now();
    drop(other);
    subscribed(&app, "ann", 0).await;
    assert!(left.elapsed() >= Duration::from_secs(1), "a client that comes right back finds it subscribed");
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_is_ready_gets_all_that_is_published_from_then_on() {
    let (app, gateway) = TestApp::with_gateway().await;
    let comes_and_goes = async |who: usize| {
        let name = format!("user-{who}");
        for round in 0..6 {
            let client = Client::connect(&gateway, &name).await;
            app.broker.publish_to_user(&user(&name), &custom(round)).await.unwrap();
            assert_eq!(client.event("told").await, json!(round));
            drop(client);
            if round % 2 == 0 {
                // The next one comes right when the subscription ends.
                subscribed(&app, &name, 0).await;
            }
        }
    };
    join_all((0..8).map(comes_and_goes)).await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_that_have_joined_a_conversation_do_not_get_its_events_a_second_time() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann", "bob"]).await;
    let (inside, outside) = (Client::connect(&gateway, "ann").await, Client::connect(&gateway, "ann").await);
    inside.join("c").await;
    let typing = Typing { user: Profile::unknown(user("bob")), expires_in_ms: None };
    let event = UserEvent::Conversation(ConversationEvent {
        conversation: id("c"),
        header: Header::transient(EventKind::TypingStarted, Timestamp(7), None).to_string(),
        body: serde_json::to_string(&typing).unwrap(),
    });
    app.broker.publish_to_user(&user("ann"), &event).await.unwrap();
    app.broker.publish_to_user(&user("ann"), &custom(1)).await.unwrap();
    let told = outside.event("typing:started").await;
    assert_eq!((&told["conversationId"], &told["userId"]), (&json!("c"), &json!("bob")));
    inside.event("told").await;
    assert_eq!(inside.events("typing:started"), Vec::<Value>::new());
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_passed_over() {
    let (app, gateway) = TestApp::with_gateway().await;
    let client = Client::connect(&gateway, "ann").await;
    let channel = app.broker.keys().user_channel(&user("ann"));
    for text in ["", "{}", "[", r#"{"kind":"of a later version"}"#] {
        let _: i64 = app.broker.client().spublish(&channel, text).await.unwrap();
    }
    app.broker.publish_to_user(&user("ann"), &custom(1)).await.unwrap();
    assert_eq!(client.event("told").await, json!(1));
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_break_of_the_subscriber_users_are_told_again() {
    let app = TestApp::new().await;
    let proxy = Proxy::before(&app.redis_url()).await;
    let gateway = app.gateway(&[("redis.url", proxy.url())]).await;
    let client = Client::connect(&gateway, "ann").await;
    for number in 0..5 {
        proxy.break_subscriber();
        // Of the new connection: the broken one may be counted a moment longer.
        eventually("an event comes again", async || {
            app.broker.publish_to_user(&user("ann"), &custom(number)).await.unwrap();
            client.events("told").contains(&json!(number)).then_some(())
        })
        .await;
        // Whoever connects now is subscribed on it too.
        let another = Client::connect(&gateway, &format!("user-{number}")).await;
        app.broker.publish_to_user(&user(&format!("user-{number}")), &custom(number)).await.unwrap();
        assert_eq!(another.event("told").await, json!(number));
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_looks_healthy_and_is_dead_brings_users_events_again() {
    let app = TestApp::new().await;
    let proxy = Proxy::before(&app.redis_url()).await;
    let gateway = app.gateway(&[("redis.url", proxy.url())]).await;
    let client = Client::connect(&gateway, "ann").await;
    proxy.deafen_subscriber();
    eventually("an event comes again", async || {
        app.broker.publish_to_user(&user("ann"), &custom(1)).await.unwrap();
        (!client.events("told").is_empty()).then_some(())
    })
    .await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_connects_while_nothing_is_heard_is_ready_in_time_and_subscribed_when_it_is_again() {
    let app = TestApp::new().await;
    let proxy = Proxy::before(&app.redis_url()).await;
    let gateway = app.gateway(&[("redis.url", proxy.url()), ("redis.command_deadline", "500ms")]).await;
    let before = Client::connect(&gateway, "bob").await;
    proxy.deafen_subscriber();
    let began = Instant::now();
    let ann = Client::connect(&gateway, "ann").await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    ann.ping().await;
    proxy.break_subscriber();
    for (name, client) in [("ann", &ann), ("bob", &before)] {
        eventually("an event comes", async || {
            app.broker.publish_to_user(&user(name), &custom(1)).await.unwrap();
            (!client.events("told").is_empty()).then_some(())
        })
        .await;
    }
    drop(ann);
    subscribed(&app, "ann", 0).await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_does_not_read_a_flood_of_its_users_events_is_cut_and_the_others_get_all() {
    let app = TestApp::new().await;
    let gateway =
        app.gateway(&[("socket.slow_reader_bytes", "1MB"), ("socket.slow_reader_deadline", "2s")]).await;
    let path = "/socket.io/?EIO=4&transport=websocket";
    let mut idle = Ws::open(&gateway.address, path, "").await.unwrap();
    assert!(idle.next().await.unwrap().starts_with("0{"));
    idle.send(&format!("40{}", json!({"token": token("ann")}))).await;
    while !idle.next().await.unwrap().starts_with(r#"42["session:ready""#) {}
    let reads = Client::connect(&gateway, "ann").await;
    let killed = r#"parlance_wire_kills_total{reason="slow_reader"}"#;
    let before = gateway.metric(killed).await;
    let data = json!("x".repeat(60_000));
    let flood = UserEvent::Custom(CustomEvent::new("flood".to_owned(), data).unwrap());
    let (mut sent, end) = (0, Instant::now() + DEADLINE);
    while gateway.metric(killed).await == before {
        assert!(Instant::now() < end, "not in time: the reader that does not read is cut");
        app.broker.publish_to_user(&user("ann"), &flood).await.unwrap();
        sent += 1;
        reads.until("flood", sent).await;
    }
    app.broker.publish_to_user(&user("ann"), &custom(1)).await.unwrap();
    assert_eq!(reads.event("told").await, json!(1));
    assert_eq!(reads.events("flood").len(), sent);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disconnected_user_is_told_so_on_every_transport_and_gateway_and_his_transports_end() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["ann", "bob"]).await;
    let ann = [Client::connect(&here, "ann").await, Client::connect(&there, "ann").await];
    ann[0].join("c").await;
    let polling = polling(&there, "ann").await;
    let bob = Client::connect(&here, "bob").await;
    bob.join("c").await;

    app.broker.publish_to_user(&user("ann"), &custom(1)).await.unwrap();
    disconnect(&there, "ann").await;
    assert!(polling.gets("41").await);
    for client in &ann {
        client.ended().await;
        assert!(client.was_disconnected());
        assert_eq!(client.events("told"), [json!(1)], "what was said before comes before");
    }
    eventually("the polling session ends", async || (polling.get().await.status != 200).then_some(())).await;
    subscribed(&app, "ann", 0).await;
    bob.ping().await;
    assert!(bob.is_open() && !bob.was_disconnected());

    let back = Client::connect(&here, "ann").await;
    back.join("c").await;
    let sent = bob.send("c", "there again").await;
    assert_eq!(back.event("message:created").await, sent);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disconnected_socket_is_out_of_its_conversations_at_once() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let ann = Client::connect(&gateway, "ann").await;
    ann.join("c").await;
    disconnect(&gateway, "ann").await;
    eventually("nobody is in the conversation", async || (app.subscriptions("c").await == 0).then_some(()))
        .await;
    ann.ended().await;
    app.end().await;
}
