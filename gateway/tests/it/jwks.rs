//! Published keys: fetched, replaced, and kept while nobody answers.

#![cfg(test)]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Router, http::StatusCode, routing::get};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use parlance_chassis::clock::Clock;
use pkcs1::der::Decode;
use serde_json::{Value, json};
use spki::{Document, SubjectPublicKeyInfoRef};
use tokio::{net::TcpListener, task::JoinSet};

use crate::{
    app::{Gateway, TestApp, eventually},
    client::Client,
};

const PATH: &str = "/socket.io/?EIO=4&transport=websocket";
const RSA: &[u8] = include_bytes!("../keys/rsa.der");
const RSA_OTHER: &[u8] = include_bytes!("../keys/rsa_other.der");
const P256: &[u8] = include_bytes!("../keys/p256.der");
const ED25519: &[u8] = include_bytes!("../keys/ed25519.der");

/// Where keys are published.
struct Publisher {
    url: String,
    asked: Arc<AtomicUsize>,
    answer: Arc<Mutex<(StatusCode, String)>>,
    _serving: JoinSet<()>,
}

impl Publisher {
    async fn of(keys: &[Value]) -> Self {
        let (asked, answer) =
            (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new((StatusCode::OK, String::new()))));
        let (counter, told) = (asked.clone(), answer.clone());
        let keys_of = get(async move || {
            counter.fetch_add(1, Ordering::SeqCst);
            told.lock().unwrap().clone()
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys.json", listener.local_addr().unwrap());
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            axum::serve(listener, Router::new().route("/keys.json", keys_of)).await.unwrap();
        });
        let publisher = Self { url, asked, answer, _serving: serving };
        publisher.publish(keys);
        publisher
    }

    fn publish(&self, keys: &[Value]) {
        *self.answer.lock().unwrap() = (StatusCode::OK, json!({"keys": keys}).to_string());
    }

    fn fail(&self) {
        *self.answer.lock().unwrap() = (StatusCode::INTERNAL_SERVER_ERROR, "sorry".to_owned());
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// A public key as it is published.
fn jwk(pem: &str, id: &str) -> Value {
    let (_, document) = Document::from_pem(pem).unwrap();
    let info = SubjectPublicKeyInfoRef::from_der(document.as_bytes()).unwrap();
    let bytes = info.subject_public_key.as_bytes().unwrap();
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    match bytes.len() {
        32 => json!({"kty": "OKP", "crv": "Ed25519", "x": text(bytes), "kid": id, "use": "sig"}),
        65 => {
            json!({"kty": "EC", "crv": "P-256", "x": text(&bytes[1..33]), "y": text(&bytes[33..]), "kid": id, "alg": "ES256"})
        }
        _ => {
            let key = pkcs1::RsaPublicKey::from_der(bytes).unwrap();
            let (n, e) = (text(key.modulus.as_bytes()), text(key.public_exponent.as_bytes()));
            json!({"kty": "RSA", "n": n, "e": e, "kid": id, "use": "sig", "alg": "RS256"})
        }
    }
}

fn rsa(id: &str) -> Value {
    jwk(include_str!("../keys/rsa.pub.pem"), id)
}

fn rsa_other(id: &str) -> Value {
    jwk(include_str!("../keys/rsa_other.pub.pem"), id)
}

fn token(algorithm: Algorithm, key: &EncodingKey, id: Option<&str>) -> String {
    let header = Header { kid: id.map(str::to_owned), ..Header::new(algorithm) };
    let claims = json!({"sub": "ann", "exp": Clock::system().now_ms() / 1_000 + 600});
    encode(&header, &claims, key).unwrap()
}

fn by_rsa(id: &str) -> String {
    token(Algorithm::RS256, &EncodingKey::from_rsa_der(RSA), Some(id))
}

fn by_other(id: &str) -> String {
    token(Algorithm::RS256, &EncodingKey::from_rsa_der(RSA_OTHER), Some(id))
}

async fn gateway(app: &TestApp, url: &str) -> Gateway {
    app.gateway(&[("auth.jwks_url", url), ("auth.algorithms", "HS256,RS256,ES256,EdDSA")]).await
}

/// `ok`, or the code of the refusal.
async fn connect(gateway: &Gateway, token: &str) -> String {
    match Client::try_connect(gateway, PATH, "", json!({"token": token})).await {
        Ok(client) => {
            assert_eq!(client.event("session:ready").await["userId"], "ann");
            "ok".to_owned()
        }
        Err(refused) => refused["message"].as_str().unwrap().to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_verified_with_the_published_key_that_they_name() {
    let app = TestApp::new().await;
    let keys = [
        rsa("r"),
        jwk(include_str!("../keys/p256.pub.pem"), "p"),
        jwk(include_str!("../keys/ed25519.pub.pem"), "e"),
        json!({"kty": "RSA", "use": "enc", "kid": "not to sign with", "n": rsa_other("x")["n"], "e": "AQAB"}),
    ];
    let publisher = Publisher::of(&keys).await;
    let gateway = gateway(&app, &publisher.url).await;
    eventually("it has keys", async || gateway.is_ready().await.then_some(())).await;
    let (p256, ed25519) = (EncodingKey::from_ec_der(P256), EncodingKey::from_ed_der(ED25519));
    assert_eq!(connect(&gateway, &by_rsa("r")).await, "ok");
    assert_eq!(connect(&gateway, &token(Algorithm::ES256, &p256, Some("p"))).await, "ok");
    assert_eq!(connect(&gateway, &token(Algorithm::EdDSA, &ed25519, Some("e"))).await, "ok");
    assert_eq!(connect(&gateway, &token(Algorithm::EdDSA, &ed25519, None)).await, "ok", "it names none");
    assert_eq!(connect(&gateway, &crate::client::token("ann")).await, "ok", "the secret counts as well");
    for wrong in [
        token(Algorithm::ES256, &p256, Some("r")),
        by_other("r"),
        by_other("not to sign with"),
        by_rsa("../r"),
        token(Algorithm::RS256, &EncodingKey::from_rsa_der(RSA_OTHER), None),
        crate::client::sign(
            &json!({"sub": "ann", "exp": Clock::system().now_ms() / 1_000 + 600}),
            include_str!("../keys/rsa.pub.pem"),
        ),
    ] {
        assert_eq!(connect(&gateway, &wrong).await, "token_invalid");
    }
    assert_eq!(gateway.metric("parlance_jwks_keys").await, 3.0);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_key_is_found_by_its_name_and_made_up_names_do_not_hammer_the_publisher() {
    let app = TestApp::new().await;
    let publisher = Publisher::of(&[rsa("first")]).await;
    let gateway = gateway(&app, &publisher.url).await;
    eventually("it has keys", async || gateway.is_ready().await.then_some(())).await;
    publisher.publish(&[rsa("first"), rsa_other("second")]);
    let began = Instant::now();
    let mut tries = 0;
    eventually("the new key is known", async || {
        (connect(&gateway, &by_other("second")).await == "ok").then_some(())
    })
    .await;
    assert_eq!(connect(&gateway, &by_rsa("first")).await, "ok");
    while began.elapsed() < Duration::from_secs(7) {
        assert_eq!(connect(&gateway, &by_rsa(&format!("made up {tries}"))).await, "token_invalid");
        tries += 1;
    }
    let allowed = 2 + usize::try_from(began.elapsed().as_secs() / 5).unwrap();
    assert!(publisher.asked() <= allowed && tries > allowed, "{tries} tries, {} requests", publisher.asked());
    // What is not published any more counts no more, once it was seen.
    publisher.publish(&[rsa_other("second")]);
    eventually("the old key is forgotten", async || {
        connect(&gateway, &by_rsa("made up again")).await;
        (connect(&gateway, &by_rsa("first")).await == "token_invalid").then_some(())
    })
    .await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_without_keys_is_not_ready_and_refuses_as_unavailable_until_it_has_some() {
    let app = TestApp::new().await;
    let publisher = Publisher::of(&[rsa("r")]).await;
    publisher.fail();
    let gateway = gateway(&app, &publisher.url).await;
    // Refused as unavailable: it comes back by itself.
    assert_eq!(connect(&gateway, &by_rsa("r")).await, "transport close");
    assert!(!gateway.is_ready().await);
    assert_eq!(connect(&gateway, &crate::client::token("ann")).await, "ok", "the secret is known");
    publisher.publish(&[rsa("r")]);
    eventually("it has keys", async || gateway.is_ready().await.then_some(())).await;
    assert_eq!(connect(&gateway, &by_rsa("r")).await, "ok");
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_publisher_fails_the_known_keys_stay_in_use() {
    let app = TestApp::new().await;
    let publisher = Publisher::of(&[rsa("r")]).await;
    let gateway = gateway(&app, &publisher.url).await;
    eventually("it has keys", async || gateway.is_ready().await.then_some(())).await;
    for answer in
        ["no", "{\"keys\":[]}", "{\"keys\":7}", &format!("{{\"keys\":[],\"x\":\"{}\"}}", "x".repeat(300_000))]
    {
        let failed = async || gateway.metric("parlance_jwks_fetches_total{result=\"failed\"}").await;
        let before = failed().await;
        if answer == "no" {
            publisher.fail();
        } else {
            *publisher.answer.lock().unwrap() = (StatusCode::OK, answer.to_owned());
        }
        eventually("it was asked and has failed", async || {
            connect(&gateway, &by_rsa("unknown")).await;
            (failed().await > before).then_some(())
        })
        .await;
        assert_eq!(
            connect(&gateway, &by_rsa("unknown")).await,
            "transport close",
            "it may have come to be known"
        );
        assert_eq!(connect(&gateway, &by_rsa("r")).await, "ok");
        assert!(gateway.is_ready().await);
    }
    app.end().await;
}
