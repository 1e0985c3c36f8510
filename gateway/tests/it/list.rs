//! The list of a user's conversations: the newest activity first, with what is not stored yet.

#![cfg(test)]

use serde_json::{Value, json};

use crate::{
    app::{Gateway, SERVICE_KEY, TestApp, eventually},
    client::{Client, token},
    openapi::documented,
    wire::client::http,
};

async fn get(gateway: &Gateway, headers: &str, path: &str) -> (u16, Value) {
    let answer = http(&gateway.address, "GET", path, headers, "").await;
    (answer.status, serde_json::from_str(&answer.body).unwrap_or(Value::Null))
}

fn user(id: &str) -> String {
    format!("Authorization: Bearer {}\r\n", token(id))
}

fn backend() -> String {
    format!("Authorization: Bearer {SERVICE_KEY}\r\n")
}

async fn list(client: &Client, asked: Value) -> Value {
    let mut answer = client.ok("conversation:list", asked).await;
    answer.as_object_mut().unwrap().remove("ok");
    answer
}

fn ids(page: &Value) -> Vec<String> {
    let conversations = page["conversations"].as_array().unwrap();
    conversations.iter().map(|listed| listed["id"].as_str().unwrap().to_owned()).collect()
}

/// What is told of one conversation.
fn listed(page: &Value, id: &str) -> Value {
    let found = page["conversations"].as_array().unwrap().iter().find(|listed| listed["id"] == id);
    found.cloned().unwrap_or_else(|| panic!("{id} is not in {page}"))
}

fn unread(page: &Value, id: &str) -> u64 {
    listed(page, id)["unreadCount"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_activity_is_first_and_every_way_of_asking_has_the_same_answer() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    let _worker = app.worker().await;
    for id in ["a", "b", "c"] {
        app.conversation(&here, id, &["ann", "bob"]).await;
    }
    app.conversation(&here, "without-ann", &["bob"]).await;
    let (ann, bob) = (Client::connect(&here, "ann").await, Client::connect(&there, "bob").await);
    let mut last = Value::Null;
    for id in ["c", "a", "b", "a"] {
        last = bob.send(id, "hello").await;
        app.drained(id).await;
    }
    let page = list(&ann, json!({})).await;
    assert_eq!(ids(&page), ["a", "b", "c"]);
    assert_eq!(page["nextCursor"], Value::Null);
    let a = listed(&page, "a");
    assert_eq!(a["lastMessage"], last);
    assert_eq!((&a["unreadCount"], &a["readSeq"], &a["role"]), (&json!(2), &json!(0), &json!("member")));
    assert_eq!(a["participants"], json!(["ann", "bob"]));
    assert_eq!(unread(&list(&bob, json!({})).await, "a"), 0, "one's own messages are not unread");

    let acting = format!("{}X-Act-As: ann\r\n", backend());
    for (gateway, headers, path) in [
        (&here, user("ann"), "/v1/conversations"),
        (&there, acting, "/v1/conversations"),
        (&there, backend(), "/v1/users/ann/conversations"),
        (&there, user("ann"), "/v1/users/ann/conversations"),
    ] {
        let (status, answer) = get(gateway, &headers, path).await;
        assert_eq!((status, &answer), (200, &page), "{path}");
        let template = path.replace("ann", "{user}");
        documented(gateway, "GET", &template, status, &answer).await;
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_message_and_the_unread_ones_are_counted_before_and_after_they_are_stored() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["ann", "bob"]).await;
    app.conversation(&here, "empty", &["ann"]).await;
    let (ann, bob) = (Client::connect(&here, "ann").await, Client::connect(&there, "bob").await);
    let worker = app.worker().await;
    let mut sent = Vec::new();
    for n in 1..=5 {
        sent.push(bob.send("c", &n.to_string()).await);
    }
    ann.send("c", "mine").await;
    bob.ok("message:delete", json!({"messageId": sent[3]["id"]})).await;
    ann.ok("receipt:read", json!({"conversationId": "c", "seq": 2})).await;
    app.drained("c").await;
    eventually("the cursor is stored", async || {
        (listed(&list(&ann, json!({})).await, "c")["readSeq"] == 2).then_some(())
    })
    .await;
    // Of the places 3 to 6 one was taken back and one is her own.
    assert_eq!(unread(&list(&ann, json!({})).await, "c"), 2);
    worker.stop().await;

    let deleted = bob.ok("message:delete", json!({"messageId": sent[4]["id"]})).await;
    assert_eq!(unread(&list(&ann, json!({})).await, "c"), 1, "taken back, not stored");
    let newest = bob.send("c", "7").await;
    ann.send("c", "mine again").await;
    let edited = bob.ok("message:edit", json!({"messageId": newest["id"], "content": "seven"})).await;
    let page = list(&ann, json!({})).await;
    assert_eq!(unread(&page, "c"), 2, "what is not stored counts");
    assert_eq!(listed(&page, "c")["lastMessage"]["content"], "mine again");
    assert_eq!(unread(&page, "empty"), 0);
    assert_eq!(listed(&page, "empty")["lastMessage"], Value::Null);

    let _worker = app.worker().await;
    app.drained("c").await;
    let page = list(&ann, json!({})).await;
    assert_eq!(unread(&page, "c"), 2, "nothing counts twice");
    assert_eq!(edited["message"]["content"], "seven");
    assert!(deleted["message"]["deletedAt"].is_string());
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_message_is_told_as_it_is_now() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann", "bob"]).await;
    let (ann, bob) = (Client::connect(&gateway, "ann").await, Client::connect(&gateway, "bob").await);
    let worker = app.worker().await;
    let sent = bob.send("c", "draft").await;
    app.drained("c").await;
    worker.stop().await;
    let edited = bob.ok("message:edit", json!({"messageId": sent["id"], "content": "final"})).await;
    assert_eq!(listed(&list(&ann, json!({})).await, "c")["lastMessage"], edited["message"]);
    let _worker = app.worker().await;
    app.drained("c").await;
    assert_eq!(listed(&list(&ann, json!({})).await, "c")["lastMessage"], edited["message"]);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_messages_are_counted_up_to_a_thousand() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann", "bob"]).await;
    let (ann, bob) = (Client::connect(&gateway, "ann").await, Client::connect(&gateway, "bob").await);
    let worker = app.worker().await;
    for n in 0..900 {
        bob.send("c", &n.to_string()).await;
    }
    app.drained("c").await;
    worker.stop().await;
    assert_eq!(unread(&list(&ann, json!({})).await, "c"), 900);
    for n in 0..150 {
        bob.send("c", &n.to_string()).await;
    }
    assert_eq!(unread(&list(&ann, json!({})).await, "c"), 1_000);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_is_paged_without_a_hole_and_without_a_repetition() {
    let (app, gateway) = TestApp::with_gateway().await;
    let mut all: Vec<String> = (0..23).map(|n| format!("c{n}")).collect();
    for id in &all {
        app.conversation(&gateway, id, &["ann"]).await;
    }
    let _worker = app.worker().await;
    let ann = Client::connect(&gateway, "ann").await;
    // Some were used since; the others stand where they were made. Three share a moment.
    for id in ["c3", "c9", "c0"] {
        ann.send(id, "hello").await;
        app.drained(id).await;
    }
    for id in &all {
        app.drained(id).await;
    }
    let sql =
        "UPDATE conversations SET active_at = NULL, created_at = '2026-01-01' WHERE id IN ('c5', 'c6', 'c7')";
    app.store.run("test", async |connection| Ok(sqlx::query(sql).execute(connection).await?)).await.unwrap();
    let whole = ids(&list(&ann, json!({})).await);
    assert_eq!(whole[..3], ["c0", "c9", "c3"]);
    assert_eq!(whole[20..], ["c7", "c6", "c5"]);
    for limit in [1, 4, 22, 23, 100] {
        let (mut found, mut asked) = (Vec::new(), json!({"limit": limit}));
        loop {
            let page = list(&ann, asked).await;
            found.append(&mut ids(&page));
            let Some(next) = page["nextCursor"].as_str() else { break };
            asked = json!({"limit": limit, "cursor": next});
        }
        assert_eq!(found, whole, "{limit}");
    }
    let mut sorted = whole;
    sorted.sort();
    all.sort();
    assert_eq!(sorted, all);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_large_messages_ends_early_and_the_cursor_reads_on() {
    let (app, gateway) = TestApp::with_gateway().await;
    let all: Vec<String> = (0..8).map(|n| format!("c{n}")).collect();
    for id in &all {
        app.conversation(&gateway, id, &["ann"]).await;
    }
    let ann = Client::connect(&gateway, "ann").await;
    let pages = async || {
        let (mut found, mut pages, mut asked) = (Vec::new(), 0, json!({}));
        loop {
            let page = list(&ann, asked).await;
            assert!(page.to_string().len() < 2 * 1024 * 1024);
            found.append(&mut ids(&page));
            pages += 1;
            let Some(next) = page["nextCursor"].as_str() else { break };
            asked = json!({"cursor": next});
        }
        found.sort();
        assert_eq!(found, all);
        pages
    };
    for id in &all {
        ann.send(id, &"x".repeat(400_000)).await;
    }
    assert_eq!(pages().await, 3, "none is stored");
    let _worker = app.worker().await;
    for id in &all {
        app.drained(id).await;
    }
    assert_eq!(pages().await, 3, "all are stored");
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_removed_has_it_in_the_list_no_longer() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann", "bob"]).await;
    let ann = Client::connect(&gateway, "ann").await;
    assert_eq!(ids(&list(&ann, json!({})).await), ["c"]);
    gateway.remove("c", "ann").await;
    assert_eq!(list(&ann, json!({})).await["conversations"], json!([]));
    gateway.add("c", "ann").await;
    assert_eq!(ids(&list(&ann, json!({})).await), ["c"]);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_list_is_refused_by_socket_and_by_request_alike() {
    let (app, gateway) = TestApp::with_gateway().await;
    let ann = Client::connect(&gateway, "ann").await;
    let tampered = "WzE3MDAwMDAwMDAwMDAwMDAsImMiXX0";
    for asked in [
        json!({"cursor": "made up"}),
        json!({"cursor": tampered}),
        json!({"cursor": "IjciCg"}),
        json!({"limit": 0}),
        json!({"limit": 101}),
        json!({"limit": "many"}),
    ] {
        ann.refused("conversation:list", asked.clone(), "invalid_payload").await;
        let (name, value) = asked.as_object().unwrap().iter().next().unwrap();
        let value = value.as_str().map_or_else(|| value.to_string(), |text| text.replace(' ', "+"));
        for path in ["/v1/conversations", "/v1/users/ann/conversations"] {
            let (status, body) = get(&gateway, &user("ann"), &format!("{path}?{name}={value}")).await;
            assert_eq!((status, &body["code"]), (400, &json!("invalid_payload")), "{path} {asked}");
            documented(&gateway, "GET", &path.replace("ann", "{user}"), status, &body).await;
        }
    }
    for (headers, path, status, code) in [
        (user("ann"), "/v1/users/bob/conversations", 403, "forbidden"),
        (backend(), "/v1/conversations", 403, "forbidden"),
        (backend(), "/v1/conversations?user=ann", 400, "invalid_payload"),
        (String::new(), "/v1/conversations", 401, "token_missing"),
    ] {
        let (answered, body) = get(&gateway, &headers, path).await;
        assert_eq!((answered, &body["code"]), (status, &json!(code)), "{path}");
    }
    let (status, body) = get(&gateway, &backend(), "/v1/users/nobody/conversations").await;
    assert_eq!((status, &body["conversations"]), (200, &json!([])));
    app.end().await;
}
