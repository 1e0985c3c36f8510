//! Who is in a conversation: told when somebody comes or goes, once a user, and listed on join and on request.

#![cfg(test)]

use std::{collections::BTreeSet, time::Duration};

use fred::interfaces::{KeysInterface, SortedSetsInterface};
use parlance_broker::{
    lease::{LeaseId, Leases},
    members::{Changes, Members},
};
use parlance_domain::{id::UserId, user::Profile};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    app::{Gateway, SERVICE_KEY, TestApp, eventually, id},
    client::{Client, assert_refused, token},
    openapi::documented,
    proxy::Proxy,
    wire::client::http,
};

const PATH: &str = "/v1/conversations/{conversation}/members";

fn names(list: &Value) -> Vec<&str> {
    list["members"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
}

/// Who was told to have come, or to have gone.
fn users(client: &Client, event: &str) -> Vec<String> {
    client.events(event).iter().map(|event| event["userId"].as_str().unwrap().to_owned()).collect()
}

/// A connected user who has joined.
async fn joined(gateway: &Gateway, user: &str) -> Client {
    let client = Client::connect(gateway, user).await;
    client.join("c").await;
    client
}

/// Waits until just these are in the conversation.
async fn members_are(client: &Client, users: &[&str]) {
    eventually("these are the members", async || {
        let list = client.ok("member:list", json!({"conversationId": "c"})).await;
        assert_eq!(list["memberCount"], names(&list).len());
        (names(&list) == users).then_some(())
    })
    .await;
}

/// Lets somebody come, and waits until the others are told: what was told before has come by then.
async fn mark(others: &[&Client], gateway: &Gateway, user: &str) -> Client {
    let client = joined(gateway, user).await;
    for other in others {
        let told = || users(other, "member:joined").contains(&user.to_owned()).then_some(());
        eventually("who comes is told", async || told()).await;
    }
    client
}

async fn rest(gateway: &Gateway, auth: &str, conversation: &str, query: &str) -> (u16, Value) {
    let headers = format!("Authorization: Bearer {auth}\r\n");
    let path = format!("/v1/conversations/{conversation}/members{query}");
    let answer = http(&gateway.address, "GET", &path, &headers, "").await;
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    documented(gateway, "GET", PATH, answer.status, &body).await;
    (answer.status, body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_comes_with_the_first_socket_and_goes_with_the_last_one_whatever_gateways_they_are_at() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["ann", "bob", "carol"]).await;
    let (ann, ann_elsewhere) = (joined(&here, "ann").await, joined(&there, "ann").await);
    let bob = joined(&there, "bob").await;
    for client in [&ann, &ann_elsewhere] {
        let told = client.event("member:joined").await;
        assert_eq!(
            told,
            json!({"conversationId": "c", "userId": "bob", "user": {"id": "bob", "name": "bob"}})
        );
    }
    let bob_elsewhere = joined(&here, "bob").await;
    eventually("both gateways have noted bob", async || {
        (app.gateways_with("c", "bob").await == 2).then_some(())
    })
    .await;
    bob.leave("c").await;
    drop(bob_elsewhere);
    for client in [&ann, &ann_elsewhere] {
        assert_eq!(client.event("member:left").await, json!({"conversationId": "c", "userId": "bob"}));
    }
    let _carol = mark(&[&ann, &ann_elsewhere], &there, "carol").await;
    for client in [&ann, &ann_elsewhere] {
        assert_eq!(users(client, "member:joined"), ["bob", "carol"], "nobody is told of himself");
        assert_eq!(users(client, "member:left"), ["bob"]);
    }
    assert!(bob.events("member:left").is_empty());
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_joins_is_told_who_is_there_and_so_is_whoever_asks() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["ann", "bob", "carol", "dan"]).await;
    app.conversation(&here, "other", &["dan"]).await;
    let ann = Client::connect(&here, "ann").await;
    let alone = ann.join("c").await;
    assert_eq!((names(&alone), &alone["memberCount"]), (vec!["ann"], &json!(1)));
    let bob = Client::connect(&there, "bob").await;
    members_are(&bob, &["ann"]).await;
    let two = bob.join("c").await;
    assert_eq!((names(&two), &two["memberCount"]), (vec!["ann", "bob"], &json!(2)));
    members_are(&ann, &["ann", "bob"]).await;
    let carol = joined(&there, "carol").await;
    members_are(&ann, &["ann", "bob", "carol"]).await;

    let all = json!({"conversationId": "c", "members": ["ann", "bob", "carol"], "memberCount": 3});
    let (dan, key) = (token("dan"), SERVICE_KEY);
    assert_eq!(rest(&there, &dan, "c", "").await, (200, all.clone()));
    assert_eq!(rest(&here, key, "c", "?limit=500").await, (200, all));
    let (status, some) = rest(&here, key, "c", "?limit=2").await;
    assert_eq!((status, names(&some).len(), &some["memberCount"]), (200, 2, &json!(3)));
    let nobody = json!({"conversationId": "other", "members": [], "memberCount": 0});
    assert_eq!(rest(&here, &dan, "other", "").await, (200, nobody));
    carol.leave("c").await;
    members_are(&ann, &["ann", "bob"]).await;
    // Who has left, and takes part all the same, may look.
    members_are(&carol, &["ann", "bob"]).await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_is_refused_and_others_see_nobody() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let (ann, eve) = (joined(&gateway, "ann").await, Client::connect(&gateway, "eve").await);
    for bad in [
        json!({}),
        json!({"conversationId": 7}),
        json!({"conversationId": ""}),
        json!({"conversationId": "x".repeat(129)}),
        json!({"conversationId": "c", "limit": 0}),
        json!({"conversationId": "c", "limit": 501}),
        json!({"conversationId": "c", "limit": "many"}),
    ] {
        ann.refused("member:list", bad, "invalid_payload").await;
    }
    for conversation in ["c", "none"] {
        eve.refused("member:list", json!({"conversationId": conversation}), "not_found").await;
        let (status, body) = rest(&gateway, &token("eve"), conversation, "").await;
        assert_eq!((status, &body["code"]), (404, &json!("not_found")));
    }
    let (status, body) = rest(&gateway, SERVICE_KEY, "none", "").await;
    assert_eq!((status, &body["code"]), (404, &json!("not_found")));
    for query in ["?limit=0", "?limit=501", "?limit=", "?cursor=x", "?limit=1&limit=2"] {
        let (status, body) = rest(&gateway, SERVICE_KEY, "c", query).await;
        assert_eq!((status, &body["code"]), (400, &json!("invalid_payload")), "{query}");
    }
    let (status, body) = rest(&gateway, "nobody", "c", "").await;
    assert_eq!((status, &body["code"]), (401, &json!("token_malformed")));
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn list_and_events_together_say_at_each_client_who_is_there() {
    const USERS: usize = 24;
    let (app, here, there) = TestApp::with_two_gateways().await;
    let all: Vec<String> = (0..USERS).map(|n| format!("u{n:02}")).collect();
    app.conversation(&here, "c", &all.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut coming = JoinSet::new();
    for (n, user) in all.iter().cloned().enumerate() {
        let gateway = if n % 2 == 0 { here.clone() } else { there.clone() };
        coming.spawn(async move {
            let client = Client::connect(&gateway, &user).await;
            // Some of them come, go and come again while the others come.
            for _ in 0..n % 4 {
                client.join("c").await;
                client.leave("c").await;
            }
            let asked = client.ask("conversation:join", json!({"conversationId": "c"})).await;
            let list = client.answer(asked).await;
            if n % 8 == 7 {
                client.leave("c").await;
                return (user, client, None);
            }
            (user, client, Some((asked, list)))
        });
    }
    let came = coming.join_all().await;
    let there: Vec<String> =
        came.iter().filter(|(.., list)| list.is_some()).map(|(user, ..)| user.clone()).collect();
    let expected: BTreeSet<String> = there.iter().cloned().collect();
    for (user, client, list) in &came {
        let Some((asked, list)) = list else { continue };
        let view = || {
            let mut view: BTreeSet<String> = names(list).into_iter().map(str::to_owned).collect();
            for event in client.received_since(*asked) {
                let user = event.payload["userId"].as_str().unwrap_or_default().to_owned();
                match &*event.name {
                    "member:joined" => view.insert(user),
                    "member:left" => view.remove(&user),
                    _ => false,
                };
            }
            view
        };
        assert!(names(list).contains(&user.as_str()), "whoever joins is in the list");
        let end = tokio::time::Instant::now() + crate::app::DEADLINE;
        while view() != expected {
            assert!(tokio::time::Instant::now() < end, "{user} sees {:?}", view());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_removed_goes_at_once_and_once() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["ann", "bob", "carol"]).await;
    let ann = joined(&here, "ann").await;
    let bob = [joined(&here, "bob").await, joined(&there, "bob").await];
    members_are(&ann, &["ann", "bob"]).await;
    there.remove("c", "bob").await;
    assert_eq!(ann.event("member:left").await["userId"], "bob");
    let _carol = mark(&[&ann], &there, "carol").await;
    assert_eq!(users(&ann, "member:left"), ["bob"]);
    members_are(&ann, &["ann", "carol"]).await;
    assert!(bob.iter().all(|device| device.events("member:left").is_empty()));
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_catches_up_where_he_is_neither_goes_nor_comes() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["ann", "bob", "carol"]).await;
    let ann = joined(&here, "ann").await;
    let bob = Client::connect(&there, "bob").await;
    let place = bob.join("c").await;
    assert_eq!(ann.event("member:joined").await["userId"], "bob");
    for n in 0..3 {
        ann.send("c", &n.to_string()).await;
    }
    let place = json!({"epoch": place["epoch"], "offset": place["offset"]});
    for _ in 0..10 {
        let resumed = bob.ok("session:resume", json!({"conversations": {"c": place.clone()}})).await;
        assert_eq!(resumed["conversations"][0]["recovered"], true, "{resumed}");
    }
    let _carol = mark(&[&ann], &there, "carol").await;
    assert_eq!((users(&ann, "member:joined").len(), users(&ann, "member:left").len()), (2, 0));
    bob.leave("c").await;
    assert_eq!(ann.event("member:left").await["userId"], "bob");
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_is_told_of_nobody_and_listed_in_part() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("presence.announced_members", "2")]).await;
    app.conversation(&gateway, "c", &["ann", "bob", "carol", "dan"]).await;
    let ann = joined(&gateway, "ann").await;
    let bob = mark(&[&ann], &gateway, "bob").await;
    let carol = joined(&gateway, "carol").await;
    members_are(&ann, &["ann", "bob", "carol"]).await;
    carol.leave("c").await;
    members_are(&ann, &["ann", "bob"]).await;
    bob.leave("c").await;
    assert_eq!(ann.event("member:left").await["userId"], "bob");
    let dan = mark(&[&ann], &gateway, "dan").await;
    assert_eq!(
        (users(&ann, "member:joined"), users(&ann, "member:left")),
        (vec!["bob".into(), "dan".into()], vec!["bob".into()])
    );

    let lease = LeaseId::new("another", 1);
    Leases::new(app.broker.clone()).take(&lease, Duration::from_secs(60)).await.unwrap();
    let came = (0..150).map(|n| Profile::unknown(UserId::new(format!("x{n}")).unwrap())).collect();
    let changes = Changes { came, ..Changes::default() };
    Members::new(app.broker.clone()).change(&lease, &id("c"), &changes, 2).await.unwrap();
    dan.leave("c").await;
    let list = dan.join("c").await;
    assert_eq!(names(&list).len(), 100);
    assert!(names(&list).contains(&"dan"));
    // He himself may still be counted from before.
    assert!(list["memberCount"] == 151 || list["memberCount"] == 152, "{list}");
    assert_eq!(users(&ann, "member:joined").len(), 2);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_is_lost_is_followed_by_another_under_which_everybody_is_still_there() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("presence.ttl", "1500ms")]).await;
    app.worker_with(&[("presence.ttl", "1500ms")]).await;
    app.conversation(&gateway, "c", &["ann", "bob", "carol"]).await;
    let ann = joined(&gateway, "ann").await;
    let bob = mark(&[&ann], &gateway, "bob").await;
    let leases = async || {
        let keys = app.broker.keys();
        let mut found = BTreeSet::new();
        for partition in keys.partitions().all() {
            let held: Vec<String> = app
                .broker
                .client()
                .zrange(keys.leases(partition), 0, -1, None, false, None, false)
                .await
                .unwrap();
            found.extend(held);
        }
        found
    };
    let before = leases().await;
    assert_eq!(before.len(), 1);
    for partition in app.broker.keys().partitions().all() {
        let _: i64 = app.broker.client().del(app.broker.keys().leases(partition)).await.unwrap();
    }
    eventually("there is another lease", async || {
        let now = leases().await;
        (now.len() == 1 && now != before).then_some(())
    })
    .await;
    members_are(&ann, &["ann", "bob"]).await;
    let _carol = mark(&[&ann, &bob], &gateway, "carol").await;
    assert!(users(&ann, "member:left").is_empty() && users(&bob, "member:left").is_empty());
    members_are(&ann, &["ann", "bob", "carol"]).await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_went_while_redis_was_away_goes_when_it_is_back() {
    let app = TestApp::new().await;
    let way = Proxy::before(&app.redis_url()).await;
    let (here, there) = (app.gateway(&[]).await, app.gateway(&[("redis.url", way.url())]).await);
    app.conversation(&here, "c", &["ann", "bob", "carol", "dan"]).await;
    let ann = joined(&here, "ann").await;
    let bob = mark(&[&ann], &there, "bob").await;
    let carol = mark(&[&ann], &there, "carol").await;
    way.cut();
    bob.leave("c").await;
    drop(carol);
    way.mend();
    let left = eventually("both have gone", async || {
        let left = users(&ann, "member:left");
        (left.len() == 2).then_some(left)
    })
    .await;
    assert_eq!(left.into_iter().collect::<BTreeSet<_>>(), BTreeSet::from(["bob".into(), "carol".into()]));
    members_are(&ann, &["ann"]).await;
    // And who comes then is told.
    let _dan = mark(&[&ann], &there, "dan").await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_forgot_who_is_here_is_told_again() {
    let app = TestApp::new().await;
    let gateway = app.gateway(&[("presence.ttl", "1500ms")]).await;
    app.conversation(&gateway, "c", &["ann", "bob"]).await;
    let ann = joined(&gateway, "ann").await;
    let _bob = mark(&[&ann], &gateway, "bob").await;
    let keys = app.broker.keys();
    let mut all = vec![keys.members(&id("c"))];
    all.extend(keys.partitions().all().map(|partition| keys.leases(partition)));
    let _: i64 = app.broker.client().del(all).await.unwrap();
    members_are(&ann, &["ann", "bob"]).await;
    assert!(users(&ann, "member:left").is_empty());
    app.end().await;
}

const TERMS: [(&str, &str); 3] =
    [("presence.ttl", "3s"), ("presence.linger", "3s"), ("presence.sweep_interval", "100ms")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_ends_takes_nobody_with_it_who_is_back_elsewhere() {
    let app = TestApp::new().await;
    // Workers wait for a TTL after their start before they send anybody away.
    let (here, there) = (app.gateway(&TERMS).await, app.gateway(&TERMS).await);
    app.worker_with(&TERMS).await;
    app.conversation(&here, "c", &["ann", "bob", "carol", "dan"]).await;
    let ann = joined(&here, "ann").await;
    let bob = mark(&[&ann], &there, "bob").await;
    let carol = mark(&[&ann], &there, "carol").await;
    there.process.stop().await;
    bob.ended().await;
    carol.ended().await;
    let _back = joined(&here, "bob").await;
    assert_eq!(ann.event("member:left").await["userId"], "carol", "who is not back goes after a while");
    let _dan = mark(&[&ann], &here, "dan").await;
    assert_eq!(users(&ann, "member:joined"), ["bob", "carol", "dan"]);
    assert_eq!(users(&ann, "member:left"), ["carol"]);
    members_are(&ann, &["ann", "bob", "dan"]).await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_redis_does_not_answer_a_join_tells_whom_the_gateway_knows() {
    let app = TestApp::new().await;
    let way = Proxy::before(&app.redis_url()).await;
    let settings = [("redis.url", way.url()), ("gateway.policy", "open"), ("redis.command_deadline", "10s")];
    let gateway = app.gateway(&settings).await;
    let _ann = joined(&gateway, "ann").await;
    let bob = joined(&gateway, "bob").await;
    members_are(&bob, &["ann", "bob"]).await;
    let carol = Client::connect(&gateway, "carol").await;
    way.freeze();
    let list = carol.join("c").await;
    assert_eq!((names(&list), &list["memberCount"]), (vec!["ann", "bob", "carol"], &json!(3)));
    way.mend();
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_is_told_of_the_presence_of_who_comes_until_he_leaves() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["ann", "bob", "carol"]).await;
    let ann = joined(&here, "ann").await;
    let bob = Client::connect(&there, "bob").await;
    bob.ok("presence:set", json!({"status": "busy"})).await;
    assert!(ann.events("presence:changed").is_empty(), "he has not been there");
    bob.join("c").await;
    let told = ann.event("presence:changed").await;
    assert_eq!((&told["userId"], &told["status"]), (&json!("bob"), &json!("busy")));
    bob.ok("presence:set", json!({"status": "away"})).await;
    assert_eq!(ann.event("presence:changed").await["status"], "away");
    bob.leave("c").await;
    assert_eq!(ann.event("member:left").await["userId"], "bob");
    // That the conversation is not told any more is noted after the others were told.
    let visits = app.broker.keys().visits(&UserId::new("bob").unwrap());
    eventually("the visit is over", async || {
        let left: i64 = app.broker.client().exists(&visits).await.unwrap();
        (left == 0).then_some(())
    })
    .await;
    bob.ok("presence:set", json!({"status": "online"})).await;
    let _carol = mark(&[&ann], &there, "carol").await;
    let of_bob: Vec<Value> =
        ann.events("presence:changed").into_iter().filter(|event| event["userId"] == "bob").collect();
    assert_eq!(of_bob.len(), 2);
    assert_refused(&bob.call("presence:set", json!({"status": "gone"})).await, "invalid_payload");
    app.end().await;
}
