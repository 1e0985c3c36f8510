//! Reactions: everybody counts, everybody sees the same, and what is not allowed has its code.

#![cfg(test)]

use fred::interfaces::{HashesInterface, KeysInterface};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    app::{Gateway, SERVICE_KEY, TestApp, eventually, id},
    client::{Client, assert_refused, token},
    openapi::documented,
    wire::client::http,
};

/// Ann here and Bob there in conversation `c`, where Ann has said something; Eve is in another one.
struct Scene {
    app: TestApp,
    here: Gateway,
    there: Gateway,
    ann: Client,
    bob: Client,
    message: String,
}

impl Scene {
    async fn new() -> Self {
        let (app, here, there) = TestApp::with_two_gateways().await;
        app.conversation(&here, "c", &["ann", "bob"]).await;
        app.conversation(&here, "elsewhere", &["eve"]).await;
        let (ann, bob) = (Client::connect(&here, "ann").await, Client::connect(&there, "bob").await);
        bob.join("c").await;
        ann.join("c").await;
        let message = ann.send("c", "hello").await["id"].as_str().unwrap().to_owned();
        bob.event("message:created").await;
        Self { app, here, there, ann, bob, message }
    }

    fn reaction(&self, emoji: &str) -> Value {
        json!({"messageId": self.message, "emoji": emoji})
    }

    async fn read(&self, client: &Client) -> Value {
        client.ok("message:get", json!({"messageId": self.message})).await["message"].clone()
    }

    async fn rows(&self) -> Vec<(String, String, bool)> {
        let id = uuid::Uuid::parse_str(&self.message).unwrap();
        let sql = "SELECT emoji, user_id, active FROM reactions WHERE message_id = $1 ORDER BY epoch, rev";
        let rows = self
            .app
            .store
            .run("test", async |connection| Ok(sqlx::query_as(sql).bind(id).fetch_all(connection).await?));
        rows.await.unwrap()
    }

    fn object(&self) -> String {
        let id: parlance_domain::id::MessageId = self.message.parse().unwrap();
        self.app.broker.keys().object(id).unwrap()
    }

    /// What a restart of Redis looks like to the next append.
    async fn restarted(&self) {
        let state = self.app.broker.keys().state(&id("c"));
        let _: i64 = self.app.broker.client().hset(state, ("replid", "0".repeat(40))).await.unwrap();
    }
}

/// Emoji with the ids of users, and the counts are right.
fn told(reactions: &Value) -> Vec<(String, Vec<String>)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let one = |reaction: &Value| {
        let users: Vec<String> =
            reaction["users"].as_array().unwrap().iter().map(|user| text(&user["id"])).collect();
        assert_eq!(reaction["count"], users.len(), "{reaction}");
        (text(&reaction["emoji"]), users)
    };
    reactions.as_array().unwrap().iter().map(one).collect()
}

async fn rest(gateway: &Gateway, method: &str, path: &str, user: &str, body: &Value) -> (u16, Value) {
    let headers = format!("Content-Type: application/json\r\nAuthorization: Bearer {}\r\n", token(user));
    let answer = http(&gateway.address, method, path, &headers, &body.to_string()).await;
    (answer.status, serde_json::from_str(&answer.body).unwrap_or(Value::Null))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reaction_is_answered_and_told_to_the_others_with_all_there_are() {
    let scene = Scene::new().await;
    let answer = scene.bob.ok("reaction:toggle", scene.reaction("👍")).await;
    let reactions = json!([{"emoji": "👍", "count": 1, "users": [{"id": "bob", "name": "bob"}]}]);
    let expected = json!({
        "ok": true, "messageId": scene.message, "emoji": "👍", "active": true, "reactions": reactions,
    });
    assert_eq!(answer, expected);
    let mut event = scene.ann.event("reaction:updated").await;
    let fields = event.as_object_mut().unwrap();
    let (offset, at) = (fields.remove("offset").unwrap(), fields.remove("at").unwrap());
    assert!(offset.as_u64() > Some(2) && at.as_str().is_some_and(|at| at.ends_with('Z')));
    let expected = json!({
        "messageId": scene.message, "conversationId": "c", "seq": 1, "userId": "bob",
        "user": {"id": "bob", "name": "bob"}, "emoji": "👍", "active": true, "reactions": reactions, "epoch": 1,
    });
    assert_eq!(event, expected);
    assert_eq!(scene.read(&scene.ann).await["reactions"], reactions);
    let answer = scene.bob.ok("reaction:toggle", scene.reaction("👍")).await;
    assert_eq!((&answer["active"], &answer["reactions"]), (&json!(false), &json!([])));
    assert_eq!(scene.ann.event("reaction:updated").await["active"], false);
    scene.bob.ping().await;
    assert_eq!(scene.bob.events("reaction:updated").len(), 0, "who reacts is answered, not told");
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn to_add_what_is_there_or_to_remove_what_is_not_tells_nobody() {
    let scene = Scene::new().await;
    for (event, active) in [
        ("reaction:remove", false),
        ("reaction:add", true),
        ("reaction:add", true),
        ("reaction:remove", false),
        ("reaction:remove", false),
    ] {
        assert_eq!(scene.bob.ok(event, scene.reaction("a")).await["active"], active);
    }
    scene.bob.ok("reaction:toggle", scene.reaction("b")).await;
    let told = scene.ann.until("reaction:updated", 3).await;
    let told: Vec<_> = told.iter().map(|event| (event["emoji"].clone(), event["active"].clone())).collect();
    assert_eq!(told, [("a", true), ("a", false), ("b", true)].map(|(e, a)| (json!(e), json!(a))));
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_toggles_of_fifty_users_on_two_gateways_are_the_same_everywhere() {
    let scene = Scene::new().await;
    let _worker = scene.app.worker().await;
    // Before the first one toggles: each who is added makes the others' rights be looked up again.
    for n in 0..50 {
        scene.here.add("c", &format!("u{n}")).await;
    }
    let mut toggling = JoinSet::new();
    for n in 0..50 {
        let user = format!("u{n}");
        let gateway = if n % 3 == 0 { scene.here.clone() } else { scene.there.clone() };
        let message = scene.message.clone();
        toggling.spawn(async move {
            let client = Client::connect(&gateway, &user).await;
            // The even ones end with one of each, the odd ones with none.
            let emoji = if n % 2 == 0 { ["a", "a", "a", "b"] } else { ["a", "b", "a", "b"] };
            for emoji in emoji {
                client.ok("reaction:toggle", json!({"messageId": message, "emoji": emoji})).await;
            }
        });
    }
    toggling.join_all().await;
    let at_ann = scene.ann.until("reaction:updated", 200).await;
    let at_bob = scene.bob.until("reaction:updated", 200).await;
    assert_eq!(at_ann, at_bob);
    let all = at_ann.last().unwrap()["reactions"].clone();
    let mut users: Vec<(String, Vec<String>)> = told(&all);
    users.sort_unstable();
    users.iter_mut().for_each(|(_, users)| users.sort_unstable());
    let mut even: Vec<String> = (0..50).step_by(2).map(|n| format!("u{n}")).collect();
    even.sort_unstable();
    assert_eq!(users, [("a".to_owned(), even.clone()), ("b".to_owned(), even)]);
    assert_eq!(scene.read(&scene.bob).await["reactions"], all);
    scene.app.drained("c").await;
    assert_eq!(scene.read(&scene.bob).await["reactions"], all, "from Postgres, in the same order");
    let (history, _) = scene.ann.history(json!({"conversationId": "c"})).await;
    assert_eq!(history[0]["reactions"], all);
    let path = format!("/v1/messages/{}", scene.message);
    let (status, message) = rest(&scene.here, "GET", &path, "ann", &Value::Null).await;
    assert_eq!((status, &message["reactions"]), (200, &all));
    let rows = scene.rows().await;
    assert_eq!(rows.len(), 100);
    let active = rows.iter().filter(|(.., active)| *active).count();
    assert_eq!(active, 50);
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reactions_that_left_redis_are_read_from_postgres() {
    let scene = Scene::new().await;
    let _worker = scene.app.worker().await;
    for (client, emoji) in [(&scene.ann, "a"), (&scene.bob, "b"), (&scene.bob, "a"), (&scene.ann, "a")] {
        client.ok("reaction:toggle", scene.reaction(emoji)).await;
    }
    scene.app.drained("c").await;
    let _: u64 = scene.app.broker.client().del(scene.object()).await.unwrap();
    let answer = scene.ann.ok("reaction:toggle", scene.reaction("b")).await;
    assert_eq!(
        told(&answer["reactions"]),
        [("b", vec!["bob", "ann"]), ("a", vec!["bob"])]
            .map(|(emoji, users)| (emoji.to_owned(), users.into_iter().map(str::to_owned).collect()))
    );
    // The object that this made knows the message, too: it can be changed.
    scene.ann.ok("message:edit", json!({"messageId": scene.message, "content": "changed"})).await;
    let read = scene.read(&scene.bob).await;
    assert_eq!((&read["content"], &read["reactions"]), (&json!("changed"), &answer["reactions"]));
    scene.app.end().await;
}

/// Redis went back to before a reaction that Postgres has: what counts is Postgres.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_of_redis_a_toggle_knows_what_was_lost_there() {
    let scene = Scene::new().await;
    let _worker = scene.app.worker().await;
    scene.bob.ok("reaction:toggle", scene.reaction("a")).await;
    scene.app.drained("c").await;
    let back = [("reactions", "1 []"), ("rev", "2")];
    let _: i64 = scene.app.broker.client().hset(scene.object(), back.to_vec()).await.unwrap();
    scene.restarted().await;
    let answer = scene.bob.ok("reaction:toggle", scene.reaction("a")).await;
    assert_eq!((&answer["active"], &answer["reactions"]), (&json!(false), &json!([])));
    scene.app.drained("c").await;
    assert_eq!(scene.rows().await, [("a".to_owned(), "bob".to_owned(), false)]);
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_of_redis_nothing_is_decided_from_zero() {
    let scene = Scene::new().await;
    scene.bob.ok("reaction:toggle", scene.reaction("a")).await;
    scene.restarted().await;
    // Nobody writes to Postgres, so nobody knows whether there was more.
    scene.ann.refused("reaction:toggle", scene.reaction("a"), "unavailable").await;
    let edit = json!({"messageId": scene.message, "content": "changed"});
    scene.ann.refused("message:edit", edit.clone(), "unavailable").await;
    let _worker = scene.app.worker().await;
    scene.app.drained("c").await;
    let answer = scene.ann.ok("reaction:toggle", scene.reaction("a")).await;
    assert_eq!(told(&answer["reactions"]), [("a".to_owned(), vec!["bob".to_owned(), "ann".to_owned()])]);
    scene.ann.ok("message:edit", edit).await;
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_goes_through_whatever_reactions_come_in_between() {
    let scene = Scene::new().await;
    let mut asked = Vec::new();
    for n in 0..30 {
        asked.push((&scene.bob, scene.bob.ask("reaction:toggle", scene.reaction("a")).await));
        let edit = json!({"messageId": scene.message, "content": n.to_string()});
        asked.push((&scene.ann, scene.ann.ask("message:edit", edit).await));
    }
    for (client, asked) in asked {
        assert_eq!(client.answer(asked).await["ok"], true);
    }
    let read = scene.read(&scene.bob).await;
    assert_eq!((&read["content"], &read["reactions"]), (&json!("29"), &json!([])));
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_reaction_against_a_delete_nothing_is_left() {
    let scene = Scene::new().await;
    let _worker = scene.app.worker().await;
    for _ in 0..20 {
        let message = scene.ann.send("c", "hello").await["id"].clone();
        let toggle = scene.bob.ask("reaction:toggle", json!({"messageId": message, "emoji": "a"})).await;
        scene.ann.ok("message:delete", json!({"messageId": message})).await;
        let answer = scene.bob.answer(toggle).await;
        if answer["ok"] != true {
            assert_refused(&answer, "not_found");
        }
        let payload = json!({"messageId": message, "emoji": "a"});
        for event in ["reaction:toggle", "reaction:add", "reaction:remove"] {
            scene.bob.refused(event, payload.clone(), "not_found").await;
        }
        let read = scene.bob.ok("message:get", json!({"messageId": message})).await["message"].clone();
        assert_eq!((&read["content"], &read["reactions"]), (&json!(""), &json!([])));
    }
    scene.app.drained("c").await;
    let (history, _) = scene.bob.history(json!({"conversationId": "c"})).await;
    assert!(history.iter().skip(1).all(|message| message["reactions"] == json!([])), "{history:?}");
    // Of a message that only Postgres knows, too.
    let last = history.last().unwrap()["id"].clone();
    let object: parlance_domain::id::MessageId = last.as_str().unwrap().parse().unwrap();
    let key = scene.app.broker.keys().object(object).unwrap();
    let _: u64 = scene.app.broker.client().del(key).await.unwrap();
    scene.bob.refused("reaction:toggle", json!({"messageId": last, "emoji": "a"}), "not_found").await;
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_has_fifty_emoji_and_no_more() {
    let scene = Scene::new().await;
    for n in 0..50 {
        scene.bob.ok("reaction:add", scene.reaction(&format!("e{n}"))).await;
    }
    let error = scene.ann.refused("reaction:add", scene.reaction("one-more"), "limit_reached").await;
    assert_eq!(error["retryable"], false);
    let path = format!("/v1/messages/{}/reactions", scene.message);
    let (status, problem) = rest(&scene.here, "POST", &path, "ann", &json!({"emoji": "one-more"})).await;
    assert_eq!((status, &problem["code"]), (409, &json!("limit_reached")), "{problem}");
    scene.ann.ok("reaction:add", scene.reaction("e7")).await;
    scene.bob.ok("reaction:remove", scene.reaction("e0")).await;
    scene.ann.ok("reaction:add", scene.reaction("one-more")).await;
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_gives_what_a_socket_gets() {
    let scene = Scene::new().await;
    let all = format!("/v1/messages/{}/reactions", scene.message);
    // 👩🏽‍💻 and a slash.
    let technologist = "\u{1F469}\u{1F3FD}\u{200D}\u{1F4BB}/";
    let one = format!("{all}/%F0%9F%91%A9%F0%9F%8F%BD%E2%80%8D%F0%9F%92%BB%2F");
    let steps = [
        ("POST", &all, "/v1/messages/{message}/reactions", true),
        ("PUT", &one, "/v1/messages/{message}/reactions/{emoji}", true),
        ("DELETE", &one, "/v1/messages/{message}/reactions/{emoji}", false),
        ("DELETE", &one, "/v1/messages/{message}/reactions/{emoji}", false),
        ("PUT", &one, "/v1/messages/{message}/reactions/{emoji}", true),
    ];
    for (method, path, template, active) in steps {
        let body = if method == "POST" { json!({"emoji": technologist}) } else { Value::Null };
        let (status, answer) = rest(&scene.here, method, path, "bob", &body).await;
        let users = json!([{"id": "bob", "name": "bob"}]);
        let reactions =
            if active { json!([{"emoji": technologist, "count": 1, "users": users}]) } else { json!([]) };
        let expected = json!({"messageId": scene.message, "emoji": technologist, "active": active, "reactions": reactions});
        assert_eq!((status, &answer), (200, &expected), "{method} {path}");
        documented(&scene.here, method, template, status, &answer).await;
    }
    // A request has no socket that would be passed over.
    scene.bob.until("reaction:updated", 3).await;
    let headers =
        format!("Content-Type: application/json\r\nAuthorization: Bearer {SERVICE_KEY}\r\nX-Act-As: ann\r\n");
    let answer = http(&scene.there.address, "POST", &all, &headers, r#"{"emoji":"a"}"#).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer = scene.there.rest("POST", &all, json!({"emoji": "a"})).await;
    assert_eq!((answer.0, &answer.1["code"]), (403, &json!("forbidden")), "a backend that acts for nobody");
    let read = scene.here.rest("GET", &format!("/v1/messages/{}", scene.message), Value::Null).await;
    assert_eq!((read.0, told(&read.1["reactions"]).len()), (200, 2), "but it reads");
    documented(&scene.here, "GET", "/v1/messages/{message}", 200, &read.1).await;
    scene.app.end().await;
}

/// The same request is refused with the same code, by socket and by request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_is_refused_with_its_code_and_changes_nothing() {
    let scene = Scene::new().await;
    let eve = Client::connect(&scene.there, "eve").await;
    let foreign = eve.send("elsewhere", "not for bob").await["id"].as_str().unwrap().to_owned();
    let unknown = "0199f3c2-0000-7000-8000-000000000000";
    let long = "x".repeat(65);
    let ours = scene.message.as_str();
    let cases = [
        (json!(ours), json!(""), "invalid_payload"),
        (json!(ours), json!(long), "invalid_payload"),
        (json!(ours), json!("a b"), "invalid_payload"),
        (json!(ours), json!("a\u{0}"), "invalid_payload"),
        (json!(ours), json!("a\n"), "invalid_payload"),
        (json!(ours), json!(7), "invalid_payload"),
        (json!(ours), json!({}), "invalid_payload"),
        (json!(ours), json!(["a"]), "invalid_payload"),
        (json!(ours), Value::Null, "invalid_payload"),
        (json!("nope"), json!("a"), "invalid_payload"),
        (json!("%00"), json!("a"), "invalid_payload"),
        (json!(foreign), json!("a"), "not_found"),
        (json!(unknown), json!("a"), "not_found"),
    ];
    let wait = async || {
        let ingest = scene.app.broker.keys().ingest(scene.app.broker.keys().partitions().of("c"));
        let waiting: u64 =
            fred::interfaces::StreamsInterface::xlen(scene.app.broker.client(), ingest).await.unwrap();
        waiting
    };
    let before = wait().await;
    for (message, emoji, code) in &cases {
        for event in ["reaction:toggle", "reaction:add", "reaction:remove"] {
            scene.bob.refused(event, json!({"messageId": message, "emoji": emoji}), code).await;
        }
        let status = if *code == "not_found" { 404 } else { 400 };
        let path = format!("/v1/messages/{}/reactions", message.as_str().unwrap());
        let (answered, problem) = rest(&scene.there, "POST", &path, "bob", &json!({"emoji": emoji})).await;
        assert_eq!((answered, &problem["code"]), (status, &json!(code)), "{path} {emoji}");
    }
    for payload in [json!(null), json!({"emoji": "a"}), json!({"messageId": 7, "emoji": "a"}), json!([])] {
        scene.bob.refused("reaction:toggle", payload, "invalid_payload").await;
    }
    let all = format!("/v1/messages/{ours}/reactions");
    let extra = json!({"emoji": "a", "more": 1});
    let requests = [
        ("POST", all.clone(), "bob", extra, 400, "invalid_payload"),
        ("POST", all.clone(), "bob", json!([]), 400, "invalid_payload"),
        ("POST", all.clone(), "bob", json!({}), 400, "invalid_payload"),
        ("POST", all.clone(), "eve", json!({"emoji": "a"}), 404, "not_found"),
        ("PUT", format!("{all}/a%20b"), "bob", Value::Null, 400, "invalid_payload"),
        ("PUT", format!("{all}/{long}"), "bob", Value::Null, 400, "invalid_payload"),
        ("PUT", format!("{all}/%FF"), "bob", Value::Null, 400, "invalid_payload"),
        ("DELETE", format!("{all}/%00"), "bob", Value::Null, 400, "invalid_payload"),
        ("DELETE", format!("/v1/messages/{foreign}/reactions/a"), "bob", Value::Null, 404, "not_found"),
        ("GET", format!("/v1/messages/{foreign}"), "bob", Value::Null, 404, "not_found"),
        ("GET", format!("/v1/messages/{unknown}"), "bob", Value::Null, 404, "not_found"),
        ("GET", "/v1/messages/nope".to_owned(), "bob", Value::Null, 400, "invalid_payload"),
    ];
    for (method, path, user, body, status, code) in requests {
        let (answered, problem) = rest(&scene.there, method, &path, user, &body).await;
        assert_eq!((answered, &problem["code"]), (status, &json!(code)), "{method} {path} {body}");
    }
    for message in [&*foreign, unknown] {
        scene.bob.refused("message:get", json!({"messageId": message}), "not_found").await;
    }
    scene.bob.refused("message:get", json!({"messageId": "nope"}), "invalid_payload").await;
    assert_eq!(wait().await, before);
    assert_eq!(scene.read(&scene.ann).await["reactions"], json!([]));
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_removed_reacts_no_longer() {
    let scene = Scene::new().await;
    scene.bob.ok("reaction:toggle", scene.reaction("a")).await;
    scene.here.remove("c", "bob").await;
    eventually("bob is told that there is no such message", async || {
        let answer = scene.bob.call("reaction:toggle", scene.reaction("a")).await;
        (answer["ok"] == false).then(|| assert_refused(&answer, "not_found"))
    })
    .await;
    let read = scene.read(&scene.ann).await;
    assert_eq!(told(&read["reactions"]).len(), 1, "what he left stays");
    scene.app.end().await;
}
