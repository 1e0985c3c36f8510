//! A set of keys as it is published (RFC 7517): which of them can be used, and how. The others are passed over, as the
//! RFC says (section 5): they may be for somebody else.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value};

use crate::auth::keys::{
    Algorithm, Family,
    key::{Demands, Key, is_usable},
    pem::{ED25519_BYTES, LEAST_RSA_BYTES, MOST_RSA_BYTES},
};

/// How many keys are looked at.
const MOST_KEYS: usize = 64;
/// The longest name of a key, in bytes.
const MOST_ID_BYTES: usize = 512;
/// A coordinate of P-256, in bytes.
const P256_BYTES: usize = 32;
/// The longest exponent of an RSA key, in bytes.
const MOST_EXPONENT_BYTES: usize = 4;

/// Why a document is no set of keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadDocument {
    /// It is another thing.
    #[error("the answer is no JSON object with a list of keys")]
    NoSet,
    /// None of its keys can be used.
    #[error("none of the {0} keys can be used with auth.algorithms")]
    NoKey(usize),
}

/// The keys that can be used; at least one.
pub(super) fn keys(document: &[u8], demands: &Demands) -> Result<Vec<Key>, BadDocument> {
    let mut set: Map<String, Value> = serde_json::from_slice(document).map_err(|_| BadDocument::NoSet)?;
    let Some(Value::Array(published)) = set.remove("keys") else { return Err(BadDocument::NoSet) };
    if published.len() > MOST_KEYS {
        tracing::warn!(keys = published.len(), "more keys are published than are looked at: the first 64");
    }
    let usable: Vec<Key> =
        published.iter().take(MOST_KEYS).filter_map(|jwk| key(jwk.as_object()?, demands)).collect();
    if usable.is_empty() { Err(BadDocument::NoKey(published.len())) } else { Ok(usable) }
}

fn key(jwk: &Map<String, Value>, demands: &Demands) -> Option<Key> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let is_to_verify = |operations: &Value| {
        operations.as_array().is_some_and(|all| all.iter().any(|operation| operation == "verify"))
    };
    if jwk.get("use").is_some_and(|purpose| purpose != "sig") || !jwk.get("key_ops").is_none_or(is_to_verify)
    {
        return None;
    }
    let (family, decoding) = match text("kty")? {
        "RSA" => (Family::Rsa, rsa(&bytes(jwk, "n")?, &bytes(jwk, "e")?)?),
        "EC" if text("crv") == Some("P-256") => (Family::P256, p256(&bytes(jwk, "x")?, &bytes(jwk, "y")?)?),
        "OKP" if text("crv") == Some("Ed25519") => (Family::Ed25519, ed25519(&bytes(jwk, "x")?)?),
        _ => return None,
    };
    let mut algorithms = demands.algorithms(family);
    if let Some(only) = jwk.get("alg") {
        algorithms.retain(|algorithm| only == algorithm.word());
    }
    let id = match jwk.get("kid") {
        None | Some(Value::Null) => None,
        Some(Value::String(id)) if id.len() <= MOST_ID_BYTES => Some(id.clone()),
        Some(_) => return None,
    };
    (!algorithms.is_empty()).then(|| Key::new(id, algorithms, decoding, demands))
}

fn bytes(jwk: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(jwk.get(name)?.as_str()?.trim_end_matches('=')).ok()
}

fn rsa(modulus: &[u8], exponent: &[u8]) -> Option<DecodingKey> {
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    let modulus = modulus.get(zeros..)?;
    let fits = (LEAST_RSA_BYTES..=MOST_RSA_BYTES).contains(&modulus.len())
        && (1..=MOST_EXPONENT_BYTES).contains(&exponent.len());
    fits.then(|| DecodingKey::from_rsa_raw_components(modulus, exponent))
}

fn p256(x: &[u8], y: &[u8]) -> Option<DecodingKey> {
    if x.len() != P256_BYTES || y.len() != P256_BYTES {
        return None;
    }
    // An uncompressed point (SEC 1, 2.3.3).
    let point = [&[4], x, y].concat();
    Some(DecodingKey::from_ec_der(&point)).filter(|key| is_usable(key, Algorithm::Es256))
}

/// The library does not survive a shorter one.
fn ed25519(x: &[u8]) -> Option<DecodingKey> {
    let key = (x.len() == ED25519_BYTES).then(|| DecodingKey::from_ed_der(x));
    key.filter(|key| is_usable(key, Algorithm::EdDsa))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::auth::keys::key::tests::demands;

    fn text(bytes: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The number of keys that can be used.
    fn usable(keys: &Value) -> Result<usize, BadDocument> {
        let document = json!({"keys": keys}).to_string();
        super::keys(document.as_bytes(), &demands()).map(|keys| keys.len())
    }

    fn rsa_key(more: Value) -> Value {
        with(json!({"kty": "RSA", "n": text(&[0xC5; 256]), "e": "AQAB"}), more)
    }

    fn with(mut key: Value, more: Value) -> Value {
        let (Value::Object(key_fields), Value::Object(more)) = (&mut key, more) else { panic!("objects") };
        key_fields.extend(more);
        key
    }

    #[test]
    fn a_key_is_used_for_what_it_is_published_for() {
        assert_eq!(usable(&json!([rsa_key(json!({}))])), Ok(1));
        assert_eq!(usable(&json!([rsa_key(json!({"use": "sig", "alg": "RS256", "kid": "a"}))])), Ok(1));
        assert_eq!(usable(&json!([rsa_key(json!({"key_ops": ["verify"], "kid": null}))])), Ok(1));
        for unfit in [
            json!({"use": "enc"}),
            json!({"use": 7}),
            json!({"key_ops": ["encrypt"]}),
            json!({"key_ops": "verify"}),
            json!({"alg": "RS512"}),
            json!({"alg": "HS256"}),
            json!({"alg": "ES256"}),
            json!({"kid": 7}),
            json!({"kid": "x".repeat(513)}),
        ] {
            let beside_another = json!([rsa_key(unfit.clone()), rsa_key(json!({}))]);
            assert_eq!(usable(&beside_another), Ok(1), "{unfit}");
        }
    }

    #[test]
    fn a_key_that_cannot_verify_is_passed_over() {
        let (short, long) = (text(&[0xC5; 128]), text(&[0xC5; 513]));
        let padded = text(&[&[0; 100][..], &[0xC5; 200]].concat());
        for broken in [
            json!({"kty": "RSA", "n": short, "e": "AQAB"}),
            json!({"kty": "RSA", "n": long, "e": "AQAB"}),
            json!({"kty": "RSA", "n": padded, "e": "AQAB"}),
            json!({"kty": "RSA", "n": text(&[0xC5; 256]), "e": ""}),
            json!({"kty": "RSA", "n": text(&[0xC5; 256]), "e": "AQABAQAB"}),
            json!({"kty": "RSA", "n": "!", "e": "AQAB"}),
            json!({"kty": "RSA"}),
            json!({"kty": "EC", "crv": "P-256", "x": text(&[1; 32]), "y": text(&[1; 32])}),
            json!({"kty": "EC", "crv": "P-256", "x": text(&[1; 31]), "y": text(&[1; 33])}),
            json!({"kty": "EC", "crv": "P-384", "x": text(&[1; 48]), "y": text(&[1; 48])}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": text(&[1; 31])}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": ""}),
            json!({"kty": "OKP", "crv": "Ed448", "x": text(&[1; 57])}),
            json!({"kty": "oct", "k": text(b"a secret that everybody can read")}),
            json!({"kty": 7}),
            json!("RSA"),
        ] {
            assert_eq!(usable(&json!([broken])), Err(BadDocument::NoKey(1)), "{broken}");
        }
    }

    #[test]
    fn what_is_no_set_is_refused_and_a_long_one_cut() {
        for text in ["", "[]", "{}", "{\"keys\":{}}", "{\"keys\":7}", "<html>"] {
            let outcome = super::keys(text.as_bytes(), &demands()).map(|keys| keys.len());
            assert_eq!(outcome, Err(BadDocument::NoSet), "{text}");
        }
        let deep = format!("{{\"keys\":{}", "[".repeat(100_000));
        assert!(super::keys(deep.as_bytes(), &demands()).is_err());
        assert_eq!(usable(&json!([])), Err(BadDocument::NoKey(0)));
        assert_eq!(usable(&json!(vec![rsa_key(json!({})); 100])), Ok(MOST_KEYS));
    }
}
