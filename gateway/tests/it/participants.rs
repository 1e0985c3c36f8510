//! Participants: their roles, who hears of them, and that nobody says or hears anything who does not take part.

#![cfg(test)]

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::{
    app::{Gateway, SERVICE_KEY, TestApp},
    client::{Client, assert_refused},
    conversations::{as_user, request},
    openapi::documented,
};

const LIST: &str = "/v1/conversations/c/participants";
const BOB: &str = "/v1/conversations/c/participants/bob";
const DOCUMENTED: &str = "/v1/conversations/{conversation}/participants/{user}";

async fn put(gateway: &Gateway, body: Value) -> (u16, Value) {
    let (status, answer) = gateway.rest("PUT", BOB, body).await;
    documented(gateway, "PUT", DOCUMENTED, status, &answer).await;
    (status, answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_role_is_announced_and_the_same_one_is_not() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["ann"]).await;
    let (ann, bob) = (Client::connect(&there, "ann").await, Client::connect(&there, "bob").await);
    ann.join("c").await;
    let profile = json!({"id": "bob", "name": "bob"});
    let participation = |role: &str| json!({"conversationId": "c", "participant": profile, "role": role});
    assert_eq!(put(&here, json!({})).await, (201, participation("member")));
    assert_eq!(put(&there, json!({})).await, (200, participation("member")));
    assert_eq!(put(&here, json!({"role": "owner"})).await, (200, participation("owner")));
    assert_eq!(
        put(&there, json!({"role": null})).await,
        (200, participation("owner")),
        "he stays what he is"
    );
    // The participants are told, and so is the one whom it is about, who has not joined yet.
    for client in [&ann, &bob] {
        for (offset, role) in [(2, "member"), (3, "owner")] {
            let added = client.event("participant:added").await;
            assert_eq!((&added["offset"], &added["role"]), (&json!(offset), &json!(role)), "{added}");
            assert_eq!(added["participant"], profile);
        }
        client.ping().await;
        assert_eq!(client.events("participant:added").len(), 2);
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_participant_is_added_without_a_body_too() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let backend = format!("Authorization: Bearer {SERVICE_KEY}\r\n");
    let (answer, added) = request(&gateway, "PUT", BOB, &backend, "").await;
    assert_eq!((answer.status, &added["role"]), (201, &json!("member")));
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_added_or_removed_hears_of_it_once_on_each_device() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["ann"]).await;
    let (joined, apart) = (Client::connect(&here, "bob").await, Client::connect(&there, "bob").await);
    let eve = Client::connect(&there, "eve").await;
    for round in 1..=5 {
        assert_eq!(put(&there, json!({})).await.0, 201);
        joined.event("participant:added").await;
        apart.event("participant:added").await;
        joined.join("c").await;
        there.remove("c", "bob").await;
        for client in [&joined, &apart] {
            assert_eq!(client.event("participant:removed").await["offset"], 2 * round + 1);
        }
        let left = json!({"conversationId": "c", "reason": "removed"});
        assert_eq!(joined.event("conversation:left").await, left);
    }
    // What was published for the user after the room's event would have come by now: it comes before this.
    assert_eq!(put(&there, json!({})).await.0, 201);
    for client in [&joined, &apart] {
        client.event("participant:added").await;
        assert_eq!(client.events("participant:removed").len(), 5);
    }
    assert!(eve.events("participant:added").is_empty());
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_conversation_is_told_to_its_participants() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    let (ann, eve) = (Client::connect(&there, "ann").await, Client::connect(&there, "eve").await);
    app.conversation(&here, "c", &["ann", "bob"]).await;
    let created = ann.event("conversation:created").await;
    assert_eq!((&created["id"], &created["offset"]), (&json!("c"), &json!(1)));
    assert_eq!(created["participants"], json!(["ann", "bob"]));
    eve.ping().await;
    assert!(eve.events("conversation:created").is_empty());
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_participant_says_nothing_more_even_where_his_membership_was_cached() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["ann", "bob"]).await;
    let (ann, bob) = (Client::connect(&here, "ann").await, Client::connect(&there, "bob").await);
    ann.join("c").await;
    for round in 0..5_usize {
        here.add("c", "bob").await;
        bob.join("c").await;
        // Warm by now: every send from here on is authorised from the cache of `there`.
        bob.send("c", "warm").await;
        let sending = async {
            let mut accepted = Vec::new();
            for n in 0..1_000 {
                let content = json!({"conversationId": "c", "content": n.to_string()});
                let answer = bob.call("message:send", content).await;
                if answer["ok"] == false {
                    assert_refused(&answer, "not_a_participant");
                    return accepted;
                }
                accepted.push(answer["message"]["offset"].as_u64().unwrap());
            }
            panic!("he was removed");
        };
        let heard = ann.events("message:created").len();
        let removing = async {
            ann.until("message:created", heard + 5).await;
            here.remove("c", "bob").await;
        };
        let (accepted, ()) = tokio::join!(sending, removing);
        let removed = ann.until("participant:removed", round + 1).await.pop().unwrap();
        let at = removed["offset"].as_u64().unwrap();
        assert!(accepted.iter().all(|offset| *offset < at), "{accepted:?} {at}");
        bob.event("conversation:left").await;
        let before = bob.events("message:created").len();
        ann.send("c", "he does not hear this").await;
        bob.ping().await;
        assert_eq!(bob.events("message:created").len(), before);
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_additions_and_removals_at_once_the_last_event_tells_how_it_is() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["ann"]).await;
    let ann = Client::connect(&here, "ann").await;
    ann.join("c").await;
    for _ in 0..10 {
        let (added, removed) =
            tokio::join!(here.rest("PUT", BOB, json!({})), there.rest("DELETE", BOB, Value::Null));
        assert!(matches!(added.0, 200 | 201) && removed.0 == 204, "{added:?} {removed:?}");
        let (_, page) = here.rest("GET", LIST, Value::Null).await;
        let ids: HashSet<&str> = page["participants"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["userId"].as_str().unwrap())
            .collect();
        // What was answered is appended: a message comes after all of it.
        ann.send("c", "after").await;
        let changes = ann.received();
        let last = changes.iter().rfind(|event| event.name.starts_with("participant:"));
        let is_in = last.is_some_and(|event| event.name == "participant:added");
        assert_eq!(ids.contains("bob"), is_in);
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_have_every_participant_once() {
    let (app, gateway) = TestApp::with_gateway().await;
    let ids: Vec<String> = (0..25).map(|n| format!("user {n:02}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    app.conversation(&gateway, "c", &ids).await;
    gateway.rest("PUT", "/v1/users/user%2007", json!({"name": "Seven", "role": "guest"})).await;
    let member = Client::connect(&gateway, "user 03").await;
    let (mut found, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let page = json!({"conversationId": "c", "limit": 10, "cursor": cursor});
        let mut page = member.ok("participant:list", page).await;
        let query = cursor.as_str().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let (status, read) = gateway.rest("GET", &format!("{LIST}?limit=10{query}"), Value::Null).await;
        documented(&gateway, "GET", "/v1/conversations/{conversation}/participants", status, &read).await;
        page.as_object_mut().unwrap().remove("ok");
        assert_eq!(page, read, "a socket reads what a backend reads");
        found.extend(read["participants"].as_array().unwrap().clone());
        cursor = read["nextCursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    let names: Vec<&str> = found.iter().map(|one| one["userId"].as_str().unwrap()).collect();
    assert_eq!(names, ids);
    let seven = &found[7];
    assert_eq!(seven["user"], json!({"id": "user 07", "name": "Seven", "role": "guest"}));
    assert_eq!((&seven["role"], &seven["readSeq"]), (&json!("member"), &json!(0)));
    assert!(seven["joinedAt"].is_string());
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_is_refused_with_the_same_code_everywhere() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let long = "x".repeat(129);
    let long_path = format!("/v1/conversations/c/participants/{long}");
    for (method, path, body, status, code) in [
        ("PUT", BOB, json!({"role": 7}), 400, "invalid_payload"),
        ("PUT", BOB, json!({"role": ""}), 400, "invalid_payload"),
        ("PUT", BOB, json!({"role": "no word"}), 400, "invalid_payload"),
        ("PUT", BOB, json!({"role": "x".repeat(65)}), 400, "invalid_payload"),
        ("PUT", BOB, json!({"rule": "owner"}), 400, "invalid_payload"),
        ("PUT", BOB, json!([]), 400, "invalid_payload"),
        ("PUT", &*long_path, json!({}), 400, "invalid_payload"),
        ("PUT", "/v1/conversations/nowhere/participants/bob", json!({}), 404, "not_found"),
        ("DELETE", &*long_path, Value::Null, 400, "invalid_payload"),
        ("DELETE", "/v1/conversations/nowhere/participants/bob", Value::Null, 404, "not_found"),
        ("GET", "/v1/conversations/c/participants?limit=0", Value::Null, 400, "invalid_payload"),
        ("GET", "/v1/conversations/c/participants?limit=101", Value::Null, 400, "invalid_payload"),
        ("GET", "/v1/conversations/c/participants?cursor=made+up", Value::Null, 400, "invalid_payload"),
        ("GET", "/v1/conversations/c/participants?page=2", Value::Null, 400, "invalid_payload"),
        ("POST", BOB, json!({}), 405, "method_not_allowed"),
    ] {
        let (answered, problem) = gateway.rest(method, path, body.clone()).await;
        assert_eq!((answered, problem["code"].as_str()), (status, Some(code)), "{method} {path:.60} {body}");
    }
    for (method, body) in [("PUT", json!({})), ("DELETE", Value::Null)] {
        let (status, problem) = as_user(&gateway, "ann", method, BOB, body).await;
        assert_eq!((status, &problem["code"]), (403, &json!("forbidden")));
    }
    let ann = Client::connect(&gateway, "ann").await;
    for (event, payload, code) in [
        ("participant:list", json!({}), "invalid_payload"),
        ("participant:list", json!({"conversationId": long}), "invalid_payload"),
        ("participant:list", json!({"conversationId": "c", "limit": 101}), "invalid_payload"),
        ("participant:list", json!({"conversationId": "c", "cursor": "made up"}), "invalid_payload"),
        ("participant:list", json!({"conversationId": "c", "cursor": 7}), "invalid_payload"),
        ("participant:list", json!({"conversationId": "nowhere"}), "not_found"),
        ("participant:add", json!({"conversationId": "c", "userId": "bob"}), "unknown_event"),
        ("participant:remove", json!({"conversationId": "c", "userId": "ann"}), "unknown_event"),
    ] {
        ann.refused(event, payload, code).await;
    }
    let (_, page) = gateway.rest("GET", LIST, Value::Null).await;
    assert_eq!(page["participants"].as_array().unwrap().len(), 1, "nothing has changed");
    app.end().await;
}
