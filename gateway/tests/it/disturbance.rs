//! Everything at once: whatever happens between gateways and Redis, every member gets every message once and in
//! order, and a send that is repeated until it is acknowledged is one message.

#![cfg(test)]

use std::time::Duration;

use fred::{
    interfaces::{HashesInterface, LuaInterface, StreamsInterface},
    types::Value as Redis,
};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::Instant};

use crate::{
    app::{DEADLINE, Gateway, TestApp, id},
    client::Client,
    proxy::Proxy,
};

const CONVERSATIONS: [&str; 3] = ["c0", "c1", "c2"];
const MEMBERS: [&str; 3] = ["ann", "bob", "carl"];

/// What can happen.
#[derive(Debug, Clone, Copy)]
enum Disturbance {
    Deafen,
    Hear,
    Break,
    Cut,
    Freeze,
    /// The hot logs are gone, after all of them was persisted.
    Trim,
    /// The states too.
    Forget,
}

async fn disturb(app: &TestApp, way: &Proxy, what: Disturbance) {
    match what {
        Disturbance::Deafen => way.deafen_if_it_subscribes(),
        Disturbance::Hear => way.hear(),
        Disturbance::Break => way.break_if_it_subscribes(),
        Disturbance::Cut | Disturbance::Freeze => {
            if matches!(what, Disturbance::Cut) {
                way.cut();
            } else {
                way.freeze();
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
            way.mend();
        }
        Disturbance::Trim | Disturbance::Forget => {
            for conversation in CONVERSATIONS {
                app.drained(conversation).await;
                forget_if_persisted(app, conversation, matches!(what, Disturbance::Forget)).await;
            }
        }
    }
}

/// Does what the worker's settling and a key's end do, which never happen to what is not persisted.
async fn forget_if_persisted(app: &TestApp, conversation: &str, with_state: bool) {
    let (broker, id) = (&app.broker, id(conversation));
    let script = "if redis.call('XLEN', KEYS[1]) > 0 then return 0 end \
        redis.call('DEL', KEYS[2]) if ARGV[1] == '1' then redis.call('DEL', KEYS[3]) end return 1";
    let keys = broker.keys();
    let partition = keys.partitions().of(conversation);
    let names = vec![keys.ingest(partition), keys.log(&id), keys.state(&id)];
    let flag = if with_state { "1" } else { "0" };
    let _: i64 = broker.client().eval(script, names, vec![flag]).await.unwrap();
}

/// Repeats a send until it is acknowledged.
async fn send(client: &Client, conversation: &str, client_id: &str) -> Value {
    let message = json!({"conversationId": conversation, "content": "x", "clientId": client_id});
    let end = Instant::now() + DEADLINE * 2;
    loop {
        let answer = client.call("message:send", message.clone()).await;
        if answer["ok"] == true {
            return answer["message"].clone();
        }
        assert_eq!(answer["error"]["code"], "unavailable", "{answer}");
        assert!(Instant::now() < end, "not in time: a send is acknowledged");
    }
}

async fn talk(client: Client, name: String, until: Instant) -> (Client, Vec<Value>) {
    let mut sent = Vec::new();
    while Instant::now() < until {
        let conversation = CONVERSATIONS[sent.len() % CONVERSATIONS.len()];
        sent.push(send(&client, conversation, &format!("{name}-{}", sent.len())).await);
    }
    (client, sent)
}

async fn member(gateway: &Gateway, name: &str) -> Client {
    let client = Client::connect(gateway, name).await;
    for conversation in CONVERSATIONS {
        client.join(conversation).await;
    }
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_on_the_way_each_message_comes_once_and_in_order() {
    // Shown when it fails.
    let told = tracing_subscriber::EnvFilter::new("warn,parlance_gateway::fanout=debug");
    let _ = tracing_subscriber::fmt().with_env_filter(told).with_ansi(false).with_test_writer().try_init();
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let app = TestApp::new().await;
    let _worker = app.worker().await;
    let (mut gateways, mut ways) = (vec![app.gateway(&[]).await], Vec::new());
    for _ in 0..2 {
        let way = Proxy::before(&app.redis_url()).await;
        gateways.push(app.gateway(&[("redis.url", way.url()), ("gateway.compare_interval", "1s")]).await);
        ways.push(way);
    }
    for conversation in CONVERSATIONS {
        app.conversation(&gateways[0], conversation, &MEMBERS).await;
    }
    let (mut readers, mut talkers) = (Vec::new(), Vec::new());
    for (gateway, name) in gateways.iter().zip(MEMBERS) {
        readers.push(member(gateway, name).await);
        talkers.push((member(gateway, name).await, name));
    }
    let until = Instant::now() + Duration::from_secs(6);
    let mut talking = JoinSet::new();
    for (client, name) in talkers {
        talking.spawn(talk(client, name.to_owned(), until));
    }
    while Instant::now() < until {
        use Disturbance::{Break, Cut, Deafen, Forget, Freeze, Hear, Trim};
        let all = [Deafen, Hear, Hear, Break, Break, Cut, Freeze, Trim, Forget];
        let (way, what) = (ways.choose(&mut random).unwrap(), *all.choose(&mut random).unwrap());
        println!("{what:?}");
        disturb(&app, way, what).await;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..300))).await;
    }
    ways.iter().for_each(Proxy::hear);
    let talked = talking.join_all().await;
    for conversation in CONVERSATIONS {
        let mut said: Vec<&Value> = talked
            .iter()
            .flat_map(|(_, sent)| sent)
            .filter(|message| message["conversationId"] == conversation)
            .collect();
        said.sort_by_key(|message| message["offset"].as_u64());
        let seqs: Vec<_> = said.iter().map(|message| message["seq"].as_u64().unwrap()).collect();
        assert_eq!(seqs, (1..=said.len() as u64).collect::<Vec<_>>(), "no number is missing or given twice");
        for (gateway, reader) in readers.iter().enumerate() {
            let came = || -> Vec<Value> {
                let events = reader.events("message:created");
                events.into_iter().filter(|message| message["conversationId"] == conversation).collect()
            };
            let end = Instant::now() + DEADLINE * 2;
            while came().len() < said.len() && Instant::now() < end {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            assert_eq!(reader.events("resync"), Vec::<Value>::new(), "at gateway {gateway}");
            if let Err(difference) = same(&came(), &said) {
                let left = reader.events("conversation:left");
                let known = what_redis_knows(&app, conversation).await;
                panic!("reader of {conversation} at gateway {gateway}: {difference}; left {left:?}; {known}");
            }
        }
        // A sender gets what others said, his own other devices included.
        for (gateway, (client, sent)) in talked.iter().enumerate() {
            let others: Vec<&Value> =
                said.iter().copied().filter(|message| !sent.contains(message)).collect();
            let came: Vec<Value> = client
                .events("message:created")
                .into_iter()
                .filter(|message| message["conversationId"] == conversation)
                .collect();
            if let Err(difference) = same(&came, &others) {
                panic!("talker number {gateway} in {conversation}: {difference}");
            }
        }
    }
    app.end().await;
}

/// What was different first.
fn same(came: &[Value], expected: &[&Value]) -> Result<(), String> {
    let differ = came.iter().zip(expected).position(|(came, expected)| came != *expected);
    let at = differ.unwrap_or(came.len().min(expected.len()));
    let (count, wanted) = (came.len(), expected.len());
    if count == wanted && differ.is_none() {
        return Ok(());
    }
    let (came, expected) = (came.get(at), expected.get(at));
    Err(format!("{count} of {wanted}; at {at} came {came:?} for {expected:?}"))
}

/// For whoever has to find out why something is missing.
async fn what_redis_knows(app: &TestApp, conversation: &str) -> String {
    let (broker, id) = (&app.broker, id(conversation));
    let (client, keys) = (broker.client(), broker.keys());
    let partition = keys.partitions().of(conversation);
    let state: Redis = client.hgetall(keys.state(&id)).await.unwrap();
    let logged: u64 = client.xlen(keys.log(&id)).await.unwrap();
    let waiting: u64 = client.xlen(keys.ingest(partition)).await.unwrap();
    let subscriptions = app.subscriptions(conversation).await;
    format!(
        "partition {}: {waiting} entries wait; log of {logged}; {subscriptions} subscriptions; state {state:?}",
        partition.0
    )
}
