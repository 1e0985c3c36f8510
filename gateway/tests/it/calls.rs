//! Calls: their whole life, who may do what, and what becomes of those who come too late.

#![cfg(test)]

use std::collections::HashMap;

use fred::interfaces::{HashesInterface, KeysInterface};
use parlance_domain::id::CallId;
use serde_json::{Value, json};

use crate::{
    app::{Gateway, SERVICE_KEY, TestApp, eventually},
    client::{Client, assert_refused},
    openapi::documented,
    wire::client::http,
};

/// Three people on two gateways, ann with two devices, and dan, who is not in the conversation.
struct Scene {
    app: TestApp,
    here: Gateway,
    there: Gateway,
    ann: Client,
    ann_elsewhere: Client,
    bob: Client,
    carol: Client,
    dan: Client,
}

impl Scene {
    async fn new() -> Self {
        let (app, here, there) = TestApp::with_two_gateways().await;
        app.conversation(&here, "c", &["ann", "bob", "carol"]).await;
        app.conversation(&here, "other", &["dan"]).await;
        let scene = Self {
            ann: Client::connect(&here, "ann").await,
            ann_elsewhere: Client::connect(&there, "ann").await,
            bob: Client::connect(&there, "bob").await,
            carol: Client::connect(&here, "carol").await,
            dan: Client::connect(&there, "dan").await,
            app,
            here,
            there,
        };
        for client in scene.members() {
            client.join("c").await;
        }
        scene
    }

    fn members(&self) -> [&Client; 4] {
        [&self.ann, &self.ann_elsewhere, &self.bob, &self.carol]
    }

    /// Waits until everybody was told the same, and nothing else.
    async fn everybody_is_told(&self, event: &str, call: &Value) {
        for client in self.members() {
            assert_eq!(&client.event(event).await, call, "{event}");
        }
    }

    async fn end(self) {
        self.app.end().await;
    }
}

async fn start(client: &Client) -> Value {
    client.ok("call:start", json!({"conversationId": "c"})).await["call"].clone()
}

fn of(call: &Value) -> Value {
    json!({"callId": call["id"]})
}

async fn change(client: &Client, event: &str, call: &Value) -> Value {
    client.ok(event, of(call)).await["call"].clone()
}

fn participant(user: &str, joined_at: &Value) -> Value {
    json!({"userId": user, "user": {"id": user, "name": user}, "joinedAt": joined_at})
}

/// A backend's request for a user.
async fn acting(gateway: &Gateway, user: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
    let headers = format!(
        "Content-Type: application/json\r\nAuthorization: Bearer {SERVICE_KEY}\r\nX-Act-As: {user}\r\n"
    );
    let answer = http(&gateway.address, method, path, &headers, &body.to_string()).await;
    (answer.status, serde_json::from_str(&answer.body).unwrap_or(Value::Null))
}

async fn on(gateway: &Gateway, user: &str, method: &str, call: &Value, rest: &str) -> (u16, Value) {
    let path = format!("/v1/calls/{}{rest}", call["id"].as_str().unwrap());
    acting(gateway, user, method, &path, json!({})).await
}

/// What a row has in common with a view.
type Row = (String, Option<String>, i64);

async fn row(app: &TestApp, call: &Value) -> Option<Row> {
    let id: uuid::Uuid = call["id"].as_str().unwrap().parse().unwrap();
    app.store
        .run("test", async |connection| {
            Ok(sqlx::query_as("SELECT status, ended_by, rev FROM calls WHERE id = $1")
                .bind(id)
                .fetch_optional(connection)
                .await?)
        })
        .await
        .unwrap()
}

/// Who took part, by the rows, and since when after the start, in milliseconds.
async fn participant_rows(app: &TestApp, call: &Value) -> Vec<(String, i64)> {
    let id: uuid::Uuid = call["id"].as_str().unwrap().parse().unwrap();
    app.store
        .run("test", async |connection| {
            let sql = "SELECT user_id, (extract(epoch FROM joined_at - started_at) * 1000)::bigint
                FROM call_participants JOIN calls ON id = call_id WHERE id = $1 ORDER BY joined_at, user_id";
            Ok(sqlx::query_as(sql).bind(id).fetch_all(connection).await?)
        })
        .await
        .unwrap()
}

fn ms(time: &Value) -> i64 {
    chrono::DateTime::parse_from_rfc3339(time.as_str().unwrap()).unwrap().timestamp_millis()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_the_same_for_everybody_all_its_life_and_afterwards_in_postgres() {
    let scene = Scene::new().await;
    let started = scene.ann.ok("call:start", json!({"conversationId": "c", "type": "VIDEO"})).await;
    assert_eq!(started["ok"], true);
    let ringing = started["call"].clone();
    let at = &ringing["startedAt"];
    let (offset, epoch) = (ringing["offset"].as_u64().unwrap(), &ringing["epoch"]);
    let expected = json!({
        "id": ringing["id"], "conversationId": "c", "type": "video", "status": "ringing",
        "startedBy": "ann", "caller": {"id": "ann", "name": "ann"}, "startedAt": at,
        "answeredAt": null, "answeredBy": null, "endedAt": null, "endedBy": null, "durationMs": null,
        "participants": [participant("ann", at)], "offset": offset, "epoch": epoch,
    });
    assert_eq!(ringing, expected);
    scene.everybody_is_told("call:started", &ringing).await;

    let ongoing = change(&scene.bob, "call:answer", &ringing).await;
    let answered_at = &ongoing["answeredAt"];
    let mut expected = expected;
    expected["status"] = json!("ongoing");
    expected["answeredAt"] = answered_at.clone();
    expected["answeredBy"] = json!("bob");
    expected["participants"] = json!([participant("ann", at), participant("bob", answered_at)]);
    expected["offset"] = json!(offset + 1);
    assert_eq!(ongoing, expected);
    assert!(ms(answered_at) >= ms(at));
    scene.everybody_is_told("call:answered", &ongoing).await;

    let joined = change(&scene.carol, "call:answer", &ringing).await;
    let joined_at = &joined["participants"][2]["joinedAt"];
    expected["participants"] =
        json!([participant("ann", at), participant("bob", answered_at), participant("carol", joined_at)]);
    expected["offset"] = json!(offset + 2);
    expected["answeredBy"] = json!("carol");
    assert_eq!(joined, expected, "the first answer is the one that counts");
    scene.everybody_is_told("call:answered", &joined).await;

    let ended = change(&scene.carol, "call:end", &ringing).await;
    let duration = ms(&ended["endedAt"]) - ms(answered_at);
    expected["status"] = json!("ended");
    expected["endedAt"] = ended["endedAt"].clone();
    expected["endedBy"] = json!("carol");
    expected["durationMs"] = json!(duration);
    expected["offset"] = json!(offset + 3);
    assert_eq!(ended, expected);
    scene.everybody_is_told("call:ended", &ended).await;
    assert_eq!(scene.ann.ok("call:get", of(&ringing)).await["call"], ended, "before it is persisted");

    let worker = scene.app.worker().await;
    scene.app.drained("c").await;
    let stored = row(&scene.app, &ringing).await.unwrap();
    assert_eq!(stored, ("ended".to_owned(), Some("carol".to_owned()), ended["offset"].as_i64().unwrap()));
    let since = |time: &Value| ms(time) - ms(at);
    let rows = [("ann", 0), ("bob", since(answered_at)), ("carol", since(joined_at))];
    assert_eq!(participant_rows(&scene.app, &ringing).await, rows.map(|(user, ms)| (user.to_owned(), ms)));

    forget(&scene.app, &ringing).await;
    assert_eq!(scene.bob.ok("call:get", of(&ringing)).await["call"], ended, "from Postgres");
    assert_eq!(on(&scene.there, "ann", "GET", &ringing, "").await, (200, ended));
    worker.stop().await;
    scene.end().await;
}

/// Takes a call's object out of Redis, as its expiry does.
async fn forget(app: &TestApp, call: &Value) {
    let id: CallId = call["id"].as_str().unwrap().parse().unwrap();
    let deleted: u64 = app.broker.client().del(app.broker.keys().object(id).unwrap()).await.unwrap();
    assert_eq!(deleted, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_object_is_gone_is_answered_and_ended_from_what_postgres_has() {
    let scene = Scene::new().await;
    let worker = scene.app.worker().await;
    let ringing = start(&scene.ann).await;
    scene.app.drained("c").await;
    forget(&scene.app, &ringing).await;
    let ongoing = change(&scene.bob, "call:answer", &ringing).await;
    assert_eq!((&ongoing["status"], &ongoing["startedAt"]), (&json!("ongoing"), &ringing["startedAt"]));
    scene.app.drained("c").await;
    forget(&scene.app, &ringing).await;
    let ended = change(&scene.ann, "call:end", &ringing).await;
    assert_eq!(ended["participants"], ongoing["participants"]);
    scene.app.drained("c").await;
    forget(&scene.app, &ringing).await;
    scene.bob.refused("call:end", of(&ringing), "conflict").await;
    worker.stop().await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_went_with_its_conversation_is_not_found_where_the_id_begins_again() {
    let scene = Scene::new().await;
    let ringing = start(&scene.ann).await;
    assert_eq!(scene.here.rest("DELETE", "/v1/conversations/c", json!({})).await.0, 204);
    scene.app.conversation(&scene.here, "c", &["ann", "bob"]).await;
    let nothing_is_found = async || {
        for (client, event) in [(&scene.bob, "call:answer"), (&scene.ann, "call:end")] {
            client.refused(event, of(&ringing), "not_found").await;
        }
        assert_eq!(on(&scene.here, "ann", "GET", &ringing, "").await.0, 404);
        let list = acting(&scene.here, "ann", "GET", "/v1/conversations/c/calls", json!({})).await;
        assert_eq!((list.0, &list.1["calls"]), (200, &json!([])), "{list:?}");
    };
    nothing_is_found().await;
    let worker = scene.app.worker().await;
    scene.app.drained("c").await;
    nothing_is_found().await;
    assert_eq!(row(&scene.app, &ringing).await, None);
    worker.stop().await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_has_ended_stays_so_when_redis_goes_back_in_time() {
    let scene = Scene::new().await;
    let worker = scene.app.worker().await;
    let ringing = start(&scene.ann).await;
    let (client, keys) = (scene.app.broker.client(), scene.app.broker.keys());
    let id: CallId = ringing["id"].as_str().unwrap().parse().unwrap();
    let object = keys.object(id).unwrap();
    let before: HashMap<String, String> = client.hgetall(&object).await.unwrap();
    change(&scene.ann, "call:end", &ringing).await;
    scene.app.drained("c").await;
    // As after a crash that took the end of the call, which Postgres has.
    let _: i64 = client.hset(&object, before).await.unwrap();
    let _: i64 = client.hset(keys.state(&crate::app::id("c")), ("replid", "another")).await.unwrap();
    scene.bob.refused("call:answer", of(&ringing), "conflict").await;
    assert_eq!(on(&scene.here, "ann", "GET", &ringing, "").await.1["status"], "ended");
    worker.stop().await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_nobody_answered_lasted_no_time() {
    let scene = Scene::new().await;
    for decliner in [&scene.ann, &scene.bob] {
        let ringing = start(&scene.ann).await;
        let ended = change(decliner, "call:end", &ringing).await;
        assert_eq!((&ended["status"], &ended["durationMs"]), (&json!("ended"), &json!(0)));
        assert_eq!(ended["answeredAt"], Value::Null);
    }
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_ends_at_once_exactly_one_succeeds() {
    let scene = Scene::new().await;
    for round in 1..=10 {
        let ringing = start(&scene.ann).await;
        let (one, other) =
            tokio::join!(scene.ann.call("call:end", of(&ringing)), scene.bob.call("call:end", of(&ringing)));
        let (ended, refused) = if one["ok"] == true { (&one, &other) } else { (&other, &one) };
        assert_eq!(ended["call"]["status"], "ended", "{one} {other}");
        let error = assert_refused(refused, "conflict");
        assert_eq!(
            (&error["message"], &error["retryable"]),
            (&json!("the call has ended already"), &json!(false))
        );
        assert_eq!(scene.carol.until("call:ended", round).await.last(), Some(&ended["call"]));
    }
    scene.carol.ping().await;
    assert_eq!(scene.carol.events("call:ended").len(), 10);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_answers_at_once_both_join() {
    let scene = Scene::new().await;
    for round in 1..=10 {
        let ringing = start(&scene.ann).await;
        let (one, other) = tokio::join!(
            scene.bob.ok("call:answer", of(&ringing)),
            scene.carol.ok("call:answer", of(&ringing)),
        );
        let (first, second) = if one["call"]["offset"].as_u64() < other["call"]["offset"].as_u64() {
            (&one["call"], &other["call"])
        } else {
            (&other["call"], &one["call"])
        };
        assert_eq!(first["participants"].as_array().unwrap().len(), 2);
        assert_eq!(second["participants"].as_array().unwrap().len(), 3);
        assert_eq!(first["answeredAt"], second["answeredAt"]);
        let told = scene.ann.until("call:answered", 2 * round).await;
        assert_eq!(told[2 * round - 2..], [first.clone(), second.clone()]);
    }
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_user_on_two_devices_answers_once() {
    let scene = Scene::new().await;
    for _ in 0..10 {
        let ringing = scene.bob.ok("call:start", json!({"conversationId": "c"})).await["call"].clone();
        let (one, other) = tokio::join!(
            scene.ann.call("call:answer", of(&ringing)),
            scene.ann_elsewhere.call("call:answer", of(&ringing)),
        );
        let refused = if one["ok"] == true { &other } else { &one };
        assert_eq!(assert_refused(refused, "conflict")["message"], "you are in this call already");
        let call = scene.carol.ok("call:get", of(&ringing)).await["call"].clone();
        assert_eq!(call["participants"].as_array().unwrap().len(), 2);
    }
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_against_an_end_comes_before_it_or_is_refused() {
    let scene = Scene::new().await;
    for _ in 0..20 {
        let ringing = start(&scene.ann).await;
        let (answer, end) = tokio::join!(
            scene.bob.call("call:answer", of(&ringing)),
            scene.ann.ok("call:end", of(&ringing)),
        );
        let talked = end["call"]["answeredAt"] != Value::Null;
        if !talked {
            assert_refused(&answer, "conflict");
            assert_eq!(end["call"]["participants"].as_array().unwrap().len(), 1);
        } else {
            assert_eq!(answer["call"]["status"], "ongoing", "{answer}");
            assert_eq!(end["call"]["participants"].as_array().unwrap().len(), 2);
        }
        assert_eq!(scene.carol.ok("call:get", of(&ringing)).await["call"], end["call"]);
    }
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_rings_too_long_is_missed_once_however_many_workers_there_are() {
    let scene = Scene::new().await;
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(scene.app.worker_with(&[("calls.ring_timeout", "200ms")]).await);
    }
    let mut calls = Vec::new();
    for _ in 0..5 {
        calls.push(start(&scene.ann).await);
    }
    for client in scene.members() {
        let told = client.until("call:ended", calls.len()).await;
        for call in &calls {
            let missed: Vec<_> = told.iter().filter(|ended| ended["id"] == call["id"]).collect();
            assert_eq!(missed.len(), 1, "{told:?}");
            let mut expected = call.clone();
            expected["status"] = json!("missed");
            expected["endedAt"] = missed[0]["endedAt"].clone();
            expected["durationMs"] = json!(0);
            expected["offset"] = missed[0]["offset"].clone();
            assert_eq!(missed[0], &expected);
            assert!(ms(&expected["endedAt"]) >= ms(&expected["startedAt"]) + 200);
        }
    }
    for call in &calls {
        let error = scene.bob.refused("call:answer", of(call), "conflict").await;
        assert_eq!(error["message"], "the call was missed");
        scene.ann.refused("call:end", of(call), "conflict").await;
    }
    scene.app.drained("c").await;
    for call in &calls {
        let (status, ended_by, _) = row(&scene.app, call).await.unwrap();
        assert_eq!((status.as_str(), ended_by), ("missed", None));
    }
    for worker in workers {
        worker.stop().await;
    }
    scene.ann.ping().await;
    assert_eq!(scene.ann.events("call:ended").len(), calls.len(), "nobody ended one again");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_against_the_timeout_comes_before_it_or_is_refused() {
    let scene = Scene::new().await;
    let worker = scene.app.worker_with(&[("calls.ring_timeout", "100ms")]).await;
    let (mut answered, mut missed) = (0, 0);
    while answered == 0 || missed == 0 || answered + missed < 30 {
        assert!(answered + missed < 400, "{answered} were answered, {missed} missed");
        let ringing = start(&scene.ann).await;
        // Each waits for another moment of the worker's round.
        tokio::time::sleep(std::time::Duration::from_millis((answered + missed) * 7 % 220)).await;
        let answer = scene.bob.call("call:answer", of(&ringing)).await;
        if answer["ok"] == true {
            answered += 1;
            assert_eq!(
                change(&scene.bob, "call:end", &ringing).await["answeredAt"],
                answer["call"]["answeredAt"]
            );
        } else {
            missed += 1;
            assert_eq!(assert_refused(&answer, "conflict")["message"], "the call was missed");
            let call = scene.ann.ok("call:get", of(&ringing)).await["call"].clone();
            assert_eq!((&call["status"], &call["answeredAt"]), (&json!("missed"), &Value::Null));
        }
    }
    worker.stop().await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_goes_on_for_ever_is_ended() {
    let scene = Scene::new().await;
    let worker =
        scene.app.worker_with(&[("calls.ring_timeout", "1h"), ("calls.max_duration", "300ms")]).await;
    let ringing = start(&scene.ann).await;
    let ongoing = change(&scene.bob, "call:answer", &ringing).await;
    let still_ringing = start(&scene.ann).await;
    let ended = scene.carol.event("call:ended").await;
    assert_eq!((&ended["id"], &ended["status"]), (&ringing["id"], &json!("ended")));
    assert_eq!(ended["endedBy"], Value::Null);
    assert_eq!(ended["durationMs"], json!(ms(&ended["endedAt"]) - ms(&ongoing["answeredAt"])));
    assert!(ended["durationMs"].as_i64().unwrap() >= 300);
    let other = scene.ann.ok("call:get", of(&still_ringing)).await["call"].clone();
    assert_eq!(other["status"], "ringing", "nobody has answered it, and it may ring on");
    worker.stop().await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_others_of_the_conversation_answer_and_each_once() {
    let scene = Scene::new().await;
    let ringing = start(&scene.ann).await;
    let own = scene.ann_elsewhere.refused("call:answer", of(&ringing), "conflict").await;
    assert_eq!(own["message"], "this is your own call");
    change(&scene.bob, "call:answer", &ringing).await;
    let twice = scene.bob.refused("call:answer", of(&ringing), "conflict").await;
    assert_eq!(twice["message"], "you are in this call already");
    let signal = json!({"callId": ringing["id"], "payload": 1});
    for (event, payload) in [
        ("call:answer", of(&ringing)),
        ("call:end", of(&ringing)),
        ("call:get", of(&ringing)),
        ("call:signal", signal),
    ] {
        scene.dan.refused(event, payload, "not_found").await;
    }
    scene.here.remove("c", "bob").await;
    scene.bob.refused("call:end", of(&ringing), "not_found").await;
    assert_eq!(
        change(&scene.carol, "call:end", &ringing).await["endedBy"],
        "carol",
        "who is not in it may too"
    );
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_reaches_those_whom_it_is_for_and_nobody_else() {
    let scene = Scene::new().await;
    let ringing = start(&scene.ann).await;
    // Opaque, so untouched: any names, types, nesting.
    let payload = json!({"sdp": "v=0\r\n\u{0} \"ü\"", "n": 1.5, "list": [null, {"ok": false}], "big": "x".repeat(60_000)});
    let to_bob = json!({"callId": ringing["id"], "to": "bob", "payload": payload});
    assert_eq!(scene.ann.ok("call:signal", to_bob).await, json!({"ok": true}));
    let told = scene.bob.event("call:signal").await;
    let expected = |payload: &Value| {
        json!({
            "callId": ringing["id"], "conversationId": "c", "userId": "ann",
            "user": {"id": "ann", "name": "ann"}, "payload": payload,
        })
    };
    assert_eq!(told, expected(&payload));

    let to_all = |payload: &str| json!({"callId": ringing["id"], "payload": payload});
    let alone = scene.ann.refused("call:signal", to_all("too early"), "conflict").await;
    assert_eq!(alone["message"], "nobody else is in the call: name whom it is to");
    change(&scene.bob, "call:answer", &ringing).await;
    scene.ann.ok("call:signal", to_all("to bob")).await;
    change(&scene.carol, "call:answer", &ringing).await;
    scene.ann.ok("call:signal", to_all("to both")).await;
    let (status, accepted) = acting(
        &scene.there,
        "ann",
        "POST",
        &format!("/v1/calls/{}/signals", ringing["id"].as_str().unwrap()),
        json!({"to": "carol", "payload": [1]}),
    )
    .await;
    assert_eq!((status, &accepted), (202, &json!({})));
    documented(&scene.here, "POST", "/v1/calls/{call}/signals", 202, &accepted).await;
    assert_eq!(scene.bob.event("call:signal").await, expected(&json!("to bob")));
    assert_eq!(scene.bob.event("call:signal").await, expected(&json!("to both")));
    assert_eq!(scene.carol.event("call:signal").await, expected(&json!("to both")));
    assert_eq!(scene.carol.event("call:signal").await, expected(&json!([1])));
    scene.carol.ok("call:signal", json!({"callId": ringing["id"], "to": "ann", "payload": "answer"})).await;
    for client in [&scene.ann, &scene.ann_elsewhere] {
        assert_eq!(client.event("call:signal").await["payload"], "answer", "to all devices");
    }

    // Who has left the conversation hears nothing of it, even as a participant of the call.
    scene.here.remove("c", "carol").await;
    // From here on it is in effect at this gateway.
    scene.ann.event("participant:removed").await;
    scene.ann.ok("call:signal", to_all("last")).await;
    scene
        .ann
        .refused("call:signal", json!({"callId": ringing["id"], "to": "carol", "payload": 1}), "not_found")
        .await;
    assert_eq!(scene.bob.event("call:signal").await["payload"], "last");
    let counts = |client: &Client| client.events("call:signal").len();
    for client in scene.members().into_iter().chain([&scene.dan]) {
        client.ping().await;
    }
    assert_eq!(scene.members().map(counts), [1, 1, 4, 2]);
    assert_eq!(counts(&scene.dan), 0);
    change(&scene.ann, "call:end", &ringing).await;
    scene.ann.refused("call:signal", to_all("late"), "conflict").await;
    scene.end().await;
}

/// What is refused, by socket and by REST: the command, its fields, the code and the status.
fn refusals(call: &Value, foreign: &Value) -> Vec<(&'static str, Value, &'static str, u16)> {
    let nobody = "0199f3c2-0000-7000-8000-000000000000";
    let mut table = Vec::new();
    for event in ["answer", "end", "get", "signal"] {
        let on = |id: Value| {
            if event == "signal" { json!({"callId": id, "payload": 1}) } else { json!({"callId": id}) }
        };
        table.push((event, on(foreign["id"].clone()), "not_found", 404));
        table.push((event, on(json!(nobody)), "not_found", 404));
        table.push((event, on(json!("nope")), "invalid_payload", 400));
        table.push((event, on(json!("67e55044-10b1-426f-9247-bb680e5fe0c8")), "invalid_payload", 400));
    }
    let signal = |to: Value, payload: Value| json!({"callId": call["id"], "to": to, "payload": payload});
    let start = |conversation: &str, kind: Value| json!({"conversationId": conversation, "type": kind});
    table.extend([
        ("answer", json!({"callId": call["id"]}), "conflict", 409),
        ("signal", signal(json!("dan"), json!(1)), "not_found", 404),
        ("signal", signal(json!("nobody"), json!(1)), "not_found", 404),
        ("signal", signal(json!(""), json!(1)), "invalid_payload", 400),
        ("signal", signal(json!(7), json!(1)), "invalid_payload", 400),
        ("signal", signal(json!("x".repeat(129)), json!(1)), "invalid_payload", 400),
        ("signal", signal(json!("bob"), json!(null)), "invalid_payload", 400),
        ("signal", signal(json!("bob"), json!("x".repeat(64 * 1024))), "invalid_payload", 400),
        ("start", start("other", json!("audio")), "not_a_participant", 403),
        ("start", start("nowhere", json!("audio")), "not_a_participant", 403),
        ("start", start(&"x".repeat(129), json!("audio")), "invalid_payload", 400),
        ("start", start("c", json!(7)), "invalid_payload", 400),
        ("start", start("c", json!("")), "invalid_payload", 400),
        ("start", start("c", json!("a b")), "invalid_payload", 400),
        ("start", start("c", json!("x".repeat(33))), "invalid_payload", 400),
    ]);
    table
}

/// The same request for REST: method, path and body.
fn request(event: &str, payload: &Value) -> (&'static str, String, Value) {
    let text = |field: &str| payload[field].as_str().unwrap().to_owned();
    let mut body = payload.clone();
    match event {
        "start" => {
            body.as_object_mut().unwrap().remove("conversationId");
            ("POST", format!("/v1/conversations/{}/calls", text("conversationId")), body)
        }
        "signal" => {
            body.as_object_mut().unwrap().remove("callId");
            ("POST", format!("/v1/calls/{}/signals", text("callId")), body)
        }
        "get" => ("GET", format!("/v1/calls/{}", text("callId")), json!({})),
        change => ("POST", format!("/v1/calls/{}/{change}", text("callId")), json!({})),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_is_refused_alike_by_socket_and_by_rest() {
    let scene = Scene::new().await;
    let call = start(&scene.ann).await;
    let foreign = scene.dan.ok("call:start", json!({"conversationId": "other"})).await["call"].clone();
    for (event, payload, code, expected) in refusals(&call, &foreign) {
        let shown: String = payload.to_string().chars().take(120).collect();
        let error = scene.ann.refused(&format!("call:{event}"), payload.clone(), code).await;
        let (method, path, body) = request(event, &payload);
        let (status, problem) = acting(&scene.there, "ann", method, &path, body).await;
        assert_eq!((status, &problem["code"]), (expected, &json!(code)), "{event} {shown}");
        assert_eq!(problem["detail"], error["message"], "{event} {shown}");
    }
    scene.ann.refused("call:answer", json!({"callId": 7}), "invalid_payload").await;
    scene.ann.refused("call:end", json!({}), "invalid_payload").await;
    let conversation = "/v1/conversations/c/calls";
    for (path, body) in [
        (conversation.to_owned(), json!({"type": "audio", "extra": 1})),
        (format!("/v1/calls/{}/signals", call["id"].as_str().unwrap()), json!({"payload": 1, "too": "bob"})),
    ] {
        let (status, problem) = acting(&scene.here, "ann", "POST", &path, body).await;
        assert_eq!((status, &problem["code"]), (400, &json!("invalid_payload")), "{path}");
    }
    let (status, problem) = scene.here.rest("POST", conversation, json!({})).await;
    assert_eq!((status, &problem["code"]), (403, &json!("forbidden")), "a backend must say for whom");
    let unchanged = scene.ann.ok("call:get", of(&call)).await["call"].clone();
    assert_eq!(unchanged, call);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_does_for_users_what_their_sockets_do() {
    let scene = Scene::new().await;
    let (status, ringing) =
        acting(&scene.there, "ann", "POST", "/v1/conversations/c/calls", json!({"type": "video"})).await;
    assert_eq!((status, &ringing["status"]), (201, &json!("ringing")), "{ringing}");
    documented(&scene.here, "POST", "/v1/conversations/{conversation}/calls", 201, &ringing).await;
    scene.everybody_is_told("call:started", &ringing).await;
    let (status, ongoing) = on(&scene.here, "bob", "POST", &ringing, "/answer").await;
    assert_eq!((status, &ongoing["status"]), (200, &json!("ongoing")));
    documented(&scene.here, "POST", "/v1/calls/{call}/answer", 200, &ongoing).await;
    scene.everybody_is_told("call:answered", &ongoing).await;
    let (status, twice) = on(&scene.there, "bob", "POST", &ringing, "/answer").await;
    assert_eq!((status, &twice["code"]), (409, &json!("conflict")));
    documented(&scene.here, "POST", "/v1/calls/{call}/answer", 409, &twice).await;
    let (status, ended) = on(&scene.there, "carol", "POST", &ringing, "/end").await;
    assert_eq!((status, &ended["endedBy"]), (200, &json!("carol")));
    documented(&scene.here, "POST", "/v1/calls/{call}/end", 200, &ended).await;
    documented(&scene.here, "GET", "/v1/calls/{call}", 200, &ended).await;
    scene.everybody_is_told("call:ended", &ended).await;
    assert_eq!(on(&scene.here, "ann", "GET", &ringing, "").await, (200, ended.clone()));
    let path = format!("/v1/calls/{}", ringing["id"].as_str().unwrap());
    assert_eq!(scene.here.rest("GET", &path, json!({})).await, (200, ended), "also for nobody");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_calls_of_a_conversation_are_listed_newest_first_before_and_after_they_are_persisted() {
    let scene = Scene::new().await;
    let mut calls = Vec::new();
    for _ in 0..3 {
        let ringing = start(&scene.ann).await;
        calls.insert(0, change(&scene.bob, "call:answer", &ringing).await);
    }
    let pages = async |limit: usize| {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/v1/conversations/c/calls?limit={limit}{cursor}");
            let (status, page) = acting(&scene.there, "carol", "GET", &path, json!({})).await;
            assert_eq!(status, 200, "{page}");
            documented(&scene.there, "GET", "/v1/conversations/{conversation}/calls", 200, &page).await;
            let calls = page["calls"].as_array().unwrap().clone();
            assert!(calls.len() <= limit);
            found.extend(calls);
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return found,
            }
        }
    };
    for limit in [1, 2, 3, 50] {
        assert_eq!(pages(limit).await, calls, "{limit} a page, from the hot log");
    }
    let worker = scene.app.worker().await;
    scene.app.drained("c").await;
    // One is changed after it was persisted.
    calls[1] = change(&scene.bob, "call:end", &calls[1]).await;
    for limit in [1, 2, 3, 50] {
        assert_eq!(pages(limit).await, calls, "{limit} a page, from both");
    }
    for (user, query, expected) in [
        ("dan", "", (403, "not_a_participant")),
        ("ann", "?limit=0", (400, "invalid_payload")),
        ("ann", "?limit=101", (400, "invalid_payload")),
        ("ann", "?cursor=made-up", (400, "invalid_payload")),
        ("ann", "?before=1", (400, "invalid_payload")),
    ] {
        let path = format!("/v1/conversations/c/calls{query}");
        let (status, problem) = acting(&scene.here, user, "GET", &path, json!({})).await;
        assert_eq!((status, problem["code"].as_str().unwrap()), expected, "{query}");
    }
    worker.stop().await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_row_follows_the_call_as_soon_as_there_is_a_worker() {
    let scene = Scene::new().await;
    let ringing = start(&scene.ann).await;
    assert_eq!(row(&scene.app, &ringing).await, None, "no gateway writes rows");
    let worker = scene.app.worker().await;
    eventually("the row is there", async || {
        row(&scene.app, &ringing).await.filter(|(status, ..)| status == "ringing").map(|_| ())
    })
    .await;
    change(&scene.bob, "call:answer", &ringing).await;
    eventually("the row follows", async || {
        row(&scene.app, &ringing).await.filter(|(status, ..)| status == "ongoing").map(|_| ())
    })
    .await;
    worker.stop().await;
    scene.end().await;
}
