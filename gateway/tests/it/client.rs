//! A small Socket.IO client: it reads all the time, and a test asks what has come.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use jsonwebtoken::{EncodingKey, Header, encode};
use parlance_chassis::clock::Clock;
use serde_json::{Value, json};
use tokio::{net::TcpStream, sync::watch, task::JoinSet, time::Instant};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

use crate::app::{DEADLINE, Gateway, SECRET};

const PATH: &str = "/socket.io/?EIO=4&transport=websocket";

/// A connected client.
pub struct Client {
    sink: Arc<Sink>,
    inbox: Arc<watch::Sender<Inbox>>,
    acks: AtomicU64,
    _reading: JoinSet<()>,
}

type Sink = tokio::sync::Mutex<SplitSink<WebSocketStream<TcpStream>, Message>>;

/// A command whose answer is on its way.
#[derive(Debug, Clone, Copy)]
pub struct Asked(u64);

/// What has come.
#[derive(Default)]
struct Inbox {
    connected: Option<Result<Value, Value>>,
    events: Vec<Received>,
    acks: HashMap<u64, Value>,
    /// How many events had come before each.
    events_before: HashMap<u64, usize>,
    answered: Vec<u64>,
    disconnected: bool,
    ended: bool,
}

/// An event.
#[derive(Debug, Clone)]
pub struct Received {
    pub name: String,
    pub payload: Value,
    taken: bool,
}

impl Client {
    /// Connects a user whose name is the id, and reads `session:ready`.
    pub async fn connect(gateway: &Gateway, user: &str) -> Self {
        let auth = json!({"token": token(user)});
        let client =
            Self::try_connect(gateway, PATH, "", auth).await.unwrap_or_else(|refused| panic!("{refused}"));
        let ready = client.event("session:ready").await;
        assert_eq!(ready["userId"], user);
        client
    }

    /// Connects; the payload of the `connect_error` when it is refused.
    pub async fn try_connect(
        gateway: &Gateway,
        path: &str,
        headers: &str,
        auth: Value,
    ) -> Result<Self, Value> {
        let client = Self::open(gateway, path, headers).await;
        client.packet(&if auth.is_null() { "40".to_owned() } else { format!("40{auth}") }).await;
        client.connected().await.map(|_| client)
    }

    /// Opens the transport and sends nothing.
    pub async fn open(gateway: &Gateway, path: &str, headers: &str) -> Self {
        let ws = crate::wire::client::Ws::open(&gateway.address, path, headers).await.unwrap();
        let (sink, stream) = ws.into_stream().split();
        let (sink, inbox) = (Arc::new(Sink::new(sink)), Arc::new(watch::Sender::new(Inbox::default())));
        let mut reading = JoinSet::new();
        reading.spawn(read(stream, Arc::clone(&sink), Arc::clone(&inbox)));
        Self { sink, inbox, acks: AtomicU64::new(1), _reading: reading }
    }

    /// The answer to the CONNECT packet; `transport close` when there is none before the end.
    pub async fn connected(&self) -> Result<Value, Value> {
        let end = |inbox: &Inbox| inbox.ended.then(|| Err(json!({"message": "transport close"})));
        self.wait("an answer to CONNECT", |inbox| inbox.connected.clone().or_else(|| end(inbox))).await
    }

    /// Sends a packet as it is. What cannot be sent any more shows as the end of the connection.
    pub async fn packet(&self, packet: &str) {
        let _ = self.sink.lock().await.send(Message::text(packet)).await;
    }

    /// Sends an attachment.
    pub async fn binary(&self, bytes: &[u8]) {
        let _ = self.sink.lock().await.send(Message::binary(bytes.to_vec())).await;
    }

    /// Sends an event without asking for an acknowledgement.
    pub async fn emit(&self, event: &str, payload: Value) {
        self.packet(&format!("42{}", json!([event, payload]))).await;
    }

    /// Sends an event; the answer is fetched with [`Client::answer`].
    pub async fn ask(&self, event: &str, payload: Value) -> Asked {
        let ack = self.acks.fetch_add(1, Ordering::Relaxed);
        self.packet(&format!("42{ack}{}", json!([event, payload]))).await;
        Asked(ack)
    }

    /// An id for an acknowledgement of a packet that the test writes itself.
    pub fn ack_id(&self) -> (u64, Asked) {
        let ack = self.acks.fetch_add(1, Ordering::Relaxed);
        (ack, Asked(ack))
    }

    /// Waits for an answer.
    pub async fn answer(&self, Asked(ack): Asked) -> Value {
        self.wait("an acknowledgement", |inbox| inbox.acks.get(&ack).cloned()).await
    }

    /// What has come after an answer.
    pub fn received_since(&self, Asked(ack): Asked) -> Vec<Received> {
        let inbox = self.inbox.borrow();
        inbox.events[inbox.events_before[&ack]..].to_vec()
    }

    /// The answer, if it has come.
    pub fn answered(&self, Asked(ack): Asked) -> Option<Value> {
        self.inbox.borrow().acks.get(&ack).cloned()
    }

    /// All commands that were answered so far, in the order of the answers.
    pub fn order_of_answers(&self) -> Vec<u64> {
        self.inbox.borrow().answered.clone()
    }

    /// Sends an event and waits for its answer.
    pub async fn call(&self, event: &str, payload: Value) -> Value {
        let asked = self.ask(event, payload).await;
        self.answer(asked).await
    }

    /// The same; it must succeed.
    pub async fn ok(&self, event: &str, payload: Value) -> Value {
        let answer = self.call(event, payload).await;
        assert_eq!(answer["ok"], true, "{event}: {answer}");
        answer
    }

    /// The same; it must fail with this code. Answers the error.
    pub async fn refused(&self, event: &str, payload: Value, code: &str) -> Value {
        let answer = self.call(event, payload).await;
        assert_refused(&answer, code)
    }

    /// Joins a conversation.
    pub async fn join(&self, conversation: &str) -> Value {
        self.ok("conversation:join", json!({"conversationId": conversation})).await
    }

    /// Leaves a conversation.
    pub async fn leave(&self, conversation: &str) {
        self.ok("conversation:leave", json!({"conversationId": conversation})).await;
    }

    /// Says something; the message.
    pub async fn send(&self, conversation: &str, content: &str) -> Value {
        let answer =
            self.ok("message:send", json!({"conversationId": conversation, "content": content})).await;
        answer["message"].clone()
    }

    /// Reads history; the messages and whether there are more.
    pub async fn history(&self, page: Value) -> (Vec<Value>, bool) {
        let answer = self.ok("message:history", page).await;
        (answer["messages"].as_array().unwrap().clone(), answer["hasMore"].as_bool().unwrap())
    }

    /// A round trip: what the gateway has emitted to this socket before it, has come.
    pub async fn ping(&self) {
        self.ok("ping", json!({})).await;
    }

    /// Waits for the first event of this name that was not taken yet, and takes it.
    pub async fn event(&self, name: &str) -> Value {
        self.event_within(DEADLINE, name).await
    }

    /// The same with a deadline of its own.
    pub async fn event_within(&self, deadline: Duration, name: &str) -> Value {
        let find = |inbox: &Inbox| inbox.events.iter().position(|event| !event.taken && event.name == name);
        let place = self.wait_within(deadline, name, find).await;
        let mut payload = Value::Null;
        // Events are only ever added behind, so the place is still right.
        self.inbox.send_modify(|inbox| {
            inbox.events[place].taken = true;
            payload = inbox.events[place].payload.clone();
        });
        payload
    }

    /// Waits until `count` events of this name have come, taken or not; all that have come.
    pub async fn until(&self, name: &str, count: usize) -> Vec<Value> {
        self.until_within(DEADLINE, name, count).await
    }

    /// The same with a deadline of its own.
    pub async fn until_within(&self, deadline: Duration, name: &str, count: usize) -> Vec<Value> {
        let enough = |inbox: &Inbox| Some(payloads(inbox, name)).filter(|found| found.len() >= count);
        self.wait_within(deadline, &format!("{count} {name}"), enough).await
    }

    /// All events of this name that have come, taken or not.
    pub fn events(&self, name: &str) -> Vec<Value> {
        payloads(&self.inbox.borrow(), name)
    }

    /// All events that have come.
    pub fn received(&self) -> Vec<Received> {
        self.inbox.borrow().events.clone()
    }

    /// Waits until the connection has ended.
    pub async fn ended(&self) {
        self.wait("the end of the connection", |inbox| inbox.ended.then_some(())).await;
    }

    /// Whether the connection is open.
    pub fn is_open(&self) -> bool {
        !self.inbox.borrow().ended
    }

    /// Whether a Socket.IO DISCONNECT has come, after which clients do not come back.
    pub fn was_disconnected(&self) -> bool {
        self.inbox.borrow().disconnected
    }

    async fn wait<T>(&self, what: &str, find: impl Fn(&Inbox) -> Option<T>) -> T {
        self.wait_within(DEADLINE, what, find).await
    }

    async fn wait_within<T>(&self, deadline: Duration, what: &str, find: impl Fn(&Inbox) -> Option<T>) -> T {
        let end = Instant::now() + deadline;
        let mut inbox = self.inbox.subscribe();
        loop {
            let ended = {
                let inbox = inbox.borrow_and_update();
                if let Some(found) = find(&inbox) {
                    return found;
                }
                inbox.ended
            };
            assert!(!ended, "the connection ended before this came: {what}");
            if tokio::time::timeout_at(end, inbox.changed()).await.is_err() {
                panic!("not in time: {what}; what came: {}", self.tail());
            }
        }
    }

    /// The newest events, for a failure's text.
    fn tail(&self) -> String {
        let inbox = self.inbox.borrow();
        let newest = inbox.events.iter().rev().take(10).rev();
        newest.map(|event| format!("\n  {} {:.300}", event.name, event.payload.to_string())).collect()
    }
}

impl Inbox {
    /// Takes a Socket.IO packet in.
    fn take_in(&mut self, packet: &str) {
        let (kind, rest) = packet.split_at(1);
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (ack, json) = rest.split_at(digits);
        let payload = || serde_json::from_str::<Value>(json).unwrap_or(Value::Null);
        match kind {
            "0" => self.connected = Some(Ok(payload())),
            "4" => self.connected = Some(Err(payload())),
            "1" => self.disconnected = true,
            "2" => {
                let payload = payload();
                let name = payload[0].as_str().unwrap().to_owned();
                self.events.push(Received { name, payload: payload[1].clone(), taken: false });
            }
            "3" => {
                let ack = ack.parse().unwrap();
                self.answered.push(ack);
                self.events_before.insert(ack, self.events.len());
                let before = self.acks.insert(ack, payload()[0].clone());
                assert!(before.is_none(), "a command is answered once");
            }
            _ => panic!("an unexpected packet: {packet:.200}"),
        }
    }
}

/// Asserts that a command was refused with this code, in the documented form. Answers the error.
pub fn assert_refused(answer: &Value, code: &str) -> Value {
    assert_eq!(answer["ok"], false, "{answer}");
    let error = &answer["error"];
    assert_eq!(error["code"], code, "{answer}");
    assert!(error["message"].is_string() && error["retryable"].is_boolean(), "{answer}");
    error.clone()
}

/// A token of this user that is valid for an hour.
pub fn token(user: &str) -> String {
    sign(&json!({"sub": user, "exp": Clock::system().now_ms() / 1_000 + 3_600}), SECRET)
}

/// A token with these claims.
pub fn sign(claims: &Value, secret: &str) -> String {
    encode(&Header::default(), claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

fn payloads(inbox: &Inbox, name: &str) -> Vec<Value> {
    let named = inbox.events.iter().filter(|event| event.name == name);
    named.map(|event| event.payload.clone()).collect()
}

async fn read(
    mut stream: SplitStream<WebSocketStream<TcpStream>>,
    sink: Arc<Sink>,
    inbox: Arc<watch::Sender<Inbox>>,
) {
    while let Some(Ok(message)) = stream.next().await {
        let Message::Text(packet) = message else { continue };
        match packet.split_at(1) {
            ("2", _) => {
                let _ = sink.lock().await.send(Message::text("3")).await;
            }
            ("4", packet) => inbox.send_modify(|inbox| inbox.take_in(packet)),
            _ => {}
        }
    }
    inbox.send_modify(|inbox| inbox.ended = true);
}
