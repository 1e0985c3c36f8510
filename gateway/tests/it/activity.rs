//! `conversation.activity`: participants hear of a conversation wherever they are, when a dialect tells of it.

#![cfg(test)]

use serde_json::{Value, json};

use crate::{
    app::{Gateway, TestApp, eventually},
    client::{Client, token},
    dialect::Folder,
};

const NEWS: &str = r#"
name = "news"
answer.ack = { ok = true }
failure.ack = { ok = false, code = "{code}" }

[[outbound]]
on = "conversation.activity"
event = "activity"
payload = "{$}"
"#;

async fn reader(gateway: &Gateway, user: &str) -> Client {
    let path = "/socket.io/?EIO=4&transport=websocket&dialect=news";
    Client::try_connect(gateway, path, "", json!({"token": token(user)})).await.unwrap()
}

/// Waits until it is told that this is so.
async fn told(client: &Client, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    eventually(what, async || client.events("activity").into_iter().rfind(|told| is_so(told))).await
}

fn users(activity: &Value) -> Vec<&str> {
    activity["participants"].as_array().unwrap().iter().map(|user| user.as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn participants_hear_of_messages_titles_and_participants_wherever_they_are() {
    let app = TestApp::new().await;
    let folder = Folder::with(&[("news.toml", NEWS)]);
    let (here, there) = (app.gateway(&[folder.setting()]).await, app.gateway(&[folder.setting()]).await);
    app.worker().await;
    let ann = Client::connect(&here, "ann").await;
    let [bob, bob_elsewhere] = [reader(&here, "bob").await, reader(&there, "bob").await];
    let carol = reader(&there, "carol").await;
    app.conversation(&here, "c", &["ann", "bob"]).await;
    let new = told(&bob_elsewhere, "the conversation is new", |_| true).await;
    assert_eq!(
        (new["id"].as_str(), users(&new), &new["lastMessage"]),
        (Some("c"), vec!["ann", "bob"], &Value::Null)
    );
    assert_eq!(new["updatedAt"], new["createdAt"]);

    ann.join("c").await;
    let sent = ann.send("c", "hello").await;
    for client in [&bob, &bob_elsewhere] {
        let heard = told(client, "something was said", |told| told["lastMessage"]["id"] == sent["id"]).await;
        assert_eq!(heard["lastMessage"]["content"], "hello");
        assert_eq!(heard["updatedAt"], sent["createdAt"]);
    }
    let (status, _) = here.rest("PATCH", "/v1/conversations/c", json!({"title": "Hall"})).await;
    assert_eq!(status, 200);
    told(&bob, "there is a title", |told| told["title"] == "Hall").await;
    here.add("c", "carol").await;
    told(&carol, "carol takes part", |told| users(told).contains(&"carol")).await;
    here.remove("c", "bob").await;
    let left = told(&carol, "bob takes part no longer", |told| users(told) == ["ann", "carol"]).await;
    assert_eq!(left["lastMessage"]["id"], sent["id"]);
    ann.send("c", "without bob").await;
    told(&carol, "something was said", |told| told["lastMessage"]["content"] == "without bob").await;
    assert!(bob.events("activity").iter().all(|told| told["lastMessage"]["content"] != "without bob"));
    // Whose dialect does not speak of it hears nothing of it.
    assert!(ann.received().iter().all(|received| !received.name.contains("activity")));
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_noted_where_no_dialect_tells_of_it() {
    let (app, gateway) = TestApp::with_gateway().await;
    let worker = app.worker_with(&[("notifications.activity_interval", "60s")]).await;
    app.conversation(&gateway, "c", &["ann"]).await;
    // The worker has looked once, and does not for a minute.
    let ann = Client::connect(&gateway, "ann").await;
    ann.send("c", "hello").await;
    app.drained("c").await;
    let noted: i64 = app
        .store
        .run("test", async |connection| {
            let sql = "SELECT last_value FROM conversation_changes WHERE is_called";
            Ok(sqlx::query_scalar(sql).fetch_optional(connection).await?.unwrap_or(0))
        })
        .await
        .unwrap();
    assert_eq!(noted, 0);
    drop(worker);
    app.end().await;
}
