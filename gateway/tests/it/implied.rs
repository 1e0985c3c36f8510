//! Handshakes that imply a conversation, that have to say something, and whose words have to fit; and what a participant is
//! called where he is one.

#![cfg(test)]

use serde_json::{Value, json};

use crate::{
    app::{Gateway, TestApp},
    client::{Client, assert_refused, token},
    dialect::Folder,
    wire::client::Ws,
};

const PATH: &str = "/socket.io/?EIO=4&transport=websocket";

/// One relation a connection. It is insecure in these tests.
const WARD: &str = r#"
name = "ward"

[handshake]
user = ["auth.userId", "query.userId"]
conversation = ["auth.relationId", "query.relationId"]
needs_conversation = "insecure"

[answer]
ack = { ok = true, "..." = "{$}" }

[failure]
ack = { ok = false, error = { "..." = "{$}" } }

[[inbound]]
event = "say"
command = "message.send"
fields.conversation = "@conversation"
fields.content = "text"

[[inbound]]
event = "ping"
command = "ping"

[[outbound]]
on = "message.created"
event = "said"
payload = { text = "{content}", by = "{senderId}", role = "{sender.role}" }

[[outbound]]
on = "typing.started"
event = "types"
audience = "others"
payload = { by = "{userId}", role = "{user.role}" }

[[outbound]]
on = "session.ready"
event = "connected"
payload = { userId = "{userId}", socketId = "{socketId}", relation = "{conversationId}", role = "{role}" }
"#;

/// Everybody has to name a relation, and to be who he says he is.
const STRICT: &str = r#"
name = "strict"
answer.ack = {}
failure.ack = {}

[handshake]
conversation = ["auth.relationId"]
needs_conversation = "always"
must_match = true

[[outbound]]
on = "session.ready"
event = "connected"
payload = { userId = "{userId}", relation = "{conversationId}", role = "{role}" }
"#;

async fn installation() -> (TestApp, Folder, Gateway) {
    let app = TestApp::new().await;
    let folder = Folder::with(&[("ward.toml", WARD), ("strict.toml", STRICT)]);
    let gateway = app.gateway(&[folder.setting(), ("auth.insecure_dialects", "ward")]).await;
    app.conversation(&gateway, "r1", &["ann"]).await;
    let path = "/v1/conversations/r1/participants/doc";
    assert_eq!(gateway.rest("PUT", path, json!({"role": "doctor"})).await.0, 201);
    (app, folder, gateway)
}

/// Connects; the message of the `connect_error` when it is refused.
async fn connect(gateway: &Gateway, query: &str, auth: Value) -> Result<Client, String> {
    let refused = |error: Value| error["message"].as_str().unwrap().to_owned();
    Client::try_connect(gateway, &format!("{PATH}&{query}"), "", auth).await.map_err(refused)
}

async fn in_ward(gateway: &Gateway, auth: Value) -> Client {
    connect(gateway, "dialect=ward", auth).await.unwrap_or_else(|refused| panic!("{refused}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_is_in_the_conversation_that_its_handshake_implies_before_it_is_greeted() {
    let (app, _folder, gateway) = installation().await;
    let ann = in_ward(&gateway, json!({"relationId": "r1", "userId": "ann"})).await;
    let socket = ann.connected().await.unwrap()["sid"].clone();
    let ready = ann.event("connected").await;
    let expected = json!({"userId": "ann", "socketId": socket, "relation": "r1", "role": null});
    assert_eq!(ready, expected);
    // By the query, too, and with a token.
    let path = format!("{PATH}&dialect=ward&relationId=r1");
    let doc = Client::try_connect(&gateway, &path, "", json!({"token": token("doc")})).await.unwrap();
    assert_eq!(doc.event("connected").await["role"], "doctor");
    doc.call("say", json!({"text": "hello"})).await;
    let said = json!({"text": "hello", "by": "doc", "role": "doctor"});
    assert_eq!(ann.event("said").await, said);
    assert_eq!(doc.event("said").await, said);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_right_behind_the_connect_packet_waits_for_the_conversation() {
    let (app, _folder, gateway) = installation().await;
    for n in 0..30 {
        let mut ws = Ws::open(&gateway.address, &format!("{PATH}&dialect=ward"), "").await.unwrap();
        assert!(ws.next().await.unwrap().starts_with("0{"));
        ws.send(r#"40{"relationId":"r1","userId":"ann"}"#).await;
        assert!(ws.next().await.unwrap().starts_with("40{"));
        ws.send(&format!(r#"421["say",{{"text":"{n}"}}]"#)).await;
        let (mut answered, mut said) = (false, false);
        while !(answered && said) {
            let packet = ws.next().await.unwrap();
            answered |= packet.starts_with("431[{\"ok\":true");
            said |= packet.starts_with("42[\"said\"") && packet.contains(&format!("\"{n}\""));
        }
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_that_is_not_there_or_not_ones_own_is_no_way_in() {
    let (app, _folder, gateway) = installation().await;
    app.conversation(&gateway, "r2", &["bob"]).await;
    app.conversation(&gateway, "gone", &["ann"]).await;
    assert_eq!(gateway.rest("DELETE", "/v1/conversations/gone", json!({})).await.0, 204);
    for (relation, code) in [
        ("r2", "not_a_participant"),
        ("r9", "not_found"),
        ("gone", "not_found"),
        (&*"x".repeat(200), "not_found"),
    ] {
        for who in [json!({"userId": "ann"}), json!({"token": token("ann")})] {
            let mut auth = who;
            auth["relationId"] = json!(relation);
            let refused = connect(&gateway, "dialect=ward", auth).await.err();
            assert_eq!(refused.as_deref(), Some(code), "{relation}");
        }
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_no_token_says_both_halves_or_is_told_that_one_lacks() {
    let (app, _folder, gateway) = installation().await;
    for (query, auth, code) in [
        ("", Value::Null, "token_missing"),
        ("", json!({"userId": ""}), "token_missing"),
        ("", json!({"relationId": "r1"}), "handshake_incomplete"),
        ("&relationId=r1", Value::Null, "handshake_incomplete"),
        ("", json!({"userId": "ann"}), "handshake_incomplete"),
        ("&userId=ann", json!({"relationId": ""}), "handshake_incomplete"),
    ] {
        let refused = connect(&gateway, &format!("dialect=ward{query}"), auth.clone()).await.err();
        assert_eq!(refused.as_deref(), Some(code), "{query} {auth}");
    }
    // For a token, notifications are enough.
    let ann = in_ward(&gateway, json!({"token": token("ann")})).await;
    assert_eq!(ann.event("connected").await["relation"], Value::Null);
    assert_refused(&ann.call("say", json!({"text": "to whom?"})).await, "invalid_payload");
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dialect_can_ask_everybody_for_a_conversation_and_that_words_fit_the_token() {
    let (app, _folder, gateway) = installation().await;
    for (auth, code) in [
        (json!({"userId": "ann", "relationId": "r1"}), "token_missing"),
        (json!({"token": token("ann")}), "handshake_incomplete"),
        (json!({"token": token("ann"), "userId": "ann"}), "handshake_incomplete"),
        (json!({"token": token("ann"), "userId": "doc", "relationId": "r1"}), "forbidden"),
    ] {
        let refused = connect(&gateway, "dialect=strict", auth.clone()).await.err();
        assert_eq!(refused.as_deref(), Some(code), "{auth}");
    }
    let refused =
        connect(&gateway, "dialect=strict&userId=doc", json!({"token": token("ann"), "relationId": "r1"}));
    assert_eq!(refused.await.err().as_deref(), Some("forbidden"));
    for auth in [
        json!({"token": token("ann"), "userId": "ann", "relationId": "r1"}),
        json!({"token": token("ann"), "relationId": "r1"}),
    ] {
        let ann = connect(&gateway, "dialect=strict", auth).await.unwrap();
        assert_eq!(ann.event("connected").await["userId"], "ann");
    }
    // Where they need not fit, the token wins.
    let auth = json!({"token": token("ann"), "userId": "doc", "relationId": "r1"});
    assert_eq!(in_ward(&gateway, auth).await.event("connected").await["userId"], "ann");
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_is_called_what_he_is_in_the_conversation() {
    let (app, _folder, gateway) = installation().await;
    let (status, _) = gateway.rest("PUT", "/v1/users/doc", json!({"name": "Doc", "role": "staff"})).await;
    assert_eq!(status, 201);
    app.conversation(&gateway, "other", &["doc", "ann"]).await;
    let doc = Client::connect(&gateway, "doc").await;
    let ann = Client::connect(&gateway, "ann").await;
    for conversation in ["r1", "other"] {
        ann.join(conversation).await;
    }
    let message = doc.send("r1", "as a doctor").await;
    assert_eq!(message["sender"]["role"], "doctor");
    assert_eq!(ann.event("message:created").await["sender"]["role"], "doctor");
    // Who was made a participant without a word is what he is in general.
    assert_eq!(doc.send("other", "as anybody").await["sender"]["role"], "staff");
    let warden = in_ward(&gateway, json!({"relationId": "r1", "userId": "ann"})).await;
    warden.event("connected").await;
    doc.ok("typing:start", json!({"conversationId": "r1"})).await;
    assert_eq!(warden.event("types").await, json!({"by": "doc", "role": "doctor"}));
    // A change counts at once.
    let path = "/v1/conversations/r1/participants/doc";
    assert_eq!(gateway.rest("PUT", path, json!({"role": "nurse"})).await.0, 200);
    assert_eq!(ann.event("participant:added").await["role"], "nurse");
    assert_eq!(doc.send("r1", "as a nurse").await["sender"]["role"], "nurse");
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_put_out_stays_out_and_does_not_come_back_in() {
    let (app, _folder, gateway) = installation().await;
    let ann = in_ward(&gateway, json!({"relationId": "r1", "userId": "ann"})).await;
    ann.event("connected").await;
    gateway.remove("r1", "ann").await;
    assert_refused(&ann.call("say", json!({"text": "still here"})).await, "not_a_participant");
    let refused = connect(&gateway, "dialect=ward", json!({"relationId": "r1", "userId": "ann"})).await.err();
    assert_eq!(refused.as_deref(), Some("not_a_participant"));
    app.end().await;
}
