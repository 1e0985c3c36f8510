//! `session:resume`: what a client missed comes before the answer, in order and once, and then what follows.

#![cfg(test)]

use fred::interfaces::KeysInterface;
use serde_json::{Value, json};

use crate::{
    app::{TestApp, eventually, id},
    client::Client,
    proxy::Proxy,
};

fn offsets(events: &[Value]) -> Vec<u64> {
    events.iter().map(|event| event["offset"].as_u64().unwrap()).collect()
}

/// What came since the event after `since` came last: that, and what follows it without a hole or a repetition.
fn since(events: &[Value], since: u64) -> Vec<u64> {
    let offsets = offsets(events);
    let begin = offsets.iter().rposition(|offset| *offset == since + 1).unwrap_or(offsets.len());
    offsets[begin..].to_vec()
}

async fn resume(client: &Client, positions: Value) -> Vec<Value> {
    let answer = client.ok("session:resume", json!({"conversations": positions})).await;
    answer["conversations"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_missed_comes_before_the_answer_and_the_rest_after_it() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["ann", "bob"]).await;
    let ann = Client::connect(&here, "ann").await;
    ann.join("c").await;
    let mut last = 0;
    for n in 0..5 {
        last = ann.send("c", &n.to_string()).await["offset"].as_u64().unwrap();
    }
    let bob = Client::connect(&there, "bob").await;
    let resumed = resume(&bob, json!({"c": {"epoch": 1, "offset": last - 3}})).await;
    let expected = json!([{
        "conversationId": "c", "recovered": true, "epoch": 1, "offset": last, "seq": 5, "error": null,
    }]);
    assert_eq!(Value::from(resumed), expected);
    assert_eq!(offsets(&bob.events("message:created")), [last - 2, last - 1, last]);
    let next = ann.send("c", "next").await["offset"].as_u64().unwrap();
    let events = bob.until("message:created", 4).await;
    assert_eq!(offsets(&events), [last - 2, last - 1, last, next]);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resuming_while_others_write_has_no_hole_and_no_repetition() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["ann", "bob"]).await;
    let ann = Client::connect(&here, "ann").await;
    let first = ann.send("c", "first").await["offset"].as_u64().unwrap();
    let mut bobs = Vec::new();
    let talk = async {
        for n in 0..200 {
            ann.send("c", &n.to_string()).await;
        }
        ann.send("c", "last").await["offset"].as_u64().unwrap()
    };
    let come = async {
        for _ in 0..20 {
            let bob = Client::connect(&there, "bob").await;
            let resumed = resume(&bob, json!({"c": {"epoch": 1, "offset": first}})).await;
            assert_eq!(resumed[0]["recovered"], true, "{resumed:?}");
            bobs.push(bob);
        }
    };
    let (last, ()) = tokio::join!(talk, come);
    let expected: Vec<u64> = (first + 1..=last).collect();
    for bob in &bobs {
        let events = bob.until("message:created", expected.len()).await;
        assert_eq!(offsets(&events), expected);
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_hot_log_has_no_longer_comes_from_postgres() {
    let (app, here) = TestApp::with_gateway().await;
    let worker = app.worker().await;
    app.conversation(&here, "c", &["ann", "bob"]).await;
    let ann = Client::connect(&here, "ann").await;
    let first = ann.send("c", "first").await["offset"].as_u64().unwrap();
    for n in 0..3 {
        ann.send("c", &n.to_string()).await;
    }
    app.drained("c").await;
    let _: i64 = app.broker.client().del(app.broker.keys().log(&id("c"))).await.unwrap();
    let bob = Client::connect(&here, "bob").await;
    let resumed = resume(&bob, json!({"c": {"epoch": 1, "offset": first}})).await;
    assert_eq!(resumed[0]["recovered"], true, "{resumed:?}");
    assert_eq!(offsets(&bob.events("message:created")), [first + 1, first + 2, first + 3]);
    worker.stop().await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_conversation_is_answered_for_itself() {
    let (app, here) = TestApp::with_gateway().await;
    app.conversation(&here, "mine", &["ann"]).await;
    app.conversation(&here, "theirs", &["bob"]).await;
    let ann = Client::connect(&here, "ann").await;
    let head = ann.send("mine", "a").await["offset"].as_u64().unwrap();
    let positions = json!({
        "mine": {"epoch": 1, "offset": head},
        "theirs": {"epoch": 1, "offset": 1},
        "nowhere": {"epoch": 1, "offset": 1},
    });
    let resumed = resume(&ann, positions).await;
    let told: Vec<(&Value, &Value)> = resumed.iter().map(|one| (&one["recovered"], &one["error"])).collect();
    let refused = json!("not_a_participant");
    assert_eq!(told, [(&json!(true), &Value::Null), (&json!(false), &refused), (&json!(false), &refused)]);
    // A place that there never was: of another epoch, or beyond the newest event.
    for wrong in [json!({"epoch": 9, "offset": 1}), json!({"epoch": 1, "offset": head + 5})] {
        let resumed = resume(&Client::connect(&here, "ann").await, json!({"mine": wrong})).await;
        assert_eq!(resumed[0]["recovered"], false, "{resumed:?}");
        assert_eq!(resumed[0]["offset"], head);
    }
    assert_eq!(resume(&ann, json!({})).await, Vec::<Value>::new());
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_resumes_in_a_room_that_is_behind_gets_everything_once() {
    let app = TestApp::new().await;
    let way = Proxy::before(&app.redis_url()).await;
    let (here, there) = (app.gateway(&[("redis.url", way.url())]).await, app.gateway(&[]).await);
    app.conversation(&there, "c", &["ann", "bob"]).await;
    let ann = Client::connect(&there, "ann").await;
    let first = ann.send("c", "first").await["offset"].as_u64().unwrap();
    // Keeps the room where it is.
    let witness = Client::connect(&here, "bob").await;
    witness.join("c").await;
    way.deafen_subscriber();
    let mut unheard = Vec::new();
    for n in 0..5 {
        unheard.push(ann.send("c", &n.to_string()).await);
    }
    way.has_thrown_away(unheard[4]["id"].as_str().unwrap()).await;
    way.hear();
    let last = unheard[4]["offset"].as_u64().unwrap();
    let (missing, ahead) = (Client::connect(&here, "bob").await, Client::connect(&here, "bob").await);
    // One was told on another gateway what this one has not heard of.
    for (bob, offset) in [(&ahead, last), (&missing, first)] {
        let resumed = resume(bob, json!({"c": {"epoch": 1, "offset": offset}})).await;
        assert_eq!((&resumed[0]["recovered"], &resumed[0]["offset"]), (&json!(true), &json!(last)));
    }
    let next = ann.send("c", "next").await["offset"].as_u64().unwrap();
    let all: Vec<u64> = (first + 1..=next).collect();
    for (bob, expected) in [(&ahead, &all[5..]), (&missing, &all), (&witness, &all)] {
        assert_eq!(offsets(&bob.until("message:created", expected.len()).await), expected);
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_resumes_again_and_again_gets_what_follows_its_place_in_order() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["ann", "bob"]).await;
    let ann = Client::connect(&here, "ann").await;
    let first = ann.send("c", "first").await["offset"].as_u64().unwrap();
    let bob = Client::connect(&there, "bob").await;
    bob.join("c").await;
    let place = json!({"conversations": {"c": {"epoch": 1, "offset": first}}});
    let talk = async {
        for n in 0..100 {
            ann.send("c", &n.to_string()).await;
        }
    };
    let ask = async {
        for _ in 0..10 {
            // Two at once share what becomes of the first.
            let asked = [
                bob.ask("session:resume", place.clone()).await,
                bob.ask("session:resume", place.clone()).await,
            ];
            for asked in asked {
                let answer = bob.answer(asked).await;
                assert_eq!(answer["conversations"][0]["recovered"], true, "{answer}");
            }
        }
    };
    tokio::join!(talk, ask);
    bob.ok("session:resume", place).await;
    let last = ann.send("c", "last").await["offset"].as_u64().unwrap();
    let expected: Vec<u64> = (first + 1..=last).collect();
    eventually("all came", async || {
        let came = since(&bob.events("message:created"), first);
        (came.last() == Some(&last)).then(|| assert_eq!(came, expected))
    })
    .await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_authorised_anew_while_he_resumes_is_told_once() {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["ann", "bob"]).await;
    let ann = Client::connect(&here, "ann").await;
    let first = ann.send("c", "first").await["offset"].as_u64().unwrap();
    let witness = Client::connect(&there, "bob").await;
    witness.join("c").await;
    let mut bobs = Vec::new();
    let change = async {
        for n in 0..30 {
            here.add("c", &format!("user{n}")).await;
            ann.send("c", &n.to_string()).await;
        }
        ann.send("c", "last").await["offset"].as_u64().unwrap()
    };
    let come = async {
        for _ in 0..15 {
            let bob = Client::connect(&there, "bob").await;
            // It is given up when the membership changes again and again; then nothing was told.
            while resume(&bob, json!({"c": {"epoch": 1, "offset": first}})).await[0]["error"] == "unavailable"
            {
                assert_eq!(bob.events("message:created"), Vec::<Value>::new());
            }
            bobs.push(bob);
        }
    };
    let (_, ()) = tokio::join!(change, come);
    for bob in &bobs {
        let events = bob.until("message:created", 31).await;
        let offsets = offsets(&events);
        assert!(offsets.is_sorted_by(|a, b| a < b), "{offsets:?}");
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_more_than_a_connection_takes_at_once_is_left_to_the_history() {
    let (app, here) = TestApp::with_gateway().await;
    app.conversation(&here, "c", &["ann", "bob"]).await;
    let ann = Client::connect(&here, "ann").await;
    let first = ann.send("c", "first").await["offset"].as_u64().unwrap();
    let mut last = first;
    for _ in 0..5 {
        last = ann.send("c", &"x".repeat(600_000)).await["offset"].as_u64().unwrap();
    }
    let bob = Client::connect(&here, "bob").await;
    let resumed = resume(&bob, json!({"c": {"epoch": 1, "offset": first}})).await;
    assert_eq!((&resumed[0]["recovered"], &resumed[0]["offset"]), (&json!(false), &json!(last)));
    assert_eq!(bob.events("message:created"), Vec::<Value>::new());
    let resumed = resume(&bob, json!({"c": {"epoch": 1, "offset": last - 2}})).await;
    assert_eq!(resumed[0]["recovered"], true);
    assert_eq!(offsets(&bob.until("message:created", 2).await), [last - 1, last]);
    assert!(bob.is_open());
    app.end().await;
}
