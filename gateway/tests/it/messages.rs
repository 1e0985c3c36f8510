//! What a message can be: an answer to another one, files without words, or something that only clients can read.

#![cfg(test)]

use std::collections::HashMap;

use fred::interfaces::{HashesInterface, KeysInterface};
use parlance_domain::id::MessageId;
use serde_json::{Value, json};

use crate::{
    app::{Gateway, TestApp},
    client::Client,
};

async fn scene() -> (TestApp, Gateway, Client, Client) {
    let (app, here, there) = TestApp::with_two_gateways().await;
    app.conversation(&here, "c", &["ann", "bob"]).await;
    app.conversation(&here, "elsewhere", &["bob", "eve"]).await;
    let (ann, bob) = (Client::connect(&here, "ann").await, Client::connect(&there, "bob").await);
    bob.join("c").await;
    (app, here, ann, bob)
}

fn answering(id: &Value, client_id: &str) -> Value {
    json!({"conversationId": "c", "content": "an answer", "replyTo": id, "clientId": client_id})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_names_a_message_of_its_conversation_whether_redis_still_knows_it_or_not() {
    let (app, here, ann, bob) = scene().await;
    let _worker = app.worker().await;
    let question = ann.send("c", "where?").await["id"].clone();
    let answer = bob.ok("message:send", answering(&question, "1")).await["message"].clone();
    assert_eq!(answer["replyTo"], question);
    app.drained("c").await;
    let id: parlance_domain::id::MessageId = question.as_str().unwrap().parse().unwrap();
    let _: u64 = app.broker.client().del(app.broker.keys().object(id).unwrap()).await.unwrap();
    bob.ok("message:send", answering(&question, "2")).await;

    let foreign = bob.send("elsewhere", "not here").await["id"].clone();
    let nothing = json!("0199f3c2-0000-7000-8000-000000000000");
    let gone = ann.send("c", "oops").await["id"].clone();
    ann.ok("message:delete", json!({"messageId": gone})).await;
    for id in [&foreign, &nothing, &gone] {
        let error = bob.refused("message:send", answering(id, "3"), "not_found").await;
        assert_eq!(error["message"], "there is no such message");
        let body = json!({"content": "an answer", "replyTo": id});
        let headers = format!(
            "Content-Type: application/json\r\nAuthorization: Bearer {}\r\n",
            crate::client::token("bob")
        );
        let path = "/v1/conversations/c/messages";
        let answer =
            crate::wire::client::http(&here.address, "POST", path, &headers, &body.to_string()).await;
        assert_eq!(answer.status, 404, "{}", answer.body);
    }
    // Who does not take part is not told which messages there are.
    let eve = Client::connect(&here, "eve").await;
    for id in [&question, &nothing] {
        eve.refused("message:send", answering(id, "4"), "not_a_participant").await;
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_answer_is_the_first_one_although_the_question_was_taken_back_since() {
    let (app, _here, ann, bob) = scene().await;
    let question = ann.send("c", "where?").await["id"].clone();
    let first = bob.ok("message:send", answering(&question, "1")).await;
    ann.ok("message:delete", json!({"messageId": question})).await;
    assert_eq!(bob.ok("message:send", answering(&question, "1")).await, first);
    bob.refused("message:send", answering(&question, "2"), "not_found").await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_need_no_words() {
    let (app, _here, ann, bob) = scene().await;
    let attachments = json!([{"url": "https://a.example/1.png"}]);
    for content in [json!(""), json!(" \n"), Value::Null] {
        let send =
            json!({"conversationId": "c", "content": content, "attachments": attachments, "type": "image"});
        let sent = ann.ok("message:send", send).await["message"].clone();
        assert_eq!((&sent["content"], &sent["attachments"]), (&json!(""), &attachments));
        assert_eq!(bob.event("message:created").await, sent);
    }
    for send in [json!({"attachments": []}), json!({"content": " ", "attachments": []})] {
        let mut send = send;
        send["conversationId"] = json!("c");
        let code = if send["content"].is_null() { "invalid_payload" } else { "content_blank" };
        ann.refused("message:send", send, code).await;
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_encrypted_passes_as_it_is() {
    let (app, _here, ann, bob) = scene().await;
    let _worker = app.worker().await;
    let content = "  \u{feff}A1b/+==\u{7f}{\"iv\":\"…\"}\r\n";
    let metadata = json!({"alg": "x", "keys": {"bob": "YQ=="}});
    let send = json!({"conversationId": "c", "content": content, "type": "encrypted", "metadata": metadata});
    let sent = ann.ok("message:send", send).await["message"].clone();
    assert_eq!((&sent["content"], &sent["type"]), (&json!(content), &json!("encrypted")));
    assert_eq!(sent["metadata"], metadata);
    assert_eq!(bob.event("message:created").await, sent);
    app.drained("c").await;
    let read = bob.ok("message:get", json!({"messageId": sent["id"]})).await["message"].clone();
    assert_eq!((&read["content"], &read["metadata"]), (&json!(content), &metadata));
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_taken_back_stays_so_when_redis_goes_back_in_time() {
    let (app, gateway) = TestApp::with_gateway().await;
    app.conversation(&gateway, "c", &["ann"]).await;
    let worker = app.worker().await;
    let ann = Client::connect(&gateway, "ann").await;
    ann.join("c").await;
    let sent = ann.send("c", "first").await;
    let (client, keys) = (app.broker.client(), app.broker.keys());
    let id: MessageId = sent["id"].as_str().unwrap().parse().unwrap();
    let object = keys.object(id).unwrap();
    let before: HashMap<String, String> = client.hgetall(&object).await.unwrap();
    ann.ok("message:delete", json!({"messageId": sent["id"]})).await;
    app.drained("c").await;
    // As after a crash that took the deletion, which Postgres has.
    let _: u64 = client.del(&object).await.unwrap();
    let _: i64 = client.hset(&object, before).await.unwrap();
    let _: i64 = client.hset(keys.state(&crate::app::id("c")), ("replid", "another")).await.unwrap();
    ann.refused("message:edit", json!({"messageId": sent["id"], "content": "again"}), "not_found").await;
    ann.refused("reaction:add", json!({"messageId": sent["id"], "emoji": "👍"}), "not_found").await;
    worker.stop().await;
    app.end().await;
}
