//! Conversations: made, read, changed, deleted and made again, and who hears of it.

#![cfg(test)]

use serde_json::{Value, json};

use crate::{
    app::{Gateway, SERVICE_KEY, TestApp, eventually},
    client::{Client, assert_refused, token},
    openapi::documented,
    proxy::Proxy,
    wire::client::{Answer, http},
};

/// A request with JSON and these headers: the answer, and its body.
pub async fn request(
    gateway: &Gateway,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> (Answer, Value) {
    let headers = format!("Content-Type: application/json\r\n{headers}");
    let answer = http(&gateway.address, method, path, &headers, body).await;
    let body = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
    (answer, body)
}

/// A user's request.
pub async fn as_user(gateway: &Gateway, user: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
    let headers = format!("Authorization: Bearer {}\r\n", token(user));
    let (answer, body) = request(gateway, method, path, &headers, &body.to_string()).await;
    (answer.status, body)
}

/// A backend's request for a user.
pub async fn acting(gateway: &Gateway, user: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
    let headers = format!("Authorization: Bearer {SERVICE_KEY}\r\nX-Act-As: {user}\r\n");
    let (answer, body) = request(gateway, method, path, &headers, &body.to_string()).await;
    (answer.status, body)
}

const PATH: &str = "/v1/conversations/c";
const DOCUMENTED: &str = "/v1/conversations/{conversation}";

async fn delete(gateway: &Gateway) {
    let (status, answer) = gateway.rest("DELETE", PATH, Value::Null).await;
    assert_eq!(status, 204, "{answer}");
    documented(gateway, "DELETE", DOCUMENTED, status, &answer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_begins_with_participants_in_their_roles() {
    let (app, gateway) = TestApp::with_gateway().await;
    let new = json!({"id": "c", "title": "Plans", "participants": ["bob", {"id": "ann", "role": "owner"}, {"id": "cat"}]});
    let (status, created) = gateway.rest("POST", "/v1/conversations", new.clone()).await;
    assert_eq!((status, &created["participants"]), (201, &json!(["bob", "ann", "cat"])));
    assert_eq!((&created["metadata"], &created["updatedAt"]), (&json!({}), &Value::Null));
    documented(&gateway, "POST", "/v1/conversations", status, &created).await;
    assert_eq!(gateway.rest("POST", "/v1/conversations", new).await, (200, created.clone()));
    let (status, page) = gateway.rest("GET", &format!("{PATH}/participants"), Value::Null).await;
    let roles: Vec<_> =
        page["participants"].as_array().unwrap().iter().map(|one| one["role"].clone()).collect();
    assert_eq!((status, roles), (200, vec![json!("owner"), json!("member"), json!("member")]));

    let other = json!({"id": "c", "title": "Plans", "participants": ["bob", "ann", "cat"]});
    let (status, problem) = gateway.rest("POST", "/v1/conversations", other).await;
    assert_eq!((status, &problem["code"]), (409, &json!("conflict")), "in other roles it is another one");
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_take_part_read_a_conversation_and_others_are_not_told_of_it() {
    let (app, gateway) = TestApp::with_gateway().await;
    let new = json!({"id": "c", "title": "Plans", "participants": ["ann"], "metadata": {"team": [7]}});
    let (_, created) = gateway.rest("POST", "/v1/conversations", new).await;
    let (status, read) = gateway.rest("GET", PATH, Value::Null).await;
    assert_eq!((status, &read), (200, &created));
    documented(&gateway, "GET", DOCUMENTED, status, &read).await;
    assert_eq!(as_user(&gateway, "ann", "GET", PATH, Value::Null).await, (200, created.clone()));
    assert_eq!(acting(&gateway, "ann", "GET", PATH, Value::Null).await, (200, created.clone()));
    let ann = Client::connect(&gateway, "ann").await;
    let get = || json!({"conversationId": "c"});
    assert_eq!(ann.ok("conversation:get", get()).await["conversation"], created);

    let eve = Client::connect(&gateway, "eve").await;
    let told = eve.refused("conversation:get", get(), "not_found").await;
    let nowhere = json!({"conversationId": "nowhere"});
    assert_eq!(eve.refused("conversation:get", nowhere, "not_found").await, told);
    eve.refused("participant:list", get(), "not_found").await;
    for path in [PATH, "/v1/conversations/nowhere", "/v1/conversations/c/participants"] {
        let (status, problem) = as_user(&gateway, "eve", "GET", path, Value::Null).await;
        assert_eq!((status, &problem["code"]), (404, &json!("not_found")), "{path}");
        let (status, problem) = acting(&gateway, "eve", "GET", path, Value::Null).await;
        assert_eq!((status, &problem["code"]), (404, &json!("not_found")), "{path}");
    }
    assert_eq!(gateway.rest("GET", "/v1/conversations/nowhere", Value::Null).await.0, 404);
    assert_eq!(gateway.rest("GET", "/v1/conversations/nowhere/participants", Value::Null).await.0, 404);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_is_told_to_all_participants_wherever_they_are_and_only_when_something_changed() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["ann", "bob"]).await;
    let joined = Client::connect(&there, "ann").await;
    let (apart, eve) = (Client::connect(&there, "bob").await, Client::connect(&there, "eve").await);
    joined.join("c").await;
    let change = json!({"title": "Plans", "metadata": {"a": 1}});
    let (status, updated) = here.rest("PATCH", PATH, change.clone()).await;
    assert_eq!((status, &updated["title"], &updated["metadata"]), (200, &json!("Plans"), &json!({"a": 1})));
    assert!(updated["updatedAt"].is_string());
    documented(&here, "PATCH", DOCUMENTED, status, &updated).await;
    for client in [&joined, &apart] {
        let mut event = client.event("conversation:updated").await;
        assert_eq!((&event["offset"], &event["epoch"]), (&json!(2), &json!(1)));
        event.as_object_mut().unwrap().retain(|name, _| name != "offset" && name != "epoch");
        assert_eq!(event, updated);
    }
    assert_eq!(here.rest("PATCH", PATH, change).await, (200, updated.clone()), "nothing changed");
    let (_, bare) = there.rest("PATCH", PATH, json!({"title": null})).await;
    assert_eq!((&bare["title"], &bare["metadata"]), (&Value::Null, &json!({"a": 1})));
    for client in [&joined, &apart] {
        assert_eq!(client.event("conversation:updated").await["offset"], 3);
        client.ping().await;
        assert_eq!(client.events("conversation:updated").len(), 2);
    }
    eve.ping().await;
    assert!(eve.events("conversation:updated").is_empty());
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_a_state_that_is_over_is_refused() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let backend = format!("Authorization: Bearer {SERVICE_KEY}\r\n");
    let (read, _) = request(&gateway, "GET", PATH, &backend, "").await;
    let tag = read.header("etag").unwrap().to_owned();
    let matching = format!("{backend}If-Match: {tag}\r\n");
    let (first, updated) = request(&gateway, "PATCH", PATH, &matching, r#"{"title":"One"}"#).await;
    assert_eq!(first.status, 200, "{updated}");
    let (second, problem) = request(&gateway, "PATCH", PATH, &matching, r#"{"title":"Two"}"#).await;
    assert_eq!((second.status, &problem["code"]), (412, &json!("precondition_failed")));
    let (now, read) = request(&gateway, "GET", PATH, &backend, "").await;
    assert_eq!(
        (now.header("etag"), &read),
        (first.header("etag"), &updated),
        "the answer's tag is the next one"
    );
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_updates_at_once_each_counts_and_everybody_ends_with_the_same() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["ann"]).await;
    let ann = Client::connect(&there, "ann").await;
    ann.join("c").await;
    for round in 0..5 {
        let (one, two) = tokio::join!(
            here.rest("PATCH", PATH, json!({"title": format!("title {round}")})),
            there.rest("PATCH", PATH, json!({"metadata": {"round": round}})),
        );
        assert_eq!((one.0, two.0), (200, 200));
    }
    let told = ann.until("conversation:updated", 10).await;
    let (_, now) = here.rest("GET", PATH, Value::Null).await;
    let last = told.last().unwrap();
    assert_eq!((&last["title"], &last["metadata"]), (&json!("title 4"), &json!({"round": 4})));
    assert_eq!((&last["title"], &last["metadata"]), (&now["title"], &now["metadata"]));
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_deleted_conversation_nothing_is_left_for_anybody() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["ann", "bob"]).await;
    let (near, far) = (Client::connect(&here, "ann").await, Client::connect(&there, "ann").await);
    let apart = Client::connect(&there, "bob").await;
    for client in [&near, &far] {
        client.join("c").await;
    }
    let message = near.send("c", "hello").await;
    delete(&here).await;
    for client in [&near, &far, &apart] {
        let deleted = client.event("conversation:deleted").await;
        assert_eq!((&deleted["conversationId"], &deleted["offset"]), (&json!("c"), &json!(3)), "{deleted}");
    }
    for client in [&near, &far] {
        assert_eq!(
            client.event("conversation:left").await,
            json!({"conversationId": "c", "reason": "deleted"})
        );
        let content = json!({"conversationId": "c", "content": "x"});
        client.refused("message:send", content, "not_a_participant").await;
        let id = || json!({"conversationId": "c"});
        client.refused("conversation:join", id(), "not_a_participant").await;
        client.refused("message:history", id(), "not_a_participant").await;
        client.refused("conversation:get", id(), "not_found").await;
        let change = json!({"messageId": message["id"], "content": "y", "emoji": "👍"});
        for command in ["message:edit", "message:delete", "message:get", "reaction:add"] {
            client.refused(command, change.clone(), "not_found").await;
        }
    }
    // Everybody was told once: those who were in it there, the others as users.
    for client in [&near, &far, &apart] {
        client.ping().await;
        assert_eq!(client.events("conversation:deleted").len(), 1);
    }
    for (method, path, body) in [
        ("GET", PATH, Value::Null),
        ("PATCH", PATH, json!({"title": "x"})),
        ("DELETE", PATH, Value::Null),
        ("GET", "/v1/conversations/c/participants", Value::Null),
        ("PUT", "/v1/conversations/c/participants/ann", json!({})),
        ("DELETE", "/v1/conversations/c/participants/ann", Value::Null),
    ] {
        let (status, problem) = there.rest(method, path, body).await;
        assert_eq!((status, &problem["code"]), (404, &json!("not_found")), "{method} {path}");
    }
    // Nobody is in it, so no gateway listens any more.
    eventually("nobody subscribes", async || (app.subscriptions("c").await == 0).then_some(())).await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_id_begins_again_without_its_past() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["ann", "bob"]).await;
    let (ann, bob) = (Client::connect(&here, "ann").await, Client::connect(&there, "bob").await);
    ann.join("c").await;
    let old = ann.send("c", "of before").await;
    delete(&there).await;
    let again = json!({"id": "c", "participants": ["ann"]});
    assert_eq!(here.rest("POST", "/v1/conversations", again.clone()).await.0, 201);
    ann.event("conversation:left").await;
    ann.join("c").await;
    assert!(ann.history(json!({"conversationId": "c"})).await.0.is_empty(), "the history is empty");
    bob.refused("conversation:join", json!({"conversationId": "c"}), "not_a_participant").await;
    let new = ann.send("c", "of now").await;
    assert_eq!((&new["seq"], &new["offset"]), (&json!(2), &json!(5)), "the numbers go on");
    let of_before = json!({"messageId": old["id"], "content": "x", "emoji": "👍"});
    for command in ["message:edit", "message:delete", "message:get", "reaction:add"] {
        ann.refused(command, of_before.clone(), "not_found").await;
    }
    let answer = json!({"conversationId": "c", "content": "x", "replyTo": old["id"]});
    ann.refused("message:send", answer, "not_found").await;
    ann.ok("message:edit", json!({"messageId": new["id"], "content": "edited"})).await;

    // The same when the worker has caught up.
    let worker = app.worker().await;
    app.drained("c").await;
    assert_eq!(app.persisted("c").await, [new["id"].as_str().unwrap()]);
    assert_eq!(ann.history(json!({"conversationId": "c"})).await.0.len(), 1);
    for command in ["message:edit", "message:get"] {
        ann.refused(command, of_before.clone(), "not_found").await;
    }
    assert_eq!(here.rest("POST", "/v1/conversations", again).await.0, 200, "it is there");
    worker.stop().await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_went_with_an_open_conversation_is_not_changed_any_more_while_new_things_are() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("gateway.policy", "open")]).await;
    let worker = app.worker().await;
    let ann = Client::connect(&gateway, "ann").await;
    ann.join("c").await;
    let old = ann.send("c", "of before").await;
    delete(&gateway).await;
    ann.event("conversation:deleted").await;
    assert_eq!(gateway.rest("DELETE", PATH, Value::Null).await.0, 404);
    let of_before = json!({"messageId": old["id"], "content": "x", "emoji": "👍"});
    for command in ["message:edit", "message:delete", "message:get", "reaction:toggle"] {
        ann.refused(command, of_before.clone(), "not_found").await;
    }
    // Used again, it is there again.
    ann.join("c").await;
    let new = ann.send("c", "of now").await;
    ann.ok("message:edit", json!({"messageId": new["id"], "content": "edited"})).await;
    ann.refused("message:edit", of_before.clone(), "not_found").await;
    app.drained("c").await;
    let (status, read) = gateway.rest("GET", PATH, Value::Null).await;
    assert_eq!((status, &read["createdAt"]), (200, &new["createdAt"]));
    delete(&gateway).await;
    worker.stop().await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sent_after_a_deletion_and_everybody_sees_the_same_until_then() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    for round in 0..5 {
        app.conversation(&here, "c", &["ann", "bob"]).await;
        let (ann, bob) = (Client::connect(&here, "ann").await, Client::connect(&there, "bob").await);
        ann.join("c").await;
        bob.join("c").await;
        let sending = async {
            let mut accepted = Vec::new();
            for n in 0..1_000 {
                let answer =
                    ann.call("message:send", json!({"conversationId": "c", "content": n.to_string()})).await;
                if answer["ok"] == false {
                    assert_refused(&answer, "not_a_participant");
                    return accepted;
                }
                accepted.push(answer["message"].clone());
            }
            panic!("the conversation was deleted");
        };
        let deleting = async {
            bob.until("message:created", 3).await;
            delete(&there).await;
        };
        let (accepted, ()) = tokio::join!(sending, deleting);
        let deleted = bob.event("conversation:deleted").await;
        assert_eq!(bob.events("message:created"), accepted, "round {round}");
        let last = accepted.last().unwrap()["offset"].as_u64().unwrap();
        assert_eq!(deleted["offset"].as_u64().unwrap(), last + 1);
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_deletions_at_once_one_deletes() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["ann"]).await;
    let ann = Client::connect(&here, "ann").await;
    ann.join("c").await;
    let (one, two, three) = tokio::join!(
        here.rest("DELETE", PATH, Value::Null),
        there.rest("DELETE", PATH, Value::Null),
        there.rest("DELETE", PATH, Value::Null),
    );
    let mut statuses = [one.0, two.0, three.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 404, 404]);
    ann.event("conversation:deleted").await;
    ann.ping().await;
    assert_eq!(ann.events("conversation:deleted").len(), 1);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_deleted_while_redis_is_away_is_announced_by_a_worker() {
    let app = TestApp::new().await;
    let proxy = Proxy::before(&app.redis_url()).await;
    let (cut_off, gateway) = (app.gateway(&[("redis.url", proxy.url())]).await, app.gateway(&[]).await);
    app.conversation(&gateway, "c", &["ann", "bob"]).await;
    let (ann, bob) = (Client::connect(&gateway, "ann").await, Client::connect(&gateway, "bob").await);
    ann.join("c").await;
    proxy.cut();
    delete(&cut_off).await;
    // The membership in Postgres is the truth at once, for whoever asks there.
    let (status, _) = as_user(&gateway, "bob", "GET", PATH, Value::Null).await;
    assert_eq!(status, 404);
    assert!(ann.events("conversation:deleted").is_empty());
    let worker = app.worker().await;
    assert_eq!(ann.event("conversation:deleted").await["offset"], 2);
    assert_eq!(bob.event("conversation:deleted").await["offset"], 2, "those concerned are told, too");
    ann.event("conversation:left").await;
    ann.refused("message:send", json!({"conversationId": "c", "content": "x"}), "not_a_participant").await;
    proxy.mend();
    worker.stop().await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_is_refused_with_the_same_code_everywhere() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let (long, title) = ("x".repeat(129), "x".repeat(513));
    let long_path = format!("/v1/conversations/{long}");
    let many: Vec<String> = (0..1_001).map(|n| n.to_string()).collect();
    let large = json!({"a": "x".repeat(17_000)});
    for (method, path, body, status, code) in [
        ("POST", "/v1/conversations", json!({}), 400, "invalid_payload"),
        ("POST", "/v1/conversations", json!({"participants": "ann"}), 400, "invalid_payload"),
        ("POST", "/v1/conversations", json!({"participants": [7]}), 400, "invalid_payload"),
        ("POST", "/v1/conversations", json!({"participants": many}), 400, "invalid_payload"),
        ("POST", "/v1/conversations", json!({"participants": [{"role": "owner"}]}), 400, "invalid_payload"),
        (
            "POST",
            "/v1/conversations",
            json!({"participants": [{"id": "a", "role": "no word"}]}),
            400,
            "invalid_payload",
        ),
        (
            "POST",
            "/v1/conversations",
            json!({"participants": [{"id": "a", "since": 1}]}),
            400,
            "invalid_payload",
        ),
        ("POST", "/v1/conversations", json!({"participants": [], "id": long}), 400, "invalid_payload"),
        ("POST", "/v1/conversations", json!({"participants": [], "title": title}), 400, "invalid_payload"),
        ("POST", "/v1/conversations", json!({"participants": [], "metadata": large}), 400, "invalid_payload"),
        ("POST", "/v1/conversations", json!({"participants": [], "owner": "ann"}), 400, "invalid_payload"),
        ("PATCH", PATH, json!({}), 400, "invalid_payload"),
        ("PATCH", PATH, json!({"title": 7}), 400, "invalid_payload"),
        ("PATCH", PATH, json!({"title": "a\u{0}"}), 400, "invalid_payload"),
        ("PATCH", PATH, json!({"title": title}), 400, "invalid_payload"),
        ("PATCH", PATH, json!({"metadata": []}), 400, "invalid_payload"),
        ("PATCH", PATH, json!({"metadata": large}), 400, "invalid_payload"),
        ("PATCH", PATH, json!({"title": "x", "participants": []}), 400, "invalid_payload"),
        ("PATCH", "/v1/conversations/nowhere", json!({"title": "x"}), 404, "not_found"),
        ("PATCH", &*long_path, json!({"title": "x"}), 400, "invalid_payload"),
        ("DELETE", "/v1/conversations/nowhere", Value::Null, 404, "not_found"),
        ("DELETE", &*long_path, Value::Null, 400, "invalid_payload"),
        ("GET", &*long_path, Value::Null, 400, "invalid_payload"),
        ("PUT", PATH, json!({}), 405, "method_not_allowed"),
    ] {
        let (answered, problem) = gateway.rest(method, path, body.clone()).await;
        let shown = body.to_string();
        assert_eq!(
            (answered, problem["code"].as_str()),
            (status, Some(code)),
            "{method} {path:.60} {shown:.80}"
        );
    }
    for (method, path, body) in [
        ("POST", "/v1/conversations", json!({"participants": ["ann"]})),
        ("PATCH", PATH, json!({"title": "mine"})),
        ("DELETE", PATH, Value::Null),
    ] {
        let (status, problem) = as_user(&gateway, "ann", method, path, body).await;
        assert_eq!((status, &problem["code"]), (403, &json!("forbidden")), "{method}");
        assert_eq!(problem["detail"], "this needs a service key");
    }
    let ann = Client::connect(&gateway, "ann").await;
    for (event, payload, code) in [
        ("conversation:get", json!({}), "invalid_payload"),
        ("conversation:get", json!({"conversationId": 7}), "invalid_payload"),
        ("conversation:get", json!({"conversationId": long}), "invalid_payload"),
        ("conversation:get", json!({"conversationId": "nowhere"}), "not_found"),
        ("conversation:create", json!({"participants": ["ann"]}), "unknown_event"),
        ("conversation:update", json!({"conversationId": "c", "title": "mine"}), "unknown_event"),
        ("conversation:delete", json!({"conversationId": "c"}), "unknown_event"),
    ] {
        ann.refused(event, payload, code).await;
    }
    let (_, now) = gateway.rest("GET", PATH, Value::Null).await;
    assert_eq!((&now["title"], &now["updatedAt"]), (&Value::Null, &Value::Null), "nothing has changed");
    app.end().await;
}
