//! History: one answer from Redis and Postgres together, without a hole and without a repetition.

#![cfg(test)]

use std::sync::Arc;

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    app::{Gateway, SERVICE_KEY, TestApp, eventually},
    client::{Client, token},
    openapi::documented,
    wire::client::http,
};

fn seqs(messages: &[Value]) -> Vec<u64> {
    messages.iter().map(|message| message["seq"].as_u64().unwrap()).collect()
}

async fn page(client: &Client, more: Value) -> (Vec<u64>, bool) {
    let mut page = json!({"conversationId": "c"});
    page.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let (messages, has_more) = client.history(page).await;
    (seqs(&messages), has_more)
}

/// Reads everything from the oldest on, as a client does that was away.
async fn read_all(client: &Client, limit: u64) -> Vec<u64> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let (mut found, more) = page(client, json!({"after": after, "limit": limit})).await;
        after = found.last().copied().unwrap_or(after);
        all.append(&mut found);
        if !more {
            return all;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_over_what_is_persisted_and_what_is_not_have_no_hole_and_no_repetition() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let ann = Client::connect(&gateway, "ann").await;
    let worker = app.worker().await;
    for n in 0..10 {
        ann.send("c", &n.to_string()).await;
    }
    app.drained("c").await;
    worker.stop().await;
    for n in 10..20 {
        ann.send("c", &n.to_string()).await;
    }
    let check = async || {
        let all: Vec<u64> = (1..=20).collect();
        assert_eq!(page(&ann, json!({})).await, (all.clone(), false));
        assert_eq!(page(&ann, json!({"limit": 15})).await, ((6..=20).collect(), true));
        assert_eq!(page(&ann, json!({"limit": 20})).await, (all.clone(), false));
        assert_eq!(page(&ann, json!({"before": 14, "limit": 6})).await, ((8..=13).collect(), true));
        assert_eq!(page(&ann, json!({"before": 11, "limit": 10})).await, ((1..=10).collect(), false));
        assert_eq!(page(&ann, json!({"before": 1})).await, (vec![], false));
        assert_eq!(page(&ann, json!({"before": 1_000_000, "limit": 1})).await, (vec![20], true));
        assert_eq!(page(&ann, json!({"after": 8, "limit": 5})).await, ((9..=13).collect(), true));
        assert_eq!(page(&ann, json!({"after": 15, "limit": 5})).await, ((16..=20).collect(), false));
        assert_eq!(page(&ann, json!({"after": 20})).await, (vec![], false));
        for limit in [1, 3, 10, 200] {
            assert_eq!(read_all(&ann, limit).await, all);
        }
    };
    check().await;
    let _worker = app.worker().await;
    app.drained("c").await;
    check().await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_that_are_read_while_the_worker_writes_have_no_hole_and_no_repetition() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann", "bob"]).await;
    let _worker = app.worker().await;
    let (ann, bob) = (Client::connect(&gateway, "ann").await, Client::connect(&gateway, "bob").await);
    let ann = Arc::new(ann);
    let mut sending = JoinSet::new();
    let sender = Arc::clone(&ann);
    sending.spawn(async move {
        for n in 0..300 {
            sender.send("c", &n.to_string()).await;
        }
    });
    let mut known = 0;
    while !sending.is_empty() {
        let all = read_all(&bob, 40).await;
        assert_eq!(all, (1..=all.len() as u64).collect::<Vec<_>>());
        assert!(all.len() >= known, "what was there is still there");
        known = all.len();
        let (newest, _) = page(&bob, json!({"limit": 30})).await;
        assert!(newest.is_sorted_by(|a, b| a + 1 == *b), "{newest:?}");
        assert!(newest.last().copied().unwrap_or(0) >= known as u64);
        sending.try_join_next();
    }
    assert_eq!(read_all(&bob, 200).await, (1..=300).collect::<Vec<_>>());
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_away_joins_reads_and_has_everything_once() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["ann", "bob"]).await;
    let _worker = app.worker().await;
    let ann = Arc::new(Client::connect(&here, "ann").await);
    for n in 0..30 {
        ann.send("c", &n.to_string()).await;
    }
    let mut sending = JoinSet::new();
    let sender = Arc::clone(&ann);
    sending.spawn(async move {
        for n in 30..130 {
            sender.send("c", &n.to_string()).await;
        }
    });
    let bob = Client::connect(&there, "bob").await;
    let joined = bob.join("c").await["seq"].as_u64().unwrap();
    let read = read_all(&bob, 25).await;
    assert!(*read.last().unwrap() >= joined, "history has at least what the join does not bring");
    sending.join_all().await;
    let live = bob.until("message:created", usize::try_from(130 - joined).unwrap()).await;
    assert_eq!(seqs(&live), (joined + 1..=130).collect::<Vec<_>>());
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_default_is_fifty_and_places_out_of_bounds_are_refused() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let ann = Client::connect(&gateway, "ann").await;
    assert_eq!(page(&ann, json!({})).await, (vec![], false));
    for n in 0..60 {
        ann.send("c", &n.to_string()).await;
    }
    assert_eq!(page(&ann, json!({})).await, ((11..=60).collect(), true));
    for wrong in [
        json!({"limit": 0}),
        json!({"limit": 201}),
        json!({"limit": -1}),
        json!({"limit": 1.5}),
        json!({"limit": "many"}),
        json!({"before": -1}),
        json!({"before": 3, "after": 1}),
        json!({"after": "x"}),
        json!({"after": 1e300}),
    ] {
        let mut payload = wrong.clone();
        payload["conversationId"] = json!("c");
        ann.refused("message:history", payload, "invalid_payload").await;
    }
    app.end().await;
}

/// A page of conversation `c` by socket.
async fn whole_page(client: &Client, mut page: Value) -> Value {
    page["conversationId"] = json!("c");
    let mut answer = client.ok("message:history", page).await;
    answer.as_object_mut().unwrap().remove("ok");
    answer
}

/// A request of a user.
async fn as_user(gateway: &Gateway, user: &str, path: &str) -> (u16, Value) {
    let headers = format!("Authorization: Bearer {}\r\n", token(user));
    let answer = http(&gateway.address, "GET", path, &headers, "").await;
    (answer.status, serde_json::from_str(&answer.body).unwrap_or(Value::Null))
}

fn messages(page: &Value) -> Vec<Value> {
    page["messages"].as_array().unwrap().clone()
}

fn places(page: &Value) -> Vec<u64> {
    seqs(&messages(page))
}

/// What a page is asked for with, as a query of REST.
fn query(page: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let pairs = page.as_object().unwrap().iter().map(|(name, value)| format!("{name}={}", text(value)));
    pairs.collect::<Vec<_>>().join("&")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_page_says_what_lies_on_in_the_direction_of_reading() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["ann", "bob"]).await;
    let worker = app.worker().await;
    let (ann, bob) = (Client::connect(&here, "ann").await, Client::connect(&there, "bob").await);
    let mut ids = vec![Value::Null];
    for n in 1..=6 {
        ids.push(ann.send("c", &n.to_string()).await["id"].clone());
    }
    app.drained("c").await;
    worker.stop().await;
    for n in 7..=10 {
        ids.push(ann.send("c", &n.to_string()).await["id"].clone());
    }
    let cases = [
        (json!({"limit": 3}), vec![8, 9, 10], true, Some("b8"), None),
        (json!({"limit": 3, "order": "newest"}), vec![10, 9, 8], true, Some("b8"), None),
        (json!({"limit": 3, "cursor": "b8"}), vec![5, 6, 7], true, Some("b5"), None),
        (json!({"limit": 3, "before": 3, "order": "newest"}), vec![2, 1], false, None, None),
        (json!({"limit": 3, "after": 5}), vec![6, 7, 8], true, Some("a8"), None),
        (json!({"limit": 3, "cursor": "a8", "order": "newest"}), vec![10, 9], false, None, None),
        (json!({"limit": 4, "around": ids[6]}), vec![4, 5, 6, 7], true, Some("a7"), None),
        (json!({"limit": 4, "around": ids[8], "order": "newest"}), vec![9, 8, 7, 6], true, Some("b6"), None),
        (json!({"limit": 4, "around": ids[10]}), vec![7, 8, 9, 10], false, None, None),
        (json!({"limit": 1, "around": ids[1]}), vec![1], true, Some("a1"), None),
        (json!({"limit": 4, "page": 1}), vec![1, 2, 3, 4], true, Some("a4"), Some((1, 4))),
        (json!({"limit": 4, "page": 2}), vec![5, 6, 7, 8], true, Some("a8"), Some((2, 4))),
        (json!({"limit": 4, "page": 3}), vec![9, 10], false, None, Some((3, 4))),
        (json!({"limit": 4, "page": 4}), vec![], false, None, Some((4, 4))),
        (
            json!({"limit": 4, "page": 1, "order": "newest"}),
            vec![10, 9, 8, 7],
            true,
            Some("b7"),
            Some((1, 4)),
        ),
        (json!({"limit": 4, "page": 3, "order": "newest"}), vec![2, 1], false, None, Some((3, 4))),
        (
            json!({"limit": 5, "page": 9_007_199_254_740_991_u64}),
            vec![],
            false,
            None,
            Some((9_007_199_254_740_991, 5)),
        ),
    ];
    for written in [false, true] {
        if written {
            app.worker().await;
            app.drained("c").await;
        }
        for (asked, expected, more, next, numbered) in cases.clone() {
            let page = whole_page(&bob, asked.clone()).await;
            assert_eq!(places(&page), expected, "{asked} {written}");
            assert_eq!((&page["hasMore"], page["nextCursor"].as_str()), (&json!(more), next), "{asked}");
            let told = page["page"].as_u64().zip(page["limit"].as_u64());
            assert_eq!(told, numbered, "{asked}");
            assert_eq!(page["total"].as_u64(), numbered.map(|_| 10), "{asked}");
            let path = format!("/v1/conversations/c/messages?{}", query(&asked));
            let (status, by_request) = as_user(&here, "bob", &path).await;
            assert_eq!((status, &by_request), (200, &page), "the same by request: {asked}");
            documented(&here, "GET", "/v1/conversations/{conversation}/messages", 200, &by_request).await;
        }
    }
    app.end().await;
}

/// Reads everything in every way, and compares it with what there is, oldest first.
async fn reads_back(client: &Client, expected: &[Value], random: &mut StdRng) {
    let limit = random.random_range(1..=expected.len() as u64 + 2).min(200);
    let check = |how: &str, mut found: Vec<Value>, newest_first: bool| {
        if newest_first {
            found.reverse();
        }
        assert_eq!(found.len(), expected.len(), "{how}, limit {limit}");
        for (found, expected) in found.iter().zip(expected) {
            for field in ["id", "seq", "content", "deletedAt", "offset"] {
                assert_eq!(found[field], expected[field], "{how}, limit {limit}: {field} of {found}");
            }
        }
    };
    for order in ["oldest", "newest"] {
        let newest_first = order == "newest";
        // By cursors from either end; each page turned to the order of the reading.
        for (begin, older) in [(json!({}), true), (json!({"after": 0}), false)] {
            let (mut found, mut asked) = (Vec::new(), begin);
            loop {
                asked["limit"] = json!(limit);
                asked["order"] = json!(order);
                let page = whole_page(client, asked).await;
                let mut messages = messages(&page);
                if newest_first != older {
                    messages.reverse();
                }
                found.append(&mut messages);
                match page["nextCursor"].as_str() {
                    Some(next) => asked = json!({"cursor": next}),
                    None => break,
                }
            }
            check("by cursor", found, older);
        }
        // By number.
        let mut found = Vec::new();
        for page in 1.. {
            let page = whole_page(client, json!({"page": page, "limit": limit, "order": order})).await;
            assert_eq!(page["total"], expected.len());
            found.append(&mut messages(&page));
            if page["hasMore"] == false {
                break;
            }
        }
        check("by number", found, newest_first);
    }
    // From one in the middle, to both ends.
    let middle = &expected[random.random_range(0..expected.len())];
    let mut sides: Vec<Vec<Value>> = Vec::new();
    for order in ["newest", "oldest"] {
        let mut page =
            whole_page(client, json!({"around": middle["id"], "limit": limit, "order": order})).await;
        assert!(messages(&page).iter().any(|message| message["id"] == middle["id"]), "{page}");
        let mut found = messages(&page);
        while let Some(next) = page["nextCursor"].as_str() {
            page = whole_page(client, json!({"cursor": next, "limit": limit, "order": order})).await;
            found.append(&mut messages(&page));
        }
        sides.push(found);
    }
    let (mut found, newer) = (sides.remove(0), sides.remove(0));
    found.reverse();
    let known = found.last().unwrap()["seq"].as_u64();
    found.extend(newer.into_iter().filter(|message| message["seq"].as_u64() > known));
    check("around", found, false);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_random_conversation_is_read_in_every_way_without_a_hole_and_without_a_repetition() {
    let seed: u64 = rand::random();
    println!("the seed is {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["ann", "bob"]).await;
    let (ann, bob) = (Client::connect(&here, "ann").await, Client::connect(&there, "bob").await);
    let mut expected: Vec<Value> = Vec::new();
    for _ in 0..3 {
        // What of this is stored: none of it, or all.
        let worker = if random.random_bool(0.5) { Some(app.worker().await) } else { None };
        for _ in 0..random.random_range(1..25) {
            let known = expected.len();
            let at = random.random_range(0..known.max(1));
            match (known, random.random_range(0..10)) {
                (1.., 0..2) if expected[at]["deletedAt"].is_null() => {
                    let edit = json!({"messageId": expected[at]["id"], "content": format!("edited {known}")});
                    expected[at] = ann.ok("message:edit", edit).await["message"].clone();
                }
                (1.., 2) if expected[at]["deletedAt"].is_null() => {
                    let delete = json!({"messageId": expected[at]["id"]});
                    expected[at] = ann.ok("message:delete", delete).await["message"].clone();
                }
                _ => expected.push(ann.send("c", &format!("{known}")).await),
            }
        }
        if let Some(worker) = worker {
            app.drained("c").await;
            worker.stop().await;
        }
        reads_back(&bob, &expected, &mut random).await;
    }
    let _worker = app.worker().await;
    app.drained("c").await;
    reads_back(&bob, &expected, &mut random).await;
    // As after a restart of Redis: places may have been given twice, so ranks are counted.
    let sql = "UPDATE conversations SET epoch = epoch + 1 WHERE id = 'c'";
    app.store.run("test", async |connection| Ok(sqlx::query(sql).execute(connection).await?)).await.unwrap();
    reads_back(&bob, &expected, &mut random).await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_large_messages_ends_early_and_the_cursor_reads_on() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let worker = app.worker().await;
    let ann = Client::connect(&gateway, "ann").await;
    for n in 0..6 {
        ann.send("c", &n.to_string().repeat(400_000)).await;
    }
    app.drained("c").await;
    worker.stop().await;
    // In Postgres these are large, in the log they are empty: what Postgres gives must not be taken for all.
    for message in messages(&whole_page(&ann, json!({"limit": 3, "after": 0})).await) {
        ann.ok("message:delete", json!({"messageId": message["id"]})).await;
    }
    for asked in [json!({"after": 0}), json!({}), json!({"page": 1}), json!({"page": 1, "order": "newest"})] {
        let (mut found, mut asked) = (Vec::new(), asked);
        loop {
            let page = whole_page(&ann, asked.clone()).await;
            let bytes: usize =
                messages(&page).iter().map(|message| message["content"].as_str().unwrap().len()).sum();
            assert!(bytes < 1024 * 1024 + 400_000, "{bytes}");
            found.append(&mut places(&page));
            match page["nextCursor"].as_str() {
                Some(next) => asked = json!({"cursor": next}),
                None => break,
            }
        }
        found.sort_unstable();
        assert_eq!(found, [1, 2, 3, 4, 5, 6], "{asked}");
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_read_with_their_reactions_and_how_far_the_others_have_got() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["ann", "bob", "carol"]).await;
    let _worker = app.worker().await;
    let (ann, bob) = (Client::connect(&here, "ann").await, Client::connect(&there, "bob").await);
    let mut ids = Vec::new();
    for n in 0..4 {
        ids.push(ann.send("c", &n.to_string()).await["id"].clone());
    }
    bob.ok("reaction:add", json!({"messageId": ids[1], "emoji": "+1"})).await;
    bob.ok("receipt:read", json!({"conversationId": "c", "seq": 1})).await;
    bob.ok("receipt:delivered", json!({"conversationId": "c", "seq": 3})).await;
    // Her own cursors say nothing about her own messages.
    ann.ok("receipt:read", json!({"conversationId": "c", "seq": 4})).await;
    let statuses = eventually("the cursors are stored", async || {
        let page = whole_page(&ann, json!({})).await;
        let statuses: Vec<Value> = messages(&page).iter().map(|message| message["status"].clone()).collect();
        (statuses[2] == "delivered").then_some(statuses)
    })
    .await;
    assert_eq!(statuses, ["read", "delivered", "delivered", "sent"]);
    let page = whole_page(&ann, json!({})).await;
    let reactions: Vec<Value> = messages(&page).iter().map(|message| message["reactions"].clone()).collect();
    let one = json!([{"emoji": "+1", "count": 1, "users": [{"id": "bob", "name": "bob"}]}]);
    assert_eq!(reactions, [json!([]), one, json!([]), json!([])]);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_page_is_refused_by_socket_and_by_request_alike() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["ann"]).await;
    app.conversation(&here, "other", &["ann", "bob"]).await;
    let ann = Client::connect(&there, "ann").await;
    let foreign = ann.send("other", "there").await["id"].clone();
    let too_long = "b".repeat(2_000);
    let cases = [
        ("c", json!({"around": foreign}), "not_found", 404),
        ("c", json!({"around": "0199f3c2-0000-7000-8000-000000000000"}), "not_found", 404),
        ("c", json!({"around": "0199f3c2-0000-7000-8000-00000000ffff"}), "not_found", 404),
        ("c", json!({"around": "no id"}), "invalid_payload", 400),
        ("c", json!({"cursor": "made up"}), "invalid_payload", 400),
        ("c", json!({"cursor": "b"}), "invalid_payload", 400),
        ("c", json!({"cursor": "b-1"}), "invalid_payload", 400),
        ("c", json!({"cursor": "é1"}), "invalid_payload", 400),
        ("c", json!({"cursor": too_long}), "invalid_payload", 400),
        ("c", json!({"page": 0}), "invalid_payload", 400),
        ("c", json!({"page": -1}), "invalid_payload", 400),
        ("c", json!({"page": "x"}), "invalid_payload", 400),
        ("c", json!({"page": 1, "after": 1}), "invalid_payload", 400),
        ("c", json!({"around": foreign, "before": 1}), "invalid_payload", 400),
        ("c", json!({"cursor": "b3", "before": 1}), "invalid_payload", 400),
        ("c", json!({"order": "sideways"}), "invalid_payload", 400),
        ("c", json!({"limit": 0}), "invalid_payload", 400),
        ("c", json!({"limit": 201}), "invalid_payload", 400),
        ("nowhere", json!({}), "not_a_participant", 403),
        ("private", json!({"page": 1}), "not_a_participant", 403),
    ];
    app.conversation(&here, "private", &["bob"]).await;
    for (conversation, asked, code, status) in cases {
        let mut payload = asked.clone();
        payload["conversationId"] = json!(conversation);
        ann.refused("message:history", payload, code).await;
        let query: String =
            url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs(asked.as_object().unwrap().iter().map(|(name, value)| {
                    (name, value.as_str().map_or_else(|| value.to_string(), str::to_owned))
                }))
                .finish();
        let path = format!("/v1/conversations/{conversation}/messages?{query}");
        let (answered, body) = as_user(&here, "ann", &path).await;
        assert_eq!((answered, &body["code"]), (status, &json!(code)), "{asked} {body}");
        documented(&here, "GET", "/v1/conversations/{conversation}/messages", status, &body).await;
    }
    let (status, body) = as_user(&here, "ann", "/v1/conversations/c/messages?beforr=1").await;
    assert_eq!((status, &body["code"]), (400, &json!("invalid_payload")), "an unknown parameter");
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_reads_every_history() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let ann = Client::connect(&gateway, "ann").await;
    ann.send("c", "hello").await;
    let headers = format!("Authorization: Bearer {SERVICE_KEY}\r\n");
    let answer = http(&gateway.address, "GET", "/v1/conversations/c/messages?page=1", &headers, "").await;
    let page: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((answer.status, places(&page), &page["total"]), (200, vec![1], &json!(1)));
    app.end().await;
}
