//! Joins after which a socket is in no other conversation, and sessions that say whose they are: commands that the gateway's
//! own protocol does not have, so that a dialect file asks for them.

#![cfg(test)]

use serde_json::{Value, json};

use crate::{
    app::{Gateway, TestApp, eventually},
    client::{Client, token},
    dialect::Folder,
};

const STUDIO: &str = r#"
name = "atelier"
[ids.user]
type = "number"
[answer]
ack = { ok = true, "..." = "{$}" }
[failure]
ack = { ok = false, code = "{code}" }

[[inbound]]
event = "ping"
command = "ping"

[[inbound]]
event = "move"
command = "conversation.join"
fields.conversation = ["$", "room"]
constants.exclusive = true

[[inbound]]
event = "enter"
command = "conversation.join"
fields.conversation = "room"

[[inbound]]
event = "writing"
command = "typing.start"
fields.conversation = "room"

[[inbound]]
event = "online"
command = "session.identify"
fields.user = ["$", "userId"]

[[outbound]]
on = "message.created"
event = "said"
payload = { room = "{conversationId}", text = "{content}" }
"#;

/// 7 speaks the dialect and may be in a, b and c; Bob speaks the native one and is in each.
async fn scene() -> (TestApp, Folder, Gateway, Client, Client) {
    let app = TestApp::new().await;
    let folder = Folder::with(&[("atelier.toml", STUDIO)]);
    let gateway = app.gateway(&[folder.setting()]).await;
    let bob = Client::connect(&gateway, "bob").await;
    for room in ["a", "b", "c"] {
        app.conversation(&gateway, room, &["7", "bob"]).await;
        bob.join(room).await;
    }
    app.conversation(&gateway, "foreign", &["bob"]).await;
    let path = "/socket.io/?EIO=4&transport=websocket&dialect=atelier";
    let seven = Client::try_connect(&gateway, path, "", json!({"token": token("7")})).await.unwrap();
    (app, folder, gateway, seven, bob)
}

/// What of the rooms the client hears, of a message in each.
async fn heard(speaker: &Client, listener: &Client, text: &str, last: &str) -> Vec<Value> {
    // What is left is not handed on any more once the next command is answered.
    listener.ok("ping", json!({})).await;
    for room in ["a", "b", "c"] {
        speaker.send(room, text).await;
    }
    let said = || listener.events("said").into_iter().filter(|said| said["text"] == text);
    eventually("the message of the room", async || said().find(|said| said["room"] == last)).await;
    said().map(|said| said["room"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exclusive_join_leaves_every_other_conversation_and_the_others_see_it() {
    let (app, _folder, _gateway, seven, bob) = scene().await;
    for room in ["a", "b"] {
        seven.ok("enter", json!({"room": room})).await;
        assert_eq!(bob.event("member:joined").await["userId"], "7");
    }
    seven.ok("writing", json!({"room": "a"})).await;
    bob.event("typing:started").await;
    assert_eq!(seven.ok("move", json!("c")).await["conversationId"], "c");
    let mut left: Vec<Value> = Vec::new();
    for event in bob.until("member:left", 2).await {
        assert_eq!(event["userId"], "7");
        left.push(event["conversationId"].clone());
    }
    left.sort_by_key(Value::to_string);
    assert_eq!(left, ["a", "b"]);
    assert_eq!(bob.event("typing:stopped").await["conversationId"], "a");
    assert_eq!(heard(&bob, &seven, "after", "c").await, ["c"]);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_exclusive_join_leaves_nothing() {
    let (app, _folder, _gateway, seven, bob) = scene().await;
    seven.ok("enter", json!({"room": "a"})).await;
    let refused = seven.call("move", json!({"room": "foreign"})).await;
    assert_eq!(refused["code"], "not_a_participant", "{refused}");
    assert_eq!(heard(&bob, &seven, "after", "a").await, ["a"]);
    assert_eq!(bob.events("member:left"), [Value::Null; 0]);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_joins_that_nobody_waits_for_the_last_one_counts() {
    let (app, _folder, _gateway, seven, bob) = scene().await;
    for _ in 0..8 {
        for room in ["a", "b", "c", "b"] {
            seven.emit("move", json!(room)).await;
        }
    }
    seven.ok("move", json!("a")).await;
    assert_eq!(heard(&bob, &seven, "at last", "a").await, ["a"]);
    // One that is joined while another is left stays.
    seven.emit("move", json!("b")).await;
    seven.ok("enter", json!({"room": "a"})).await;
    heard(&bob, &seven, "in both", "a").await;
    let mut both: Vec<Value> = eventually("the other room's message", async || {
        let said = seven.events("said").into_iter().filter(|said| said["text"] == "in both");
        let rooms: Vec<Value> = said.map(|said| said["room"].clone()).collect();
        (rooms.len() == 2).then_some(rooms)
    })
    .await;
    both.sort_by_key(Value::to_string);
    assert_eq!(both, ["a", "b"]);
    // The socket knows where it is: nothing of it stays when it ends.
    drop(seven);
    eventually("everyone has seen it go", async || {
        let gone = bob.events("member:left");
        let of = |room: &str| gone.iter().filter(|event| event["conversationId"] == room).count();
        let came = bob.events("member:joined");
        let into = |room: &str| came.iter().filter(|event| event["conversationId"] == room).count();
        ["a", "b", "c"].iter().all(|room| of(room) == into(room)).then_some(())
    })
    .await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_says_whose_it_is_and_not_that_it_is_anothers() {
    let (app, _folder, _gateway, seven, _bob) = scene().await;
    for own in [json!(7), json!("7"), json!({"userId": 7})] {
        assert_eq!(seven.ok("online", own).await["userId"], 7);
    }
    for (other, code) in
        [(json!(8), "forbidden"), (json!({"userId": "bob"}), "forbidden"), (json!({}), "invalid_payload")]
    {
        assert_eq!(seven.call("online", other.clone()).await["code"], code, "{other}");
    }
    app.end().await;
}
