//! What strangers make of tokens.

use super::*;

/// A token with this header and payload as they are, signed with the right secret.
fn raw(header: &str, payload: &str) -> String {
    let signing = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let signature = jsonwebtoken::crypto::sign(signing.as_bytes(), &key, Jose::HS256).unwrap();
    format!("{signing}.{signature}")
}

fn plain(header: &str) -> String {
    raw(header, &json!({"sub": "ann", "exp": NOW + 60}).to_string())
}

fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

/// Those that have not even the form of a token.
const MALFORMED: &[&str] = &[
    "alg is no text",
    "no alg",
    "header is no object",
    "deep header",
    "four parts",
    "two parts",
    "five parts, as encrypted tokens have them",
    "other letters",
];

#[test]
fn a_token_that_was_tampered_with_is_refused_and_harms_nothing() {
    const HS256: &str = r#"{"alg":"HS256"}"#;
    let deep = nested(2_500);
    let inner = |claim: &str| format!(r#"{{"sub":"ann","exp":{},"x":{claim}}}"#, NOW + 60);
    for (name, token) in [
        ("alg none", plain(r#"{"alg":"none"}"#)),
        ("alg of another family", plain(r#"{"alg":"RS256"}"#)),
        ("alg twice", plain(r#"{"alg":"HS256","alg":"none"}"#)),
        ("alg is no text", plain(r#"{"alg":256}"#)),
        ("no alg", plain("{}")),
        ("header is no object", plain("[]")),
        ("kid is no text", plain(r#"{"alg":"HS256","kid":{"a":1}}"#)),
        ("crit", plain(r#"{"alg":"HS256","crit":["exp"]}"#)),
        ("deep header", plain(&format!(r#"{{"alg":"HS256","x":{deep}}}"#))),
        ("deep payload", raw(HS256, &inner(&deep))),
        ("deep payload that never ends", raw(HS256, &inner(&"[".repeat(5_000)))),
        ("payload is a list", raw(HS256, "[]")),
        ("payload is no JSON", raw(HS256, "sub")),
        ("payload is empty", raw(HS256, "")),
        ("more behind the payload", raw(HS256, &(inner("1") + "{}"))),
        ("huge", raw(HS256, &inner(&json!("x".repeat(9_000)).to_string()))),
        ("four parts", plain(HS256) + ".x"),
        ("two parts", plain(HS256).rsplit_once('.').unwrap().0.to_owned()),
        ("five parts, as encrypted tokens have them", "a.b.c.d.e".to_owned()),
        ("padding", plain(HS256) + "="),
        ("other letters", plain(HS256).replace('.', "\u{2024}")),
    ] {
        let code = if MALFORMED.contains(&name) { Code::TokenMalformed } else { Code::TokenInvalid };
        assert_eq!(verify_with(&[], &token), Err(code), "{name}");
    }
}

#[test]
fn nesting_deeper_than_a_token_can_be_long_is_not_even_read() {
    let token = raw(r#"{"alg":"HS256"}"#, &format!(r#"{{"sub":"ann","x":{}}}"#, nested(10_000)));
    assert!(token.len() > MAX_TOKEN_BYTES);
    assert_eq!(verify_with(&[], &token), Err(Code::TokenInvalid));
}

#[test]
fn where_a_token_says_that_its_key_is_found_is_not_looked_at() {
    let forger = "the forger's own secret of enough bytes";
    let k = URL_SAFE_NO_PAD.encode(forger);
    for header in [
        json!({"alg": "HS256", "jku": "http://127.0.0.1:9/keys"}),
        json!({"alg": "HS256", "x5u": "http://127.0.0.1:9/certificate"}),
        json!({"alg": "HS256", "jwk": {"kty": "oct", "k": k}}),
        json!({"alg": "HS256", "kid": "../../../../dev/null"}),
        json!({"alg": "HS256", "kid": "x' UNION SELECT 'secret"}),
    ] {
        let right = plain(&header.to_string());
        assert!(verify_with(&[], &right).is_ok(), "{header}");
        let payload = URL_SAFE_NO_PAD.encode(json!({"sub": "root", "exp": NOW + 60}).to_string());
        let signing = format!("{}.{payload}", URL_SAFE_NO_PAD.encode(header.to_string()));
        for secret in [forger, ""] {
            let key = EncodingKey::from_secret(secret.as_bytes());
            let signature = jsonwebtoken::crypto::sign(signing.as_bytes(), &key, Jose::HS256).unwrap();
            assert_eq!(
                verify_with(&[], &format!("{signing}.{signature}")),
                Err(Code::TokenInvalid),
                "{header}"
            );
        }
    }
}

#[test]
fn no_claim_can_mean_two_things() {
    const HS256: &str = r#"{"alg":"HS256"}"#;
    let end = NOW + 60;
    for twice in [
        format!(r#"{{"sub":"ann","exp":{end},"sub":"bob"}}"#),
        format!(r#"{{"sub":"ann","exp":{end},"exp":{}}}"#, NOW - 60),
        format!(r#"{{"sub":"ann","exp":{end},"aud":"chat","aud":"mail"}}"#),
        format!(r#"{{"sub":"ann","exp":{end},"iss":"shop","iss":"evil"}}"#),
    ] {
        assert_eq!(verify_with(&[], &raw(HS256, &twice)), Err(Code::TokenInvalid), "{twice}");
    }
    // For others it is the last that counts, for everybody who reads them.
    let twice = raw(HS256, &format!(r#"{{"userId":"ann","exp":{end},"userId":"bob"}}"#));
    assert_eq!(verify_with(&[], &twice).unwrap().user.id.as_str(), "bob");
}

#[test]
fn what_is_shown_of_an_identity_is_no_token() {
    let token = token(&json!({"sub": "ann", "exp": NOW + 60}));
    let identity = verify_with(&[], &token).unwrap();
    let shown = format!("{identity:?}");
    assert!(token.split('.').all(|part| !shown.contains(part)), "{shown}");
    let refused = verify_with(&[], &(token.clone() + "x")).unwrap_err();
    assert!(!refused.meaning().contains(&token));
}
