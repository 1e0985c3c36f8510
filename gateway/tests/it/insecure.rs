//! Dialects whose clients need no token: those and no others.

#![cfg(test)]

use parlance_chassis::{
    clock::Clock,
    config::{Environment, Sources},
    lifecycle::Lifecycle,
};
use parlance_gateway::{config::Config, server};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    app::{Gateway, SECRET, TestApp},
    client::{Client, sign, token},
    dialect::Folder,
    wire::client::{Ws, http},
};

const PATH: &str = "/socket.io/?EIO=4&transport=websocket";
const TOY: &str = r#"
name = "toy"
[handshake]
user = ["auth.who", "query.uid"]
[answer]
ack = { ok = true }
[[inbound]]
event = "ping"
command = "ping"
[[inbound]]
event = "authenticate"
command = "session.authenticate"
fields.token = "token"
[failure]
ack = { ok = false, code = "{code}" }
[[outbound]]
on = "session.ready"
event = "ready"
payload = { userId = "{userId}", role = "{user.role?}" }
"#;

async fn installation() -> (TestApp, Folder, Gateway) {
    let app = TestApp::new().await;
    let folder = Folder::with(&[("toy.toml", TOY), ("other.toml", &TOY.replace("toy", "other"))]);
    let gateway = app.gateway(&[folder.setting(), ("auth.insecure_dialects", "toy")]).await;
    (app, folder, gateway)
}

async fn connect(gateway: &Gateway, query: &str, auth: Value) -> Result<Client, String> {
    let refused = |error: Value| error["message"].as_str().unwrap().to_owned();
    Client::try_connect(gateway, &format!("{PATH}{query}"), "", auth).await.map_err(refused)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_no_token_is_who_he_says_he_is() {
    let (app, _folder, gateway) = installation().await;
    for (query, auth, user) in [
        ("", json!({"who": "ann"}), "ann"),
        ("", json!({"who": 7}), "7"),
        ("&uid=bob", Value::Null, "bob"),
        ("&uid=bob", json!({"who": "ann"}), "ann"),
        ("&uid=bob", json!({"who": ["ann"]}), "bob"),
    ] {
        let client = connect(&gateway, &format!("&dialect=toy{query}"), auth).await.unwrap();
        assert_eq!(client.event("ready").await["userId"], user);
    }
    for (query, auth) in [
        ("", Value::Null),
        ("", json!({"userId": "ann"})),
        ("&uid=", json!({"who": ""})),
        ("", json!({"who": "x".repeat(200)})),
    ] {
        let refused = connect(&gateway, &format!("&dialect=toy{query}"), auth.clone()).await.err();
        assert_eq!(refused.as_deref(), Some("token_missing"), "{auth}");
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_there_counts_and_a_bad_one_is_refused() {
    let (app, _folder, gateway) = installation().await;
    let auth = json!({"who": "eve", "token": token("ann")});
    let client = connect(&gateway, "&dialect=toy", auth).await.unwrap();
    assert_eq!(client.event("ready").await["userId"], "ann");
    let forged =
        sign(&json!({"sub": "ann", "exp": 4_102_444_800_i64}), "another secret, of enough bytes too");
    for (bad, code) in [
        ("nonsense".to_owned(), "token_malformed"),
        (forged, "token_invalid"),
        (sign(&json!({"sub": "ann", "exp": 1}), SECRET), "token_expired"),
    ] {
        let refused = connect(&gateway, "&dialect=toy", json!({"who": "ann", "token": bad})).await.err();
        assert_eq!(refused.as_deref(), Some(code));
    }
    let claimed = connect(&gateway, "&dialect=toy", json!({"who": "ann"})).await.unwrap();
    let answer = claimed.call("authenticate", json!({"token": token("bob")})).await;
    assert_eq!(answer["code"], "forbidden", "{answer}");
    assert_eq!(claimed.call("authenticate", json!({"token": token("ann")})).await["ok"], true);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_other_dialects_and_rest_stay_secure() {
    let (app, _folder, gateway) = installation().await;
    for dialect in ["native", "other"] {
        let query = format!("&dialect={dialect}&userId=ann&uid=ann");
        let refused = connect(&gateway, &query, json!({"userId": "ann", "who": "ann"})).await.err();
        assert_eq!(refused.as_deref(), Some("token_missing"), "{dialect}");
    }
    let path = "/v1/conversations";
    assert_eq!(http(&gateway.address, "GET", path, "", "").await.status, 401);
    assert_eq!(gateway.metric("parlance_insecure_dialects{dialect=\"toy\"}").await, 1.0);
    assert_eq!(gateway.metric("parlance_insecure_dialects{dialect=\"other\"}").await, 0.0);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guard_before_a_dialects_own_path_is_not_got_past() {
    let app = TestApp::new().await;
    let on =
        |name: &str, places: &str| TOY.replace("name = \"toy\"", &format!("name = \"{name}\"\n{places}"));
    let folder = Folder::with(&[
        ("pathy.toml", &on("pathy", "paths = [\"/old/io\"]")),
        ("hosty.toml", &on("hosty", "hosts = [\"Old.example.com\"]")),
    ]);
    let settings = [folder.setting(), ("auth.insecure_dialects", "pathy,hosty")];
    let gateway = app.gateway(&settings).await;
    let old = "host: old.example.com:8080";
    for (path, headers, namespace, is_believed) in [
        ("/old/io/", "", "", true),
        ("/old/io/", "", "/pathy,", true),
        ("/socket.io/", "", "/pathy,", false),
        ("/socket.io/?dialect=pathy", "", "", false),
        ("/socket.io/?dialect=pathy", old, "", false),
        ("/socket.io/", old, "", true),
        ("/socket.io/", old, "/hosty,", true),
        ("/socket.io/", "", "/hosty,", false),
        ("/socket.io/?dialect=hosty", "", "", false),
        ("/old/io/?dialect=hosty", "", "", false),
    ] {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let url = format!("{path}?EIO=4&transport=websocket&{query}");
        let mut ws = Ws::open(&gateway.address, &url, headers).await.unwrap();
        assert!(ws.next().await.unwrap().starts_with("0{"));
        ws.send(&format!("40{namespace}{}", json!({"who": "ann"}))).await;
        let answer = ws.next().await.unwrap();
        let expected = if is_believed {
            format!("40{namespace}{{")
        } else {
            format!("44{namespace}{{\"message\":\"token_missing\"}}")
        };
        assert!(answer.starts_with(&expected), "{url} {headers} {namespace}: {answer}");
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_gets_a_role_by_saying_who_he_is() {
    let (app, _folder, gateway) = installation().await;
    let (status, _) = gateway.rest("PUT", "/v1/users/root", json!({"name": "Root", "role": "admin"})).await;
    assert_eq!(status, 201);
    let claimed = connect(&gateway, "&dialect=toy", json!({"who": "root"})).await.unwrap();
    let ready = claimed.event("ready").await;
    assert_eq!((&ready["userId"], ready.get("role")), (&json!("root"), None), "{ready}");
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dialect_that_there_is_not_is_a_mistake_at_start() {
    let app = TestApp::new().await;
    let (redis, database) = (app.redis_url(), app.database_url());
    let pairs = [
        ("REDIS_URL", &*redis),
        ("DATABASE_URL", &database),
        ("JWT_SECRET", SECRET),
        ("PARLANCE__AUTH__INSECURE_DIALECTS", "native,tpyo"),
    ];
    let config = Config::from_sources(&Sources::new(None, Environment::from_pairs(pairs))).unwrap();
    let lifecycle = Lifecycle::without_signals();
    let listener = async || TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (public, admin) = (listener().await, listener().await);
    let started = server::start(config, Clock::system(), public, admin, &lifecycle.handle()).await;
    let error = started.expect_err("it does not start");
    assert_eq!(error.to_string(), "auth.insecure_dialects: there is no dialect tpyo");
    assert_eq!(error.exit_code(), 64);
    lifecycle.handle().stop_now();
    app.end().await;
}
