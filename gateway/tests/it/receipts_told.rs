//! Receipts by message: which messages somebody newly has or has read, what gets on by it, and what authors are told, by
//! dialects that tell it.

#![cfg(test)]

use fred::interfaces::KeysInterface;
use serde_json::{Value, json};

use crate::{
    app::{Gateway, TestApp, eventually},
    client::{Client, token},
    dialect::Folder,
    proxy::Proxy,
};

/// A dialect that tells everything of receipts.
const TELLER: &str = r#"
name = "teller"
answer.ack = { ok = true, "..." = "{$}" }
failure.ack = { ok = false, code = "{code}" }

[[inbound]]
event = "enter"
command = "conversation.join"
fields.conversation = "$"

[[inbound]]
event = "say"
command = "message.send"
fields.conversation = "room"
fields.content = "text"
answer.ack = { id = "{message.id}", seq = "{message.seq}" }

[[inbound]]
event = "remove"
command = "message.delete"
fields.message = "$"

[[inbound]]
event = "got"
command = "receipt.delivered"
fields.conversation = "room"
fields.seq = "seq"
fields.messages = "ids"

[[inbound]]
event = "read"
command = "receipt.read"
fields.conversation = "room"
fields.seq = "seq"
fields.messages = "ids"
answer.ack = { ok = true, marked = "{marked?}" }

[[inbound]]
event = "history"
command = "message.history"
fields.conversation = "$"
answer.ack = { unread = "{unreadCount}" }

[[outbound]]
on = "message.created"
event = "said"
payload.id = "{id}"

[[outbound]]
on = "message.status"
event = "status"
each = "messages"
payload = { id = "{id}", seq = "{seq}", from = "{senderId}", status = "{$.status}", by = "{$.userId}", room = "{$.conversationId}" }

[[outbound]]
on = "message.delivered"
event = "arrived"
payload = { id = "{messageId}", room = "{conversationId}", by = "{userId}" }

[[outbound]]
on = "receipt.read"
event = "was read"
audience = "others"
each = "messages"
payload = { seq = "{seq}", by = "{$.userId}" }
"#;

/// The same words for sending, and nothing said of what arrives.
const MUTE: &str = r#"
name = "mute"
answer.ack = { ok = true }
failure.ack = { ok = false, code = "{code}" }
behaviour.delivered_on_delivery = true

[[inbound]]
event = "enter"
command = "conversation.join"
fields.conversation = "$"

[[outbound]]
on = "message.created"
event = "said"
payload.id = "{id}"
"#;

async fn client(gateway: &Gateway, dialect: &str, user: &str) -> Client {
    let path = format!("/socket.io/?EIO=4&transport=websocket&dialect={dialect}");
    Client::try_connect(gateway, &path, "", json!({"token": token(user)})).await.unwrap()
}

async fn entered(gateway: &Gateway, dialect: &str, user: &str) -> Client {
    let client = client(gateway, dialect, user).await;
    client.ok("enter", json!("c")).await;
    client
}

/// Ann and Carol here, Bob there; Ann has said three things and Bob a fourth.
struct Scene {
    app: TestApp,
    _folder: Folder,
    here: Gateway,
    there: Gateway,
    ann: Client,
    /// Another device of Ann's, which has joined nothing.
    of_ann: Client,
    bob: Client,
    carol: Client,
    ids: Vec<Value>,
}

impl Scene {
    async fn new() -> Self {
        let app = TestApp::new().await;
        let folder = Folder::with(&[("teller.toml", TELLER), ("mute.toml", MUTE)]);
        let settings = [folder.setting(), ("gateway.receipts_interval", "50ms")];
        let (here, there) = (app.gateway(&settings).await, app.gateway(&settings).await);
        app.conversation(&here, "c", &["ann", "bob", "carol"]).await;
        let (ann, carol) = (entered(&here, "teller", "ann").await, entered(&here, "teller", "carol").await);
        let bob = entered(&there, "teller", "bob").await;
        let of_ann = client(&there, "teller", "ann").await;
        let mut ids = Vec::new();
        for (author, text) in [(&ann, "1"), (&ann, "2"), (&ann, "3"), (&bob, "4")] {
            ids.push(author.call("say", json!({"room": "c", "text": text})).await["id"].clone());
        }
        Self { app, _folder: folder, here, there, ann, of_ann, bob, carol, ids }
    }

    /// The same with everything written to Postgres and nothing of the cursors left in Redis.
    async fn forget_cursors(&self) {
        let keys = self.app.broker.keys();
        eventually("the receipts are in Postgres", async || {
            use fred::interfaces::StreamsInterface;
            let stream = keys.receipts(keys.partitions().of("c"));
            (self.app.broker.client().xlen::<u64, _>(stream).await.unwrap() == 0).then_some(())
        })
        .await;
        let key = keys.cursors(&crate::app::id("c"));
        assert_eq!(self.app.broker.client().del::<u64, _>(key).await.unwrap(), 1);
    }

    async fn read(&self, client: &Client, upto: u64) -> Value {
        client.ok("read", json!({"room": "c", "seq": upto})).await["marked"].clone()
    }

    /// Waits until everything is told that was answered.
    async fn settle(&self) {
        self.ann.ok("got", json!({"room": "c", "seq": 0})).await;
        for client in [&self.ann, &self.bob, &self.carol, &self.of_ann] {
            client.ok("enter", json!("c")).await;
        }
    }
}

/// What was told of messages' statuses: `(place, status, by whom)`.
fn statuses(client: &Client) -> Vec<(u64, String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let of = |event: &Value| (event["seq"].as_u64().unwrap(), text(&event["status"]), text(&event["by"]));
    client.events("status").iter().map(of).collect()
}

fn status(seq: u64, status: &str, by: &str) -> (u64, String, String) {
    (seq, status.to_owned(), by.to_owned())
}

fn places(client: &Client) -> Vec<(u64, String)> {
    let of = |event: &Value| (event["seq"].as_u64().unwrap(), event["by"].as_str().unwrap().to_owned());
    client.events("was read").iter().map(of).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_gets_on_once_with_the_first_of_the_others_and_all_are_told() {
    let scene = Scene::new().await;
    let Scene { ann, of_ann, bob, carol, ids, .. } = &scene;
    bob.ok("got", json!({"ids": [ids[0], ids[1]]})).await;
    let by_bob = [status(1, "delivered", "bob"), status(2, "delivered", "bob")];
    for client in [ann, bob, carol] {
        client.until("status", 2).await;
        assert_eq!(statuses(client), by_bob);
    }
    let first = &ann.events("status")[0];
    assert_eq!((&first["id"], &first["from"], &first["room"]), (&ids[0], &json!("ann"), &json!("c")));
    // On all devices of the author, and on nobody else's.
    for client in [ann, of_ann] {
        let arrived = client.until("arrived", 2).await;
        let expected = |id: &Value| json!({"id": id, "room": "c", "by": "bob"});
        assert_eq!(arrived, [expected(&ids[0]), expected(&ids[1])]);
    }
    // What Carol adds is the third of Ann's, and the one of Bob's. Bob again adds nothing.
    carol.ok("got", json!({"room": "c", "seq": 4})).await;
    bob.ok("got", json!({"room": "c", "seq": 4})).await;
    bob.until("arrived", 1).await;
    scene.settle().await;
    let all =
        [by_bob.as_slice(), &[status(3, "delivered", "carol"), status(4, "delivered", "carol")]].concat();
    for client in [ann, bob, carol] {
        assert_eq!(statuses(client), all);
    }
    assert_eq!(ann.events("arrived").len(), 3);
    assert_eq!(bob.events("arrived"), [json!({"id": ids[3], "room": "c", "by": "carol"})]);
    assert_eq!(carol.events("arrived"), [json!(null); 0]);
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_read_without_being_delivered_before_is_told_as_both() {
    let scene = Scene::new().await;
    assert_eq!(scene.read(&scene.bob, 1).await, 1);
    scene.ann.until("status", 2).await;
    assert_eq!(statuses(&scene.ann), [status(1, "delivered", "bob"), status(1, "read", "bob")]);
    assert_eq!(scene.of_ann.event("arrived").await["id"], scene.ids[0]);
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_tells_which_messages_of_others_somebody_newly_read() {
    let scene = Scene::new().await;
    let Scene { ann, bob, carol, .. } = &scene;
    assert_eq!(scene.read(bob, 2).await, 2);
    assert_eq!(scene.read(bob, 4).await, 1, "his own does not count");
    assert_eq!(scene.read(bob, 4).await, 0);
    scene.settle().await;
    let of_bob = [1, 2, 3].map(|seq| (seq, "bob".to_owned()));
    assert_eq!((places(ann), places(carol)), (of_bob.to_vec(), of_bob.to_vec()));
    assert_eq!(places(bob), [], "it is for the others");
    // Every reader is told of, not only the first.
    assert_eq!(scene.read(carol, 4).await, 4);
    scene.settle().await;
    assert_eq!(places(bob), [1, 2, 3, 4].map(|seq| (seq, "carol".to_owned())));
    assert_eq!(statuses(ann).iter().filter(|(_, status, _)| status == "read").count(), 4);
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_named_messages_those_are_marked_that_others_sent_and_that_were_not_read() {
    let scene = Scene::new().await;
    let Scene { bob, ids, here, .. } = &scene;
    let read = async |client: &Client, named: &[usize]| {
        let ids: Vec<&Value> = named.iter().map(|seq| &ids[seq - 1]).collect();
        client.ok("read", json!({"room": "c", "ids": ids})).await["marked"].clone()
    };
    assert_eq!(read(bob, &[1, 1]).await, 1);
    assert_eq!(read(bob, &[1, 3, 4]).await, 1);
    assert_eq!(read(bob, &[2, 3, 4]).await, 0, "up to there all is read");
    // Several in one interval, on two gateways.
    let other = entered(here, "teller", "carol").await;
    let asked = [
        scene.carol.ask("read", json!({"ids": [ids[0], ids[1]]})).await,
        scene.carol.ask("read", json!({"ids": [ids[1], ids[2]]})).await,
    ];
    let mut marked = read(&other, &[4]).await.as_u64().unwrap();
    for asked in asked {
        marked += scene.carol.answer(asked).await["marked"].as_u64().unwrap();
    }
    assert!((1..=4).contains(&marked), "{marked}");
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_many_are_unread_is_exact_whoever_has_the_messages_and_the_cursor_by_now() {
    let scene = Scene::new().await;
    let Scene { app, bob, carol, ids, there, ann, .. } = &scene;
    let unread = async |client: &Client| client.call("history", json!("c")).await["unread"].clone();
    assert_eq!((unread(bob).await, unread(carol).await), (json!(3), json!(4)));
    assert_eq!(scene.read(bob, 1).await, 1);
    assert_eq!(unread(bob).await, 2, "what the worker has not written counts");
    let _worker = app.worker().await;
    app.drained("c").await;
    assert_eq!(unread(bob).await, 2);
    scene.forget_cursors().await;
    assert_eq!(unread(bob).await, 2);
    ann.ok("remove", ids[1].clone()).await;
    assert_eq!((unread(bob).await, unread(carol).await), (json!(1), json!(3)));
    assert_eq!(scene.read(carol, 4).await, 3);
    assert_eq!((unread(bob).await, unread(carol).await), (json!(1), json!(0)));
    // Nobody else's answers have changed.
    let native = Client::connect(there, "bob").await;
    assert_eq!(
        native.ok("receipt:read", json!({"conversationId": "c", "seq": 4})).await,
        json!({"ok": true})
    );
    let page = native.ok("message:history", json!({"conversationId": "c"})).await;
    assert!(page.get("unreadCount").is_none(), "{page}");
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_redis_has_forgotten_is_not_told_again_when_postgres_has_it() {
    let scene = Scene::new().await;
    let Scene { app, ann, bob, carol, .. } = &scene;
    let _worker = app.worker().await;
    app.drained("c").await;
    scene.read(bob, 3).await;
    ann.until("status", 6).await;
    scene.forget_cursors().await;
    // Bob at the same place, Carol behind him, and then beyond him: one message of his own is left to get on.
    assert_eq!(scene.read(bob, 3).await, 0);
    assert_eq!(scene.read(carol, 2).await, 2);
    assert_eq!(scene.read(carol, 4).await, 2);
    scene.settle().await;
    let later = &statuses(ann)[6..];
    assert_eq!(later, [status(4, "delivered", "carol"), status(4, "read", "carol")]);
    assert_eq!(places(ann).iter().filter(|(_, by)| by == "bob").count(), 3);
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_only_postgres_has_are_told_of_the_newest_and_counted_all() {
    let scene = Scene::new().await;
    let Scene { app, ann, carol, .. } = &scene;
    for n in 5..=130 {
        ann.call("say", json!({"room": "c", "text": n.to_string()})).await;
    }
    let _worker = app.worker().await;
    app.drained("c").await;
    let log = app.broker.keys().log(&crate::app::id("c"));
    assert_eq!(app.broker.client().del::<u64, _>(log).await.unwrap(), 1);
    assert_eq!(scene.read(carol, 130).await, 130);
    scene.settle().await;
    let read: Vec<u64> = places(ann).into_iter().map(|(seq, _)| seq).collect();
    assert_eq!(read, (31..=130).collect::<Vec<_>>());
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_handed_to_a_client_that_says_nothing_arrives_as_well() {
    let scene = Scene::new().await;
    let Scene { app, ann, of_ann, there, .. } = &scene;
    app.conversation(&scene.here, "d", &["ann", "dave"]).await;
    let dave = client(there, "mute", "dave").await;
    dave.ok("enter", json!("d")).await;
    // Another device of Ann's own, whose deliveries bring her messages nowhere.
    let own = client(there, "mute", "ann").await;
    own.ok("enter", json!("d")).await;
    ann.ok("enter", json!("d")).await;
    let said = ann.call("say", json!({"room": "d", "text": "hi"})).await;
    dave.event("said").await;
    for client in [ann, of_ann] {
        assert_eq!(client.event("arrived").await, json!({"id": said["id"], "room": "d", "by": "dave"}));
    }
    let told = ann.event("status").await;
    assert_eq!(
        (&told["status"], &told["by"], &told["id"]),
        (&json!("delivered"), &json!("dave"), &said["id"])
    );
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_postgres_receipts_and_messages_go_on() {
    let app = TestApp::new().await;
    let folder = Folder::with(&[("teller.toml", TELLER)]);
    let proxy = Proxy::before(&app.database_url()).await;
    let settings = [
        folder.setting(),
        ("gateway.receipts_interval", "50ms"),
        ("postgres.url", proxy.url()),
        ("postgres.statement_deadline", "2s"),
    ];
    let gateway = app.gateway(&settings).await;
    app.conversation(&gateway, "c", &["ann", "bob"]).await;
    let (ann, bob) = (entered(&gateway, "teller", "ann").await, entered(&gateway, "teller", "bob").await);
    let first = ann.call("say", json!({"room": "c", "text": "1"})).await;
    proxy.cut();
    let asked = bob.ask("read", json!({"ids": [first["id"]]})).await;
    let second = ann.call("say", json!({"room": "c", "text": "2"})).await;
    assert_eq!(second["seq"], 2, "a receipt that waits for Postgres holds up no message: {second}");
    assert_eq!(bob.answer(asked).await["marked"], 1);
    assert_eq!(ann.until("status", 2).await[1]["status"], "read");
    proxy.mend();
    app.end().await;
}
