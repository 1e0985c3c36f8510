//! Who is writing: told to the others, on whatever gateway, and over by itself.

#![cfg(test)]

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    app::{DEADLINE, Gateway, TestApp, eventually},
    client::{Client, token},
    conversations::as_user,
    dialect::Folder,
    proxy::Proxy,
};

/// Somebody stops here after a moment, not after seconds.
const HASTY: &str = r#"
    name = "hasty"
    answer.ack = { ok = true }
    failure.ack = { ok = false, error = { code = "{code}" } }
    behaviour.typing_expiry = "300ms"
    [[inbound]]
    event = "conversation:join"
    command = "conversation.join"
    fields.conversation = "conversationId"
    [[inbound]]
    event = "typing:start"
    command = "typing.start"
    fields.conversation = "conversationId"
    [[outbound]]
    on = "typing.started"
    event = "own"
    audience = "sender"
    payload.userId = "{userId}"
"#;

/// Ann writes on one gateway, Bob sees it on another; both have joined.
struct Scene {
    app: TestApp,
    here: Gateway,
    there: Gateway,
    ann: Client,
    bob: Client,
    _folder: Folder,
}

impl Scene {
    async fn new() -> Self {
        let app = TestApp::new().await;
        let folder = Folder::with(&[("hasty.toml", HASTY)]);
        let settings = [folder.setting()];
        let (here, there) = (app.gateway(&settings).await, app.gateway(&settings).await);
        app.conversation(&here, "c", &["ann", "bob"]).await;
        let (ann, bob) = (member(&here, "ann").await, member(&there, "bob").await);
        Self { app, here, there, ann, bob, _folder: folder }
    }

    /// Ann, speaking the dialect in which she stops soon.
    async fn hasty_ann(&self) -> Client {
        let path = "/socket.io/?EIO=4&transport=websocket&dialect=hasty";
        let auth = json!({"token": token("ann")});
        let client = Client::try_connect(&self.here, path, "", auth).await.unwrap();
        client.join("c").await;
        client
    }

    /// Bob was told of nothing but this, in this order.
    async fn bob_was_told(&self, expected: &[&str]) {
        // What is published after it, arrives after it.
        let marker = self.ann.send("c", "marker").await;
        eventually("the marker comes", async || {
            self.bob.events("message:created").contains(&marker).then_some(())
        })
        .await;
        assert_eq!(told(&self.bob), expected);
    }
}

async fn member(gateway: &Gateway, user: &str) -> Client {
    let client = Client::connect(gateway, user).await;
    client.join("c").await;
    client
}

fn told(client: &Client) -> Vec<String> {
    let events = client.received().into_iter().map(|event| event.name);
    events.filter(|name| name.starts_with("typing:")).collect()
}

fn place() -> Value {
    json!({"conversationId": "c"})
}

/// What Ann says by a request; the status.
async fn by_request(gateway: &Gateway, state: &str) -> u16 {
    as_user(gateway, "ann", "POST", "/v1/conversations/c/typing", json!({"state": state})).await.0
}

const BOTH: [&str; 2] = ["typing:started", "typing:stopped"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_others_are_told_and_until_when_they_may_believe_it() {
    let scene = Scene::new().await;
    scene.ann.ok("typing:start", place()).await;
    let user = json!({"id": "ann", "name": "ann"});
    assert_eq!(
        scene.bob.event("typing:started").await,
        json!({"conversationId": "c", "userId": "ann", "user": user, "expiresInMs": 7_000})
    );
    scene.ann.ok("typing:stop", place()).await;
    assert_eq!(
        scene.bob.event("typing:stopped").await,
        json!({"conversationId": "c", "userId": "ann", "user": user})
    );
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_over_by_itself_after_the_time_that_the_dialect_says() {
    let scene = Scene::new().await;
    let ann = scene.hasty_ann().await;
    let begun = Instant::now();
    ann.ok("typing:start", place()).await;
    assert_eq!(scene.bob.event("typing:started").await["expiresInMs"], 450);
    scene.bob.event("typing:stopped").await;
    assert!(begun.elapsed() >= Duration::from_millis(300));
    // The dialect says, too, that she wants to know of her own.
    ann.event("own").await;
    scene.bob_was_told(&BOTH).await;
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_goes_on_writing_does_not_stop_and_is_told_of_again() {
    let scene = Scene::new().await;
    let ann = scene.hasty_ann().await;
    let end = Instant::now() + DEADLINE;
    let mut starts = 0;
    let mut late = false;
    let mut last = Instant::now();
    while scene.bob.events("typing:started").len() < 4 {
        assert!(Instant::now() < end, "not in time: it is told again");
        ann.ok("typing:start", place()).await;
        starts += 1;
        // On a machine that stands still for so long it has stopped, and rightly so.
        late |= last.elapsed() >= Duration::from_millis(300);
        last = Instant::now();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let stopped = scene.bob.events("typing:stopped").len();
    assert!(late || stopped == 0, "{stopped} stops");
    assert!(starts > 8, "told {} times of {starts} starts", scene.bob.events("typing:started").len());
    scene.bob.event("typing:stopped").await;
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_while_somebody_writes_learns_of_it() {
    let scene = Scene::new().await;
    scene.ann.ok("typing:start", place()).await;
    scene.bob.event("typing:started").await;
    let late = member(&scene.there, "bob").await;
    let end = Instant::now() + DEADLINE;
    while late.events("typing:started").is_empty() {
        assert!(Instant::now() < end, "not in time: who came later is told");
        scene.ann.ok("typing:start", place()).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_socket_of_a_user_is_told_that_he_is_writing() {
    let scene = Scene::new().await;
    let (near, far) = (member(&scene.here, "ann").await, member(&scene.there, "ann").await);
    scene.ann.ok("typing:start", place()).await;
    scene.bob.event("typing:started").await;
    scene.ann.ok("typing:stop", place()).await;
    assert_eq!(by_request(&scene.there, "started").await, 200);
    scene.bob_was_told(&["typing:started", "typing:stopped", "typing:started"]).await;
    for own in [&scene.ann, &near, &far] {
        // Behind everything that was published.
        let marker = scene.bob.send("c", "behind").await;
        eventually("the marker comes", async || {
            own.events("message:created").contains(&marker).then_some(())
        })
        .await;
        assert_eq!(told(own), Vec::<String>::new());
    }
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_without_a_start_is_told_to_nobody() {
    let scene = Scene::new().await;
    scene.ann.ok("typing:stop", place()).await;
    scene.ann.ok("typing:start", place()).await;
    scene.ann.ok("typing:stop", place()).await;
    scene.ann.ok("typing:stop", place()).await;
    scene.bob_was_told(&BOTH).await;
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_ends_it_and_what_is_written_after_it_begins_anew() {
    let scene = Scene::new().await;
    scene.ann.ok("typing:start", place()).await;
    let message = json!({"conversationId": "c", "content": "said"});
    let asked = [scene.ann.ask("message:send", message).await, scene.ann.ask("typing:start", place()).await];
    for one in asked {
        assert_eq!(scene.ann.answer(one).await["ok"], true);
    }
    scene.bob.until("typing:started", 2).await;
    let names: Vec<_> = scene.bob.received().into_iter().map(|event| event.name).collect();
    let names: Vec<_> = names.iter().map(String::as_str).filter(|name| *name != "session:ready").collect();
    assert_eq!(names, ["typing:started", "message:created", "typing:stopped", "typing:started"]);
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_ends_with_the_connection_with_leaving_and_with_being_removed() {
    for way in ["disconnect", "leave", "remove"] {
        let scene = Scene::new().await;
        let client = member(&scene.here, "ann").await;
        client.ok("typing:start", place()).await;
        scene.bob.event("typing:started").await;
        let begun = Instant::now();
        match way {
            "disconnect" => drop(client),
            "leave" => client.leave("c").await,
            _ => scene.there.remove("c", "ann").await,
        }
        scene.bob.event("typing:stopped").await;
        assert!(begun.elapsed() < Duration::from_secs(5), "{way}: before it would have been over by itself");
        scene.app.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_two_sockets_the_newest_start_counts_and_the_first_stop() {
    let scene = Scene::new().await;
    let (one, other) = (member(&scene.here, "ann").await, member(&scene.here, "ann").await);
    one.ok("typing:start", place()).await;
    other.ok("typing:start", place()).await;
    scene.bob.event("typing:started").await;
    // It was said on the other one last.
    let connections = async || scene.here.metric("parlance_connections{dialect=\"native\"}").await;
    let before = connections().await;
    drop(one);
    eventually("it is gone", async || (connections().await < before).then_some(())).await;
    other.ok("typing:start", place()).await;
    scene.ann.ok("typing:stop", place()).await;
    other.ok("typing:stop", place()).await;
    let marker = scene.ann.send("c", "marker").await;
    eventually("the marker comes", async || {
        scene.bob.events("message:created").contains(&marker).then_some(())
    })
    .await;
    assert_eq!(scene.bob.events("typing:stopped").len(), 1);
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_over_by_itself_too_and_stops_what_began_elsewhere() {
    let scene = Scene::new().await;
    assert_eq!(by_request(&scene.here, "started").await, 200);
    scene.bob.event("typing:started").await;
    scene.bob.event("typing:stopped").await;
    // Requests do not stick to a gateway: this one knows nothing of a start.
    scene.ann.ok("typing:start", place()).await;
    scene.bob.event("typing:started").await;
    assert_eq!(by_request(&scene.there, "stopped").await, 200);
    scene.bob.event("typing:stopped").await;
    scene.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_could_not_be_told_is_told_with_the_next_start() {
    let app = TestApp::new().await;
    let way = Proxy::before(&app.redis_url()).await;
    let settings = [("redis.url", way.url()), ("redis.command_deadline", "200ms")];
    let (here, there) = (app.gateway(&settings).await, app.gateway(&[]).await);
    app.conversation(&there, "c", &["ann", "bob"]).await;
    let (ann, bob) = (member(&here, "ann").await, member(&there, "bob").await);
    ann.ok("typing:stop", place()).await;
    way.freeze();
    ann.refused("typing:start", place(), "unavailable").await;
    way.mend();
    eventually("she writes", async || (ann.call("typing:start", place()).await["ok"] == true).then_some(()))
        .await;
    // What was held back comes too.
    bob.until("typing:started", 2).await;
    app.end().await;
}
