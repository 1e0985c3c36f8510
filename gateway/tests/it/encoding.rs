//! An event is written once a dialect, however many sockets it goes to.

use futures_util::future::join_all;
use serde_json::json;

use crate::{
    app::{Gateway, TestApp, eventually},
    client::{Client, token},
    dialect::Folder,
};

const DIALECTS: [&str; 5] = ["red", "green", "blue", "black", "white"];
/// Together more than make a crowd.
const SOCKETS_OF_EACH: usize = 201;

/// Several frames for a message: always one, one for each file, and one for some messages only.
fn file(name: &str) -> String {
    format!(
        r#"
name = "{name}"
answer.ack = {{ ok = true }}
failure.ack = {{ ok = false }}
inbound = [{{ event = "enter", command = "conversation.join", fields.conversation = "room" }}]

[[outbound]]
on = "message.created"
event = "said"
payload = {{ text = "{{content}}", in = "{name}" }}

[[outbound]]
on = "message.created"
event = "file"
each = "attachments"
payload = {{ url = "{{url}}", text = "{{$.content}}" }}

[[outbound]]
on = "message.created"
event = "loud"
when."metadata.mood" = "loud"
payload = {{ text = "{{content | upper}}" }}

[[outbound]]
on = "conversation.left"
event = "out"
payload = {{ reason = "{{reason}}" }}
"#
    )
}

async fn listener(gateway: &Gateway, dialect: &str) -> Client {
    let path = format!("/socket.io/?EIO=4&transport=websocket&dialect={dialect}");
    let client = Client::try_connect(gateway, &path, "", json!({"token": token(dialect)})).await.unwrap();
    assert_eq!(client.call("enter", json!({"room": "c"})).await["ok"], true);
    client
}

/// How many events were written in each of the dialects.
async fn encodings(gateway: &Gateway) -> Vec<f64> {
    let series = DIALECTS.map(|name| format!("parlance_encodings_total{{dialect=\"{name}\"}}"));
    join_all(series.iter().map(|series| gateway.metric(series))).await
}

async fn send(sender: &Client, text: &str, mood: &str) {
    let attachments = [json!({"url": "a"}), json!({"url": "b"})];
    let message = json!({
        "conversationId": "c", "content": text, "metadata": {"mood": mood}, "attachments": attachments,
    });
    sender.ok("message:send", message).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_for_five_dialects_and_a_thousand_sockets_is_encoded_five_times() {
    let app = TestApp::new().await;
    let files = DIALECTS.map(|name| (format!("{name}.toml"), file(name)));
    let folder = Folder::with(&files.each_ref().map(|(name, text)| (name.as_str(), text.as_str())));
    let gateway = app.gateway(&[folder.setting(), ("limits.connections_per_user", "1000")]).await;
    app.conversation(&gateway, "c", &DIALECTS).await;
    let mut clients = Vec::new();
    for _ in 0..SOCKETS_OF_EACH {
        clients.extend(join_all(DIALECTS.map(|name| listener(&gateway, name))).await);
    }

    let sender = Client::connect(&gateway, "red").await;

    // Other events may be on their way at the same time.
    let text = eventually("a message that was encoded five times and nothing else beside it", async || {
        let before = encodings(&gateway).await;
        let text = format!("hello {}", before.iter().sum::<f64>());
        send(&sender, &text, "loud").await;
        let got = |client: &Client| client.events("loud").contains(&json!({"text": text.to_uppercase()}));
        eventually("the message at every socket", async || clients.iter().all(got).then_some(())).await;
        let after = encodings(&gateway).await;
        after.iter().zip(before).all(|(after, before)| after - before == 1.0).then_some(text)
    })
    .await;

    for (client, name) in clients.iter().zip(DIALECTS.iter().cycle()) {
        let of_text = |event: &str, text: &str| {
            let all = client.events(event);
            all.into_iter().filter(|payload| payload["text"] == text).collect::<Vec<_>>()
        };
        assert_eq!(of_text("said", &text), [json!({"text": text, "in": name})]);
        let files = ["a", "b"].map(|url| json!({"url": url, "text": text}));
        assert_eq!(of_text("file", &text), files, "one for each");
        assert_eq!(of_text("loud", &text.to_uppercase()).len(), 1);
    }

    send(&sender, "quiet", "calm").await;
    let said = |client: &Client| client.events("said").iter().any(|payload| payload["text"] == "quiet");
    eventually("the quiet message", async || clients.iter().all(said).then_some(())).await;

    // What is for one socket each is told to each of a crowd as well.
    let (status, answer) = gateway.rest("DELETE", "/v1/conversations/c", json!({})).await;
    assert_eq!(status, 204, "{answer}");
    let out = |client: &Client| client.events("out") == [json!({"reason": "deleted"})];
    eventually("the end at every socket", async || clients.iter().all(out).then_some(())).await;
    assert!(clients.iter().all(|client| !client.events("loud").contains(&json!({"text": "QUIET"}))));
    app.end().await;
}
