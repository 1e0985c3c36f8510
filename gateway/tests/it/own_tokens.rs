//! Dialects whose tokens are their own: other claims, other keys; and what is no token at all.

#![cfg(test)]

use parlance_chassis::clock::Clock;
use serde_json::{Value, json};

use crate::{
    app::{Gateway, SECRET, TestApp},
    client::{Client, assert_refused, sign, token},
    dialect::Folder,
    wire::client::http,
};

const PATH: &str = "/socket.io/?EIO=4&transport=websocket";
const OWN_SECRET: &str = "the secret of another application";

const REST_OF_IT: &str = r#"
[answer]
ack = { ok = true, "..." = "{$}" }

[failure]
ack = { ok = false, error = { "..." = "{$}" } }

[[inbound]]
event = "authenticate"
command = "session.authenticate"
fields.token = "token"

[[inbound]]
event = "ping"
command = "ping"

[[outbound]]
on = "session.ready"
event = "ready"
payload.user = "{user}"
"#;

fn dialect(name: &str, more: &str) -> String {
    format!("name = \"{name}\"\n{more}\n{REST_OF_IT}")
}

/// `own` has a key and claims of its own, `claims` only claims, `worded` words for what is not valid, and `paced` is slow.
async fn installation() -> (TestApp, Folder, Gateway) {
    let app = TestApp::new().await;
    let own = "[handshake]\nsecret_files = [\"own.key\"]\n\
               claims = { user = [\"account.id\"], name = [\"label\"], role = [\"kind\"] }";
    let claims = "[handshake.claims]\nuser = [\"account.id\"]";
    let worded = "[refusals]\ntoken_invalid = \"No good\"\nother = \"Other\"";
    let paced = "[quotas]\n\"*\" = \"3/h\"";
    let folder = Folder::with(&[
        ("own.key", &format!("{OWN_SECRET}\n")),
        ("own.toml", &dialect("own", own)),
        ("claims.toml", &dialect("claims", claims)),
        ("worded.toml", &dialect("worded", worded)),
        ("paced.toml", &dialect("paced", paced)),
    ]);
    let gateway = app.gateway(&[folder.setting()]).await;
    (app, folder, gateway)
}

async fn connect(gateway: &Gateway, dialect: &str, token: &str) -> Result<Client, String> {
    let refused = |error: Value| error["message"].as_str().unwrap().to_owned();
    let path = format!("{PATH}&dialect={dialect}");
    Client::try_connect(gateway, &path, "", json!({"token": token})).await.map_err(refused)
}

fn signed(mut claims: Value, secret: &str) -> String {
    claims["exp"] = json!(Clock::system().now_ms() / 1_000 + 600);
    sign(&claims, secret)
}

fn own_token(user: &str) -> String {
    signed(
        json!({"account": {"id": user}, "label": "Ann", "kind": "nurse", "sub": "somebody else"}),
        OWN_SECRET,
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dialects_own_tokens_are_good_there_and_nowhere_else_and_no_others_are() {
    let (app, _folder, gateway) = installation().await;
    let own = own_token("ann");
    let client = connect(&gateway, "own", &own).await.unwrap();
    let user = client.event("ready").await["user"].clone();
    assert_eq!(user, json!({"id": "ann", "name": "Ann", "role": "nurse"}));
    for dialect in ["native", "claims", "paced"] {
        assert_eq!(
            connect(&gateway, dialect, &own).await.err().as_deref(),
            Some("token_invalid"),
            "{dialect}"
        );
    }
    let header = format!("Authorization: Bearer {own}\r\n");
    assert_eq!(http(&gateway.address, "GET", "/v1/conversations", &header, "").await.status, 401);
    // The gateway's own key is none of this dialect's, whatever the claims are.
    for claims in [json!({"sub": "ann"}), json!({"account": {"id": "ann"}})] {
        let refused = connect(&gateway, "own", &signed(claims, SECRET)).await.err();
        assert_eq!(refused.as_deref(), Some("token_invalid"));
    }
    // Nor are the gateway's claims: the user is where this dialect says.
    let refused = connect(&gateway, "own", &signed(json!({"sub": "ann"}), OWN_SECRET)).await.err();
    assert_eq!(refused.as_deref(), Some("token_invalid"));
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_renewed_with_tokens_of_its_own_dialect() {
    let (app, _folder, gateway) = installation().await;
    let client = connect(&gateway, "own", &own_token("ann")).await.unwrap();
    let renewed = client.call("authenticate", json!({"token": own_token("ann")})).await;
    assert_eq!(renewed["ok"], true, "{renewed}");
    for (other, code) in [(token("ann"), "token_invalid"), (own_token("bob"), "forbidden")] {
        assert_refused(&client.call("authenticate", json!({"token": other})).await, code);
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_of_a_dialects_own_are_read_from_the_gateways_tokens() {
    let (app, _folder, gateway) = installation().await;
    let both = signed(json!({"account": {"id": "ann"}, "sub": "bob", "name": "Ann"}), SECRET);
    for (dialect, user) in [("claims", "ann"), ("paced", "bob")] {
        let client = connect(&gateway, dialect, &both).await.unwrap();
        let ready = client.event("ready").await;
        // What it does not name is as it is for everybody.
        assert_eq!((&ready["user"]["id"], &ready["user"]["name"]), (&json!(user), &json!("Ann")));
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_token_at_all_has_a_code_of_its_own() {
    let (app, _folder, gateway) = installation().await;
    for malformed in ["nonsense", "a.b", "a.b.c", "a.b.c.d", "e30.e30.e30", "eyJhbGciOjF9.e30.e30"] {
        let refused = connect(&gateway, "native", malformed).await.err();
        assert_eq!(refused.as_deref(), Some("token_malformed"), "{malformed}");
        // Who does not tell it apart has words for it all the same.
        let refused = connect(&gateway, "worded", malformed).await.err();
        assert_eq!(refused.as_deref(), Some("No good"), "{malformed}");
    }
    let header = "Authorization: Bearer nonsense\r\n";
    let answer = http(&gateway.address, "GET", "/v1/conversations", header, "").await;
    assert_eq!(answer.status, 401);
    assert!(answer.body.contains("\"token_malformed\""), "{}", answer.body);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_is_as_fast_as_its_dialect_lets_it_be() {
    let (app, _folder, gateway) = installation().await;
    let slow = connect(&gateway, "paced", &token("ann")).await.unwrap();
    for _ in 0..3 {
        assert_eq!(slow.call("ping", json!({})).await["ok"], true);
    }
    let error = assert_refused(&slow.call("ping", json!({})).await, "rate_limited");
    assert!(error["retryAfterMs"].as_u64().is_some_and(|wait| wait > 60_000), "{error}");
    // Each socket has its own pace, and sockets of another dialect the gateway's.
    let second = connect(&gateway, "paced", &token("ann")).await.unwrap();
    assert_eq!(second.call("ping", json!({})).await["ok"], true);
    let other =
        connect(&gateway, "claims", &signed(json!({"account": {"id": "ann"}}), SECRET)).await.unwrap();
    for _ in 0..10 {
        assert_eq!(other.call("ping", json!({})).await["ok"], true);
    }
    app.end().await;
}
