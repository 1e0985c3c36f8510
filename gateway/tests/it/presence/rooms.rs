//! Presence where people meet: told in the conversations that a user is in, to each socket once.

use fred::{
    interfaces::ClientLike,
    types::{ClusterHash, CustomCommand},
};
use parlance_domain::{
    entry::Header,
    event::EventKind,
    id::{ConversationId, UserId},
    presence::{Presence, Status},
    time::Timestamp,
};
use serde_json::{Value, json};

use super::{LOBBY, lobby, told, until_seen, until_sessions};
use crate::{
    app::{TestApp, eventually},
    client::Client,
    dialect::Folder,
};

async fn until_told(client: &Client, user: &str, expected: &[&str]) {
    eventually(&format!("{expected:?} is told"), async || (told(client, user) == expected).then_some(()))
        .await;
}

/// Waits until everything that was published in these conversations before has come.
async fn caught_up(client: &Client, by: &Client, conversations: &[&str]) {
    for conversation in conversations {
        let sent = by.send(conversation, "mark").await;
        eventually("the mark comes", async || client.events("message:created").contains(&sent).then_some(()))
            .await;
    }
}

/// Whether a conversation is told of Ann's presence.
async fn visits(app: &TestApp, conversation: &str) -> bool {
    let command = CustomCommand::new_static("SISMEMBER", ClusterHash::FirstKey, false);
    let key = app.broker.keys().visits(&UserId::new("ann").unwrap());
    app.broker.client().custom(command, vec![key, conversation.to_owned()]).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_in_a_conversation_are_told_and_nobody_is_told_of_himself() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["ann", "bob", "carl"]).await;
    app.conversation(&here, "elsewhere", &["carl"]).await;
    let (bob, carl) = (Client::connect(&there, "bob").await, Client::connect(&there, "carl").await);
    bob.join("c").await;
    carl.join("elsewhere").await;
    let ann = [Client::connect(&here, "ann").await, Client::connect(&there, "ann").await];
    for device in &ann {
        device.join("c").await;
    }
    until_told(&bob, "ann", &["online"]).await;
    ann[0].ok("presence:set", json!({"status": "away"})).await;
    ann[1].ok("presence:set", json!({"status": "offline"})).await;
    until_told(&bob, "ann", &["online", "away", "offline"]).await;
    ann[0].ok("presence:set", json!({"status": "online"})).await;
    until_told(&bob, "ann", &["online", "away", "offline", "online"]).await;
    let events = bob.events("presence:changed");
    let of_ann: Vec<_> = events.iter().filter(|event| event["userId"] == "ann").collect();
    assert_eq!(of_ann[1]["lastSeen"], Value::Null);
    assert!(of_ann[2]["lastSeen"].is_string() && of_ann[2]["at"].is_string(), "{}", of_ann[2]);
    assert!(of_ann[2].get("connected").is_none() && of_ann[2].get("sessionId").is_none(), "{}", of_ann[2]);
    for device in &ann {
        caught_up(device, &bob, &["c"]).await;
        assert_eq!(told(device, "ann"), [""; 0]);
    }
    drop(ann);
    until_told(&bob, "ann", &["online", "away", "offline", "online", "offline"]).await;
    assert_eq!(told(&carl, "ann"), [""; 0], "he is in no conversation with her");
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_shares_several_conversations_is_told_once() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    let conversations = ["c", "d", "e"];
    let (ann, bob) = (Client::connect(&here, "ann").await, Client::connect(&there, "bob").await);
    for conversation in conversations {
        app.conversation(&here, conversation, &["ann", "bob"]).await;
        bob.join(conversation).await;
        ann.join(conversation).await;
    }
    until_told(&bob, "ann", &["online"]).await;
    // Each conversation is told of her presence from when her visit there is noted.
    for conversation in conversations {
        eventually("the visit is noted", async || visits(&app, conversation).await.then_some(())).await;
    }
    for status in ["away", "busy", "online"] {
        ann.ok("presence:set", json!({"status": status})).await;
    }
    caught_up(&bob, &ann, &conversations).await;
    assert_eq!(told(&bob, "ann"), ["online", "away", "busy", "online"]);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_that_was_left_is_told_no_more() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    for conversation in ["c", "d"] {
        app.conversation(&here, conversation, &["ann", "bob", "carl"]).await;
    }
    let (ann, bob) = (Client::connect(&here, "ann").await, Client::connect(&there, "bob").await);
    let carl = Client::connect(&there, "carl").await;
    bob.join("c").await;
    carl.join("d").await;
    ann.join("c").await;
    ann.join("d").await;
    until_told(&bob, "ann", &["online"]).await;
    until_told(&carl, "ann", &["online"]).await;
    ann.leave("c").await;
    eventually("the visit has ended", async || (!visits(&app, "c").await).then_some(())).await;
    ann.ok("presence:set", json!({"status": "away"})).await;
    drop(ann);
    until_seen(&there, "ann", "offline").await;
    until_told(&carl, "ann", &["online", "away", "offline"]).await;
    let mark = bob.send("c", "mark").await;
    assert_eq!(mark["content"], "mark");
    bob.ping().await;
    assert_eq!(told(&bob, "ann"), ["online"]);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_one_who_hides_nobody_is_told_when_he_comes_or_goes() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["ann", "bob"]).await;
    let (ann, bob) = (Client::connect(&here, "ann").await, Client::connect(&there, "bob").await);
    bob.join("c").await;
    ann.ok("presence:set", json!({"status": "offline"})).await;
    ann.join("c").await;
    eventually("the visit is noted", async || visits(&app, "c").await.then_some(())).await;
    let hidden = until_seen(&there, "ann", "offline").await;
    drop(ann);
    until_sessions(&there, "ann", 0).await;
    assert_eq!(until_seen(&there, "ann", "offline").await, hidden, "he was last seen when he hid");
    let ann = Client::connect(&here, "ann").await;
    ann.join("c").await;
    until_told(&bob, "ann", &["online"]).await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_presence_does_not_follow_a_newer_one_of_which_the_dialect_says_nothing() {
    let app = TestApp::new().await;
    let folder = Folder::with(&[("lobby.toml", &format!("{LOBBY}\nwhen.status = 'online'"))]);
    let gateway = app.gateway(&[folder.setting()]).await;
    app.conversation(&gateway, "c", &["bob"]).await;
    app.conversation(&gateway, "d", &["bob"]).await;
    let bob = lobby(&gateway, "bob").await;
    bob.join("c").await;
    bob.join("d").await;
    let publish = async |conversation: &str, user: &str, status, at| {
        let user = UserId::new(user).unwrap();
        let presence = Presence { status, at: Timestamp(at), ..Presence::unknown(user) };
        let header = Header::transient(EventKind::PresenceChanged, presence.at, None);
        let body = serde_json::to_string(&presence).unwrap();
        app.broker.publish(&ConversationId::new(conversation).unwrap(), &header, &body).await.unwrap();
    };
    publish("c", "ann", Status::Busy, 2_000).await;
    publish("c", "carl", Status::Online, 2_000).await;
    until_told(&bob, "carl", &["online"]).await;
    publish("d", "ann", Status::Online, 1_999).await;
    publish("d", "dan", Status::Online, 2_000).await;
    until_told(&bob, "dan", &["online"]).await;
    assert_eq!(told(&bob, "ann"), [""; 0]);
    publish("d", "ann", Status::Online, 2_001).await;
    until_told(&bob, "ann", &["online"]).await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_presence_does_not_follow_a_newer_one_however_many_move_in_between() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[]).await;
    app.conversation(&gateway, "c", &["bob", "carl"]).await;
    let (bob, carl) = (Client::connect(&gateway, "bob").await, Client::connect(&gateway, "carl").await);
    bob.join("c").await;
    let publish = async |user: &str, status, at| {
        let user = UserId::new(user).unwrap();
        let presence = Presence { status, at: Timestamp(at), ..Presence::unknown(user) };
        let header = Header::transient(EventKind::PresenceChanged, presence.at, None);
        let body = serde_json::to_string(&presence).unwrap();
        app.broker.publish(&ConversationId::new("c").unwrap(), &header, &body).await.unwrap();
    };
    publish("ann", Status::Busy, 2_000).await;
    for n in 0..40 {
        publish(&format!("u{n}"), Status::Online, 2_001).await;
    }
    publish("ann", Status::Away, 1_999).await;
    publish("ann", Status::Online, 2_002).await;
    until_told(&bob, "ann", &["busy", "online"]).await;
    caught_up(&bob, &carl, &["c"]).await;
    assert_eq!(told(&bob, "u39"), ["online"]);
    app.end().await;
}
