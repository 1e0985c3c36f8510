//! Notifications: of messages, to those who are not in the room; by backends; listed and marked as read.

#![cfg(test)]

use fred::interfaces::PubsubInterface;
use parlance_broker::members::Members;
use parlance_domain::id::UserId;
use serde_json::{Value, json};

use crate::{
    app::{Gateway, SERVICE_KEY, TestApp, eventually, id},
    client::{Client, assert_refused, token},
    dialect::Folder,
    openapi::documented,
    wire::client::http,
};

const LIST: &str = "/v1/users/{user}/notifications";
const READ: &str = "/v1/users/{user}/notifications/read";

/// Somebody's request, as the header says who it is.
async fn request(gateway: &Gateway, auth: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let headers = format!("{auth}\r\nContent-Type: application/json\r\n");
    let answer = http(&gateway.address, method, path, &headers, &body.to_string()).await;
    let body: Value = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
    if let Some(rest) = path.strip_prefix("/v1/users/").and_then(|rest| rest.split_once('/')) {
        let template = if rest.1.ends_with("/read") { READ } else { LIST };
        documented(gateway, method, template, answer.status, &body).await;
    }
    (answer.status, body)
}

async fn as_user(gateway: &Gateway, user: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
    request(gateway, &format!("Authorization: Bearer {}", token(user)), method, path, &body).await
}

async fn as_backend(gateway: &Gateway, method: &str, path: &str, body: Value) -> (u16, Value) {
    request(gateway, &format!("Authorization: Bearer {SERVICE_KEY}"), method, path, &body).await
}

async fn notify(gateway: &Gateway, user: &str, text: &str) -> Value {
    let body = json!({"type": "news", "text": text});
    let (status, made) = as_backend(gateway, "POST", &format!("/v1/users/{user}/notifications"), body).await;
    assert_eq!(status, 201, "{made}");
    made
}

/// Waits until so many gateways hear the user's channel.
async fn heard_on(app: &TestApp, user: &str, gateways: u64) {
    let channel = app.broker.keys().user_channel(&UserId::new(user).unwrap());
    eventually("the user's channel is subscribed", async || {
        let answer: Vec<(String, u64)> =
            app.broker.client().pubsub_shardnumsub(channel.clone()).await.unwrap();
        (answer[0].1 == gateways).then_some(())
    })
    .await;
}

/// Waits until exactly these users are in the conversation.
async fn here_are(app: &TestApp, conversation: &str, users: &[&str]) {
    let members = Members::new(app.broker.clone());
    let mut expected: Vec<String> = users.iter().map(|user| (*user).to_owned()).collect();
    expected.sort();
    eventually("these users are here", async || {
        let found = members.users(&id(conversation)).await.ok()?;
        let mut found: Vec<String> = found.into_iter().map(String::from).collect();
        found.sort();
        (found == expected).then_some(())
    })
    .await;
}

async fn list(client: &Client, page: Value) -> Value {
    client.ok("notification:list", page).await
}

fn texts(page: &Value) -> Vec<&str> {
    page["notifications"].as_array().unwrap().iter().map(|one| one["text"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_in_the_room_is_notified_on_every_device() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.worker().await;
    app.conversation(&here, "c", &["ann", "bob", "carol"]).await;
    let ann = Client::connect(&here, "ann").await;
    let carol = Client::connect(&there, "carol").await;
    let bob = [Client::connect(&here, "bob").await, Client::connect(&there, "bob").await];
    ann.join("c").await;
    carol.join("c").await;
    here_are(&app, "c", &["ann", "carol"]).await;
    heard_on(&app, "bob", 2).await;
    let sent = ann.send("c", "where are you?").await;

    let told = bob[0].event("notification:created").await;
    assert_eq!(bob[1].event("notification:created").await, told);
    assert_eq!((&told["type"], &told["text"]), (&json!("message"), &json!("where are you?")));
    assert_eq!((&told["userId"], &told["conversationId"]), (&json!("bob"), &json!("c")));
    assert_eq!((&told["messageId"], &told["read"]), (&sent["id"], &json!(false)));
    assert_eq!(told["message"]["content"], sent["content"]);
    assert_eq!(told["createdAt"], sent["createdAt"]);
    assert_eq!(carol.event("message:created").await["id"], sent["id"]);

    let mut stored = told.clone();
    stored["message"] = Value::Null;
    let page = json!({"ok": true, "notifications": [stored], "unreadCount": 1, "nextCursor": null});
    assert_eq!(list(&bob[1], json!({})).await, page);
    for user in ["ann", "carol"] {
        let (status, page) =
            as_user(&there, user, "GET", &format!("/v1/users/{user}/notifications"), Value::Null).await;
        assert_eq!((status, page), (200, json!({"notifications": [], "unreadCount": 0, "nextCursor": null})));
    }
    assert!(carol.events("notification:created").is_empty() && ann.events("notification:created").is_empty());
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_leaves_by_whatever_way_is_absent_and_whoever_comes_back_is_not() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.worker().await;
    app.conversation(&here, "c", &["ann", "bob", "carol", "dan"]).await;
    let ann = Client::connect(&here, "ann").await;
    let (bob, bob_elsewhere) = (Client::connect(&here, "bob").await, Client::connect(&there, "bob").await);
    let carol = Client::connect(&there, "carol").await;
    let dan = Client::connect(&there, "dan").await;
    for client in [&ann, &bob, &bob_elsewhere, &carol, &dan] {
        client.join("c").await;
    }
    here_are(&app, "c", &["ann", "bob", "carol", "dan"]).await;
    bob.leave("c").await;
    drop(carol);
    here.remove("c", "dan").await;
    here_are(&app, "c", &["ann", "bob"]).await;
    bob_elsewhere.leave("c").await;
    here_are(&app, "c", &["ann"]).await;
    ann.send("c", "one").await;
    for user in ["bob", "carol"] {
        eventually("who left is notified", async || {
            let path = format!("/v1/users/{user}/notifications");
            let (_, page) = as_user(&here, user, "GET", &path, Value::Null).await;
            (texts(&page) == ["one"]).then_some(())
        })
        .await;
    }
    bob.join("c").await;
    here_are(&app, "c", &["ann", "bob"]).await;
    ann.send("c", "two").await;
    eventually("carol is notified again", async || {
        let (_, page) = as_user(&here, "carol", "GET", "/v1/users/carol/notifications", Value::Null).await;
        (texts(&page) == ["two", "one"]).then_some(())
    })
    .await;
    assert_eq!(texts(&list(&bob, json!({})).await), ["one"]);
    let (_, page) = as_backend(&here, "GET", "/v1/users/dan/notifications", Value::Null).await;
    assert_eq!(texts(&page), [""; 0], "who takes part no longer is not notified");
    app.end().await;
}

/// A dialect in which messages are sent, and notifications told and listed.
fn speaking(name: &str, notify: &str) -> String {
    format!(
        "name = \"{name}\"\nanswer.ack = {{ ok = true, \"...\" = \"{{$}}\" }}\n\
        failure.ack = {{ ok = false, code = \"{{code}}\" }}\n\
        {notify}\n[[inbound]]\nevent = \"say\"\ncommand = \"message.send\"\n\
        fields.conversation = \"to\"\nfields.content = \"text\"\n\
        [[inbound]]\nevent = \"list\"\ncommand = \"notification.list\"\n\
        [[inbound]]\nevent = \"read\"\ncommand = \"notification.read\"\n\
        [[outbound]]\non = \"notification.created\"\nevent = \"told\"\npayload.text = \"{{text}}\"\n"
    )
}

async fn in_dialect(gateway: &Gateway, dialect: &str, user: &str) -> Client {
    let path = format!("/socket.io/?EIO=4&transport=websocket&dialect={dialect}");
    Client::try_connect(gateway, &path, "", json!({"token": token(user)})).await.unwrap()
}

async fn texts_told(client: &Client, event: &str, last: &str) -> Vec<String> {
    let text = |told: &Value| told["text"].as_str().unwrap().to_owned();
    eventually("the last one is told", async || {
        let told: Vec<String> = client.events(event).iter().map(text).collect();
        (told.last().map(String::as_str) == Some(last)).then_some(told)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_client_is_notified_of_messages_as_its_own_dialect_says_whoever_sends_them() {
    let app = TestApp::new().await;
    let folder = Folder::with(&[
        ("loud.toml", &speaking("loud", "behaviour.notify = \"always\"")),
        ("silent.toml", &speaking("silent", "")),
    ]);
    let gateway = app.gateway(&[folder.setting()]).await;
    app.worker().await;
    app.conversation(&gateway, "c", &["ann", "bob", "carol"]).await;
    let bob = Client::connect(&gateway, "bob").await;
    let carol = Client::connect(&gateway, "carol").await;
    let [loud_bob, loud_carol] =
        [in_dialect(&gateway, "loud", "bob").await, in_dialect(&gateway, "loud", "carol").await];
    let [silent_bob, silent_carol] =
        [in_dialect(&gateway, "silent", "bob").await, in_dialect(&gateway, "silent", "carol").await];
    bob.join("c").await;
    here_are(&app, "c", &["bob"]).await;
    for user in ["bob", "carol"] {
        heard_on(&app, user, 1).await;
    }
    let ann = in_dialect(&gateway, "silent", "ann").await;
    ann.ok("say", json!({"to": "c", "text": "by a silent one"})).await;
    for loud in [&loud_bob, &loud_carol] {
        assert_eq!(texts_told(loud, "told", "by a silent one").await.len(), 1);
    }
    // What a backend says is for everybody, and comes after the message.
    for user in ["bob", "carol"] {
        notify(&gateway, user, "by a backend").await;
    }
    let both = ["by a silent one", "by a backend"];
    for (client, event, expected) in [
        (&loud_bob, "told", &both[..]),
        (&loud_carol, "told", &both[..]),
        (&bob, "notification:created", &both[1..]),
        (&carol, "notification:created", &both[..]),
        (&silent_bob, "told", &both[1..]),
        (&silent_carol, "told", &both[1..]),
    ] {
        assert_eq!(texts_told(client, event, "by a backend").await, expected);
    }

    // Lists, numbers and marks go by the dialect that asks, too.
    let listed = async |client: &Client, event: &str| {
        let page = client.ok(event, json!({})).await;
        (texts(&page).len() as u64, page["unreadCount"].as_u64().unwrap())
    };
    assert_eq!(listed(&loud_bob, "list").await, (2, 2));
    assert_eq!(listed(&bob, "notification:list").await, (1, 1));
    assert_eq!(listed(&silent_bob, "list").await, (1, 1));
    assert_eq!(listed(&carol, "notification:list").await, (2, 2));
    let (_, page) = as_user(&gateway, "bob", "GET", "/v1/users/bob/notifications", Value::Null).await;
    assert_eq!(texts(&page), ["by a backend"]);
    assert_eq!(bob.ok("notification:read", json!({})).await["marked"], 1);
    assert_eq!(listed(&loud_bob, "list").await, (2, 1), "he was never shown the other one there");
    assert_eq!(loud_bob.ok("read", json!({})).await["marked"], 1);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_notifies_a_user_on_all_devices_and_it_is_kept() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    let devices = [Client::connect(&here, "ann").await, Client::connect(&there, "ann").await];
    heard_on(&app, "ann", 2).await;
    let body = json!({"type": "Invoice.Paid", "text": "Thank you", "data": {"invoice": 7}});
    let (status, made) = as_backend(&here, "POST", "/v1/users/ann/notifications", body).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!((&made["type"], &made["text"]), (&json!("invoice.paid"), &json!("Thank you")));
    assert_eq!((&made["data"], &made["userId"]), (&json!({"invoice": 7}), &json!("ann")));
    assert_eq!(
        (&made["read"], &made["messageId"], &made["message"]),
        (&json!(false), &Value::Null, &Value::Null)
    );
    for device in &devices {
        assert_eq!(device.event("notification:created").await, made);
    }
    let announced: bool = app
        .store
        .run("test", async |connection| {
            let sql = "SELECT announced_at IS NOT NULL FROM notifications";
            Ok(sqlx::query_scalar(sql).fetch_one(connection).await?)
        })
        .await
        .unwrap();
    assert!(announced, "no worker announces it again");
    let page = list(&devices[1], json!({})).await;
    assert_eq!((&page["notifications"], &page["unreadCount"]), (&json!([made]), &json!(1)));
    // Whom nobody knows yet finds it when he comes.
    notify(&there, "zoe", "welcome").await;
    let zoe = Client::connect(&here, "zoe").await;
    assert_eq!(texts(&list(&zoe, json!({})).await), ["welcome"]);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_neither_repeat_nor_lose_and_marks_hold_on_every_device() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    let (ann, ann_elsewhere) = (Client::connect(&here, "ann").await, Client::connect(&there, "ann").await);
    let mut made = Vec::new();
    for n in 0..7 {
        made.push(notify(&here, "ann", &n.to_string()).await);
    }
    let foreign = notify(&here, "bob", "foreign").await;
    // All of one millisecond: then the id decides.
    app.store
        .run("test", async |connection| {
            let sql = "UPDATE notifications SET created_at = date_trunc('second', now())";
            sqlx::query(sql).execute(connection).await?;
            Ok(())
        })
        .await
        .unwrap();
    let (mut paged, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let page = list(&ann, json!({"limit": 3, "cursor": cursor})).await;
        assert_eq!(page["unreadCount"], 7);
        paged.extend(page["notifications"].as_array().unwrap().iter().map(|one| one["id"].clone()));
        cursor = page["nextCursor"].clone();
        // What comes meanwhile is on no later page.
        notify(&here, "bob", "meanwhile").await;
        if cursor.is_null() {
            break;
        }
        let query = format!("/v1/users/ann/notifications?limit=3&cursor={}", cursor.as_str().unwrap());
        let (status, by_rest) = as_user(&there, "ann", "GET", &query, Value::Null).await;
        let mut by_socket = list(&ann_elsewhere, json!({"limit": 3, "cursor": cursor})).await;
        by_socket.as_object_mut().unwrap().remove("ok");
        assert_eq!((status, by_rest), (200, by_socket));
    }
    let mut ids: Vec<Value> = made.iter().map(|one| one["id"].clone()).collect();
    ids.sort_by_key(|id| std::cmp::Reverse(id.to_string()));
    assert_eq!(paged, ids);

    let some = json!({"notificationIds": [ids[0], ids[1], ids[1], foreign["id"]]});
    assert_eq!(ann.ok("notification:read", some.clone()).await["marked"], 2);
    assert_eq!(
        as_user(&there, "ann", "POST", "/v1/users/ann/notifications/read", some).await.1,
        json!({"marked": 0})
    );
    let unread = list(&ann_elsewhere, json!({"unread": true})).await;
    assert_eq!((unread["notifications"].as_array().unwrap().len(), &unread["unreadCount"]), (5, &json!(5)));
    let (_, all) = as_backend(&here, "GET", "/v1/users/ann/notifications?unread=false", Value::Null).await;
    let read = &all["notifications"][0];
    assert!(read["read"] == true && read["readAt"].as_str().is_some_and(|at| at.ends_with('Z')), "{read}");
    assert_eq!(
        as_backend(&here, "POST", "/v1/users/ann/notifications/read", json!({})).await.1,
        json!({"marked": 5})
    );
    assert_eq!(ann.ok("notification:read", json!({})).await["marked"], 0);
    let (_, of_bob) =
        as_user(&here, "bob", "GET", "/v1/users/bob/notifications?unread=true&limit=1", Value::Null).await;
    assert_eq!(of_bob["unreadCount"], 4, "what is bob's was not touched");
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_is_refused_with_the_same_code_everywhere() {
    let (app, gateway) = TestApp::with_gateway().await;
    let ann = Client::connect(&gateway, "ann").await;
    let many: Vec<String> = (0..501).map(|_| "0199f3c2-0000-7000-8000-000000000000".to_owned()).collect();
    for (event, payload) in [
        ("notification:list", json!({"limit": 0})),
        ("notification:list", json!({"limit": 101})),
        ("notification:list", json!({"limit": "x"})),
        ("notification:list", json!({"cursor": "made up"})),
        ("notification:list", json!({"cursor": 7})),
        ("notification:list", json!({"unread": "perhaps"})),
        ("notification:read", json!({"notificationIds": []})),
        ("notification:read", json!({"notificationIds": many})),
        ("notification:read", json!({"notificationIds": ["nope"]})),
        ("notification:read", json!({"notificationIds": [7]})),
        ("notification:read", json!({"notificationIds": "0199f3c2-0000-7000-8000-000000000000"})),
        ("notification:read", json!({"notificationIds": ["67e55044-10b1-426f-9247-bb680e5fe0c8"]})),
    ] {
        assert_refused(&ann.call(event, payload.clone()).await, "invalid_payload");
        let (method, path, body) = match event {
            "notification:list" => {
                let (name, value) = payload.as_object().unwrap().iter().next().unwrap();
                let value = value.to_string().replace('"', "").replace(' ', "%20");
                ("GET", format!("/v1/users/ann/notifications?{name}={value}"), Value::Null)
            }
            _ => ("POST", "/v1/users/ann/notifications/read".to_owned(), payload),
        };
        let (status, problem) = as_user(&gateway, "ann", method, &path, body.clone()).await;
        assert_eq!((status, &problem["code"]), (400, &json!("invalid_payload")), "{path} {body}");
    }
    assert_refused(&ann.call("notification:send", json!({"user": "bob"})).await, "unknown_event");
    let own = "/v1/users/ann/notifications";
    let good = || json!({"type": "news", "text": "hello"});
    let with = |field: &str, value: Value| {
        let mut body = good();
        body[field] = value;
        body
    };
    for (status, code, method, path, body) in [
        (400, "invalid_payload", "GET", "/v1/users/ann/notifications?colour=1".to_owned(), Value::Null),
        (400, "invalid_payload", "POST", format!("{own}/read"), json!({"ids": []})),
        (403, "forbidden", "GET", "/v1/users/bob/notifications".to_owned(), Value::Null),
        (403, "forbidden", "POST", "/v1/users/bob/notifications/read".to_owned(), json!({})),
        (403, "forbidden", "POST", own.to_owned(), good()),
    ] {
        let (found, problem) = as_user(&gateway, "ann", method, &path, body).await;
        assert_eq!((found, problem["code"].as_str()), (status, Some(code)), "{method} {path}");
    }
    for (path, body) in [
        (own.to_owned(), json!({"text": "hello"})),
        (own.to_owned(), json!({"type": "news"})),
        (own.to_owned(), with("type", json!("two words"))),
        (own.to_owned(), with("type", json!(7))),
        (own.to_owned(), with("text", json!("x".repeat(4_097)))),
        (own.to_owned(), with("text", json!("a\0b"))),
        (own.to_owned(), with("text", json!(["hello"]))),
        (own.to_owned(), with("data", json!([1]))),
        (own.to_owned(), with("data", json!({"a": "x".repeat(17_000)}))),
        (own.to_owned(), with("data", json!({"a": "b\0"}))),
        (own.to_owned(), with("user", json!("bob"))),
        (format!("/v1/users/{}/notifications", "x".repeat(129)), good()),
    ] {
        let (status, problem) = as_backend(&gateway, "POST", &path, body.clone()).await;
        assert_eq!((status, &problem["code"]), (400, &json!("invalid_payload")), "{body:.80}");
    }
    let acting = format!("Authorization: Bearer {SERVICE_KEY}\r\nX-Act-As: bob");
    let (status, problem) = request(&gateway, &acting, "GET", own, &Value::Null).await;
    assert_eq!((status, &problem["code"]), (403, &json!("forbidden")));
    let page = list(&ann, json!({})).await;
    assert_eq!((texts(&page), &page["unreadCount"]), (vec![], &json!(0)), "nothing of it is stored");
    app.end().await;
}
