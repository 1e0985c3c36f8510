//! What the hot log has no longer is told from the rows of Postgres.

use parlance_broker::BrokerError;
use parlance_broker::append::{Append, Appender, Bounds, Floors};
use parlance_domain::{event::EventKind, id::CallId};
use serde_json::{Value, json};

use super::Scene;
use crate::app::id;

impl Scene {
    /// The hot log is gone, and publications arrive again.
    async fn forget_and_hear(&self) {
        self.app.drained("c").await;
        let log = self.app.broker.keys().log(&id("c"));
        let _: u64 = fred::interfaces::KeysInterface::del(self.app.broker.client(), log).await.unwrap();
        self.proxy.hear();
    }

    /// Appends an event, the `n`-th of its test, that no command of the test makes.
    async fn append(&self, n: i64, kind: EventKind, body: Value) {
        let broker = &self.app.broker;
        let append = Append::from_outbox(broker.keys(), n, id("c"), kind, body.to_string(), None);
        let appender = Appender::new(broker.clone(), Bounds { entries: 1_000, bytes: 1 << 20 });
        let floors = async || Ok::<_, BrokerError>(Floors::default());
        appender.append(&append, floors).await.unwrap();
    }
}

fn ids(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["id"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_created_in_a_long_gap_and_edited_at_its_end_is_told_as_created_first() {
    let scene = Scene::new(&[]).await;
    let _worker = scene.app.worker().await;
    scene.proxy.deafen_subscriber();
    let mut sent = scene.send(2).await;
    // More than one reading of changed rows.
    sent.extend(scene.send(300).await);
    let edits = [
        json!({"messageId": sent[1]["id"], "content": "edited one"}),
        json!({"messageId": sent[0]["id"], "content": "edited last"}),
    ];
    for edit in edits {
        scene.sender.ok("message:edit", edit).await;
    }
    scene.proxy.has_thrown_away("edited last").await;
    scene.forget_and_hear().await;
    sent.extend(scene.send(1).await);

    let created = scene.reader.until("message:created", sent.len()).await;
    assert_eq!(ids(&created), ids(&sent));
    let edited = scene.reader.until("message:edited", 2).await;
    assert_eq!(ids(&edited), [ids(&sent)[1], ids(&sent)[0]]);
    assert_eq!(edited[1]["content"], "edited last");
    let offsets: Vec<u64> =
        scene.reader.received().iter().filter_map(|event| event.payload["offset"].as_u64()).collect();
    assert!(offsets.is_sorted_by(|a, b| a < b), "{offsets:?}");
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reactions_calls_and_updates_of_a_gap_are_told_as_they_are_now() {
    let scene = Scene::new(&[]).await;
    let _worker = scene.app.worker().await;
    let message = scene.send(1).await.remove(0);
    scene.reader.event("message:created").await;
    scene.proxy.deafen_subscriber();
    let reaction = |user: &str, active: bool| {
        json!({"message": message["id"], "seq": 1, "user": {"id": user, "name": user}, "emoji": "👍",
               "active": active, "reactions": []})
    };
    let partition = scene.app.broker.keys().partitions().of("c").0;
    let [answered, missed] = [1, 2].map(|n| CallId::new(4_000_000_000_000, [n; 8], partition));
    // So late that no worker ends it because nobody did.
    let call = |id: CallId, status: &str, users: &[&str]| {
        let user = |id: &str| json!({"id": id, "name": id});
        let participants: Vec<_> =
            users.iter().map(|one| json!({"user": user(one), "joinedAtMs": 4_000_000_000_000_i64})).collect();
        json!({"id": id, "type": "audio", "status": status, "startedBy": user("sender"),
               "startedAtMs": 4_000_000_000_000_i64, "participants": participants})
    };
    let events = [
        (EventKind::ReactionUpdated, reaction("sender", true)),
        (EventKind::CallStarted, call(answered, "ringing", &["sender"])),
        (EventKind::ReactionUpdated, reaction("reader", true)),
        (EventKind::CallStarted, call(missed, "ringing", &["sender"])),
        (EventKind::CallAnswered, call(answered, "ongoing", &["sender", "reader"])),
        (EventKind::CallEnded, call(missed, "missed", &["sender"])),
        (EventKind::ReactionUpdated, reaction("sender", false)),
        (EventKind::ConversationUpdated, json!({"id": "c", "participants": [], "createdAtMs": 0})),
    ];
    for (n, (kind, body)) in (1..).zip(events) {
        scene.append(n, kind, body).await;
    }
    scene.proxy.has_thrown_away("conversation.updated").await;
    let rename = scene.app.store.run("test", async |connection| {
        sqlx::query("UPDATE conversations SET title = 'new', updated_at = now()").execute(connection).await?;
        Ok(())
    });
    rename.await.unwrap();
    scene.forget_and_hear().await;
    scene.send(1).await;
    scene.reader.event("message:created").await;

    let told: Vec<String> = scene.reader.received().iter().skip(2).map(|event| event.name.clone()).collect();
    let expected = [
        "reaction:updated",
        "call:answered",
        "call:ended",
        "reaction:updated",
        "conversation:updated",
        "message:created",
    ];
    assert_eq!(told[told.len() - expected.len()..], expected);
    let [reader, sender] = scene.reader.until("reaction:updated", 2).await.try_into().unwrap();
    let now = json!([{"emoji": "👍", "count": 1, "users": [{"id": "reader", "name": "reader"}]}]);
    assert_eq!(
        (&reader["userId"], &reader["active"], &reader["reactions"]),
        (&json!("reader"), &json!(true), &now)
    );
    assert_eq!(
        (&sender["userId"], &sender["active"], &sender["reactions"]),
        (&json!("sender"), &json!(false), &now)
    );
    let call = scene.reader.event("call:answered").await;
    assert_eq!((&call["id"], call["participants"].as_array().unwrap().len()), (&json!(answered), 2));
    let call = scene.reader.event("call:ended").await;
    assert_eq!((&call["id"], &call["status"]), (&json!(missed), &json!("missed")));
    assert_eq!(scene.reader.event("conversation:updated").await["title"], "new");
    scene.app.end().await;
}
