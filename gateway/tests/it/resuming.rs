//! `session:resume`: what a client missed comes before the answer, in order and once, and then what follows.

#![cfg(test)]

use fred::interfaces::KeysInterface;
use serde_json::{Value, json};

use crate::{
    app::{TestApp, id},
    client::Client,
};

fn offsets(events: &[Value]) -> Vec<u64> {
    events.iter().map(|event| event["offset"].as_u64().unwrap()).collect()
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
