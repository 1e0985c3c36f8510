//! Tokens from outside, good and bad.

mod algorithms;
mod hostile;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::FutureExt;
use jsonwebtoken::{Algorithm as Jose, EncodingKey, Header, encode};
use parlance_chassis::{
    config::{self, Environment, Sources},
    secret::Secret,
};
use parlance_domain::id::{ConversationId, UserId};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::Duration;

use super::*;
use crate::config::Config;

const SECRET: &str = "a secret of more than thirty-two bytes";
const NOW: i64 = 1_800_000_000;

fn section(environment: &[(&str, &str)]) -> AuthSection {
    let pairs = [("JWT_SECRET", SECRET)].into_iter().chain(environment.iter().copied());
    let sources = Sources::new(None, Environment::from_pairs(pairs));
    config::read(&Config::schema(), &sources, AuthSection::read).unwrap()
}

fn signed(header: &Header, claims: &Value, secret: &str) -> String {
    encode(header, claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

fn token(claims: &Value) -> String {
    signed(&Header::default(), claims, SECRET)
}

fn verify_with(environment: &[(&str, &str)], token: &str) -> Result<Identity, Code> {
    verify_under(Policy::Members, &section(environment), token)
}

fn verify_under(policy: Policy, config: &AuthSection, token: &str) -> Result<Identity, Code> {
    let clock = Clock::fixed(NOW * 1_000);
    let (auth, _) = Auth::new(config, policy);
    // Nothing is waited for, as no keys are published elsewhere.
    let verified =
        auth.verify(token, &OwnTokens::default(), &clock).now_or_never().expect("it does not wait");
    verified.map_err(|rejection| rejection.code)
}

fn verify(claims: &Value) -> Result<Identity, Code> {
    verify_with(&[], &token(claims))
}

/// What of the claims becomes the profile, as JSON.
fn profile(claims: Value) -> Result<Value, Code> {
    let mut claims = claims;
    claims["exp"] = json!(NOW + 60);
    verify(&claims).map(|identity| json!(identity.user))
}

#[test]
fn a_token_says_who_it_is_and_until_when() {
    let identity = verify(&json!({"sub": "ann", "name": "Ann", "role": "admin", "exp": NOW + 60})).unwrap();
    assert_eq!(json!(identity.user), json!({"id": "ann", "name": "Ann", "role": "admin"}));
    assert_eq!(identity.expires_at(), Some(Timestamp((NOW + 60) * 1_000)));
}

#[test]
fn a_forged_token_is_refused() {
    let claims = json!({"sub": "ann", "exp": NOW + 60});
    let forged = signed(&Header::default(), &claims, "another secret of more than thirty-two");
    assert_eq!(verify_with(&[], &forged), Err(Code::TokenInvalid));
    let good = token(&claims);
    let other = URL_SAFE_NO_PAD.encode(json!({"sub": "bob", "exp": NOW + 60}).to_string());
    let parts: Vec<&str> = good.split('.').collect();
    let swapped = format!("{}.{other}.{}", parts[0], parts[2]);
    assert_eq!(verify_with(&[], &swapped), Err(Code::TokenInvalid));
    for broken in [&good[..good.len() - 1], &format!("{}.{}.", parts[0], parts[1])] {
        assert_eq!(verify_with(&[], broken), Err(Code::TokenInvalid), "{broken}");
    }
    for none in ["", ".", "..", "a.b.c", &format!("{good}."), &format!(".{good}"), &format!("{}.", parts[0])]
    {
        assert_eq!(verify_with(&[], none), Err(Code::TokenMalformed), "{none}");
    }
}

#[test]
fn the_algorithm_is_the_configurations_and_never_the_tokens() {
    let claims = json!({"sub": "ann", "exp": NOW + 60});
    for algorithm in [Jose::HS384, Jose::HS512] {
        assert_eq!(
            verify_with(&[], &signed(&Header::new(algorithm), &claims, SECRET)),
            Err(Code::TokenInvalid)
        );
    }
    let payload = URL_SAFE_NO_PAD.encode(claims.to_string());
    let signature = token(&claims).rsplit('.').next().unwrap().to_owned();
    for algorithm in ["none", "None", "NONE", "", "RS256"] {
        let header = URL_SAFE_NO_PAD.encode(json!({"alg": algorithm, "typ": "JWT"}).to_string());
        for signature in ["", &signature] {
            let unsigned = format!("{header}.{payload}.{signature}");
            assert_eq!(verify_with(&[], &unsigned), Err(Code::TokenInvalid), "{algorithm}");
        }
    }
}

#[test]
fn a_token_is_valid_only_in_its_time() {
    let at = |claims: Value| verify(&claims).map(|_| ());
    assert_eq!(at(json!({"sub": "a", "exp": NOW - 9})), Ok(()), "within the leeway");
    assert_eq!(at(json!({"sub": "a", "exp": NOW - 10})), Err(Code::TokenExpired));
    assert_eq!(at(json!({"sub": "a", "exp": NOW + 60, "nbf": NOW + 10})), Ok(()), "within the leeway");
    assert_eq!(at(json!({"sub": "a", "exp": NOW + 60, "nbf": NOW + 11})), Err(Code::TokenInvalid));
    assert_eq!(at(json!({"sub": "a", "exp": NOW as f64 + 0.5})), Ok(()));
    for odd in [json!("1800000060"), json!(null), json!([1]), json!({"a": 1}), json!(true)] {
        assert_eq!(at(json!({"sub": "a", "exp": odd})), Err(Code::TokenInvalid));
    }
    assert_eq!(at(json!({"sub": "a", "exp": -1})), Err(Code::TokenExpired));
    assert_eq!(at(json!({"sub": "a", "exp": 1e300})), Ok(()), "saturates");
}

#[test]
fn a_token_without_an_end_needs_permission() {
    let endless = token(&json!({"sub": "ann"}));
    assert_eq!(verify_with(&[], &endless), Err(Code::TokenInvalid));
    let identity = verify_with(&[("PARLANCE__AUTH__REQUIRE_EXP", "false")], &endless).unwrap();
    assert_eq!(identity.expires_at(), None);
}

#[test]
fn the_user_is_the_first_claim_that_is_there() {
    let id = |claims: Value| profile(claims).map(|profile| profile["id"].clone());
    assert_eq!(id(json!({"id": "d", "user_id": "c", "userId": "b", "sub": "a"})), Ok(json!("a")));
    assert_eq!(id(json!({"sub": null, "userId": "b"})), Ok(json!("b")));
    assert_eq!(id(json!({"userId": 42})), Ok(json!("42")));
    assert_eq!(id(json!({"userId": -42})), Ok(json!("-42")));
    for odd in
        [json!(""), json!(4.5), json!(1e3), json!(true), json!([]), json!("a\u{0}"), json!("a".repeat(129))]
    {
        assert_eq!(id(json!({"userId": odd, "id": "d"})), Err(Code::TokenInvalid), "{odd}");
    }
    assert_eq!(id(json!({"name": "Ann"})), Err(Code::TokenInvalid));
}

#[test]
fn claims_may_be_nested_or_have_dots_in_their_names() {
    let environment = [
        ("PARLANCE__AUTH__USER_CLAIMS", "user.profile.id,sub"),
        ("PARLANCE__AUTH__ROLE_CLAIMS", "https://example.com/role"),
    ];
    let verified =
        |claims: Value| verify_with(&environment, &token(&claims)).map(|identity| json!(identity.user));
    let nested = json!({
        "user": {"profile": {"id": 7}}, "https://example.com/role": "nurse", "sub": "x", "exp": NOW + 60,
    });
    assert_eq!(verified(nested), Ok(json!({"id": "7", "name": "7", "role": "nurse"})));
    let shallow = json!({"user": "ann", "sub": "x", "exp": NOW + 60});
    assert_eq!(verified(shallow), Ok(json!({"id": "x", "name": "x"})));
    let object = json!({"user": {"profile": {"id": {"a": 1}}}, "sub": "x", "exp": NOW + 60});
    assert_eq!(verified(object), Err(Code::TokenInvalid));
}

#[test]
fn a_key_of_an_applications_own_counts_alone_and_with_the_algorithms_of_its_sort() {
    let clock = Clock::fixed(NOW * 1_000);
    let verified = |environment: &[(&str, &str)], token: &str| {
        let keys = OwnKeys::new(vec![Secret::new("a secret of another application")], Vec::new());
        let own = OwnTokens { keys: Some(keys), ..OwnTokens::default() };
        let (auth, _) = Auth::new(&section(environment), Policy::Members);
        let verified = auth.verify(token, &own, &clock).now_or_never().expect("it does not wait");
        verified.map(|identity| identity.user.id.to_string()).map_err(|rejection| rejection.code)
    };
    let claims = json!({"sub": "ann", "exp": NOW + 60, "iss": "elsewhere"});
    let by = |algorithm, secret| signed(&Header::new(algorithm), &claims, secret);
    let own = by(Jose::HS256, "a secret of another application");
    assert_eq!(verified(&[], &own).as_deref(), Ok("ann"));
    assert_eq!(verified(&[], &by(Jose::HS256, SECRET)), Err(Code::TokenInvalid));
    assert_eq!(verify_with(&[], &own), Err(Code::TokenInvalid));
    // Of the sort that is configured, only what is configured.
    let other = by(Jose::HS512, "a secret of another application");
    assert_eq!(verified(&[], &other), Err(Code::TokenInvalid));
    assert_eq!(verified(&[("PARLANCE__AUTH__ALGORITHMS", "HS512")], &other).as_deref(), Ok("ann"));
    // What is demanded of all tokens is demanded of these.
    assert_eq!(verified(&[("PARLANCE__AUTH__ISSUER", "here")], &own), Err(Code::TokenInvalid));
    assert_eq!(verified(&[("PARLANCE__AUTH__ISSUER", "here,elsewhere")], &own).as_deref(), Ok("ann"));
}

#[test]
fn what_others_see_is_bounded_and_can_be_stored() {
    let seen = |claims: Value| profile(claims).unwrap();
    assert_eq!(seen(json!({"sub": "a", "name": " A\u{0}nn\n "}))["name"], json!("Ann"));
    assert_eq!(seen(json!({"sub": "a", "name": 7, "role": ["x"]})), json!({"id": "a", "name": "a"}));
    let long = seen(
        json!({"sub": "a", "name": "ü".repeat(500), "avatar": "x".repeat(3_000), "role": "x".repeat(99)}),
    );
    assert_eq!(long, json!({"id": "a", "name": "ü".repeat(128)}));
}

#[test]
fn a_huge_token_is_not_looked_at() {
    let huge = token(&json!({"sub": "ann", "exp": NOW + 60, "x": "x".repeat(MAX_TOKEN_BYTES)}));
    assert_eq!(verify_with(&[], &huge), Err(Code::TokenInvalid));
    assert_eq!(verify_with(&[], &"a.".repeat(1 << 20)), Err(Code::TokenInvalid));
}

#[test]
fn issuer_and_audience_count_when_they_are_configured() {
    let environment = [("PARLANCE__AUTH__ISSUER", "shop,other"), ("PARLANCE__AUTH__AUDIENCE", "chat")];
    let outcome = |claims: Value| verify_with(&environment, &token(&claims)).map(|_| ());
    let base = |iss: Value, aud: Value| json!({"sub": "a", "exp": NOW + 60, "iss": iss, "aud": aud});
    assert_eq!(outcome(base(json!("other"), json!("chat"))), Ok(()));
    assert_eq!(outcome(base(json!("shop"), json!(["mail", "chat"]))), Ok(()));
    for (iss, aud) in [("shop", "mail"), ("evil", "chat"), ("", "chat")] {
        assert_eq!(outcome(base(json!(iss), json!(aud))), Err(Code::TokenInvalid), "{iss} {aud}");
    }
    assert_eq!(outcome(json!({"sub": "a", "exp": NOW + 60})), Err(Code::TokenInvalid));
    assert!(verify(&base(json!("anybody"), json!("anything"))).is_ok(), "nothing is configured");
}

#[test]
fn tokens_of_a_previous_secret_are_accepted_while_it_is_listed() {
    let previous = "the secret that was used before this one";
    let old = signed(&Header::default(), &json!({"sub": "a", "exp": NOW + 60}), previous);
    assert_eq!(verify_with(&[], &old), Err(Code::TokenInvalid));
    assert!(verify_with(&[("PARLANCE__AUTH__JWT_PREVIOUS_SECRETS", previous)], &old).is_ok());
}

#[test]
fn a_token_tells_when_it_was_issued_and_is_old_when_it_does_not() {
    let issued = |claims: Value| verify(&claims).map(|identity| identity.validity.unwrap().issued_at.0);
    assert_eq!(issued(json!({"sub": "a", "exp": NOW + 60, "iat": NOW})), Ok(NOW * 1_000));
    assert_eq!(issued(json!({"sub": "a", "exp": NOW + 60, "iat": NOW as f64 + 0.25})), Ok(NOW * 1_000 + 250));
    assert_eq!(issued(json!({"sub": "a", "exp": NOW + 60})), Ok(i64::MIN));
    assert_eq!(issued(json!({"sub": "a", "exp": NOW + 60, "iat": "now"})), Err(Code::TokenInvalid));
    // As late as the moment of a revocation may be, and no later.
    let latest = NOW + 310;
    assert_eq!(issued(json!({"sub": "a", "exp": NOW + 600, "iat": latest})), Ok(latest * 1_000));
    for slip in [latest + 1, NOW * 1_000, i64::MAX] {
        assert_eq!(issued(json!({"sub": "a", "exp": NOW + 600, "iat": slip})), Ok(i64::MIN), "{slip}");
    }
}

#[test]
fn no_token_lives_longer_than_a_revocation_that_takes_it() {
    let day = 86_400;
    let ttl = [("PARLANCE__AUTH__REVOCATION_TTL", "30d")];
    let at = |claims: Value| verify_with(&ttl, &token(&claims)).map(|_| ());
    assert_eq!(at(json!({"sub": "a", "iat": NOW, "exp": NOW + 30 * day})), Ok(()));
    assert_eq!(at(json!({"sub": "a", "iat": NOW, "exp": NOW + 30 * day + 10})), Ok(()), "within the leeway");
    let too_long = Err(Code::TokenInvalid);
    assert_eq!(at(json!({"sub": "a", "iat": NOW, "exp": NOW + 30 * day + 11})), too_long);
    // It does not fit better when it is nearly over.
    assert_eq!(at(json!({"sub": "a", "iat": NOW - 30 * day, "exp": NOW + day})), too_long);
    assert_eq!(at(json!({"sub": "a", "exp": NOW + 31 * day})), too_long);
    assert_eq!(at(json!({"sub": "a", "exp": (NOW + 60) * 1_000})), too_long, "milliseconds are no seconds");

    let year = token(&json!({"sub": "a", "iat": NOW, "exp": NOW + 365 * day}));
    let no_end = [ttl[0], ("PARLANCE__AUTH__REQUIRE_EXP", "false")];
    assert!(verify_with(&[], &year).is_ok() && verify_with(&no_end, &year).is_ok());
    let kept = |more: &[(&str, &str)]| Auth::new(&section(more), Policy::Members).0.revocations_are_kept();
    // The setting, the leeway before and after it, and how far ahead the moment may be.
    assert_eq!(kept(&ttl), Some(Duration::from_secs(30 * 86_400 + 320)));
    assert_eq!((kept(&[]), kept(&no_end)), (None, None), "for ever");
}

#[test]
fn a_revocation_takes_every_older_token_and_one_of_the_same_second() {
    let issued = |issued_at| Validity { issued_at: Timestamp(issued_at), expires_at: None };
    let moment = Timestamp(NOW * 1_000 + 400);
    for old in [i64::MIN, 0, (NOW - 1) * 1_000, NOW * 1_000, NOW * 1_000 + 399] {
        assert!(issued(old).is_revoked_by(moment), "{old}");
    }
    for new in [NOW * 1_000 + 400, (NOW + 1) * 1_000] {
        assert!(!issued(new).is_revoked_by(moment), "{new}");
    }
    assert!(
        !Identity::claimed(UserId::new("a").unwrap()).is_revoked_by(moment),
        "there is no token to revoke"
    );
}

#[test]
fn conversations_are_read_only_where_the_policy_asks_for_them() {
    let granted = |policy, claim: Value| {
        let token = token(&json!({"sub": "a", "exp": NOW + 60, "conversations": claim}));
        verify_under(policy, &section(&[]), &token).map(|identity| identity.grants)
    };
    let id = |id: &str| ConversationId::new(id).unwrap();
    let some = granted(Policy::Token, json!(["c", 7, "8"])).unwrap();
    assert!(
        some.include(&id("c")) && some.include(&id("7")) && some.include(&id("8")) && !some.include(&id("d"))
    );
    assert!(granted(Policy::Token, json!("c")).unwrap().include(&id("c")));
    for none in [json!([]), json!(null)] {
        assert_eq!(granted(Policy::Token, none), Ok(Grants::default()));
    }
    let many = |count: usize| json!((0..count).collect::<Vec<_>>());
    assert!(granted(Policy::Token, many(MAX_GRANTED)).is_ok());
    for odd in
        [json!({}), json!([{}]), json!([["c"]]), json!([1.5]), json!([""]), json!([true]), json!(["a\u{0}"])]
    {
        assert_eq!(granted(Policy::Token, odd.clone()), Err(Code::TokenInvalid), "{odd}");
        assert_eq!(granted(Policy::Members, odd), Ok(Grants::default()), "it is not looked at");
    }
    assert_eq!(granted(Policy::Token, many(MAX_GRANTED + 1)), Err(Code::TokenInvalid));
}

#[test]
fn critical_headers_are_not_understood() {
    let header = Header { crit: Some(vec!["b64".to_owned()]), ..Header::default() };
    let token = signed(&header, &json!({"sub": "a", "exp": NOW + 60}), SECRET);
    assert_eq!(verify_with(&[], &token), Err(Code::TokenInvalid));
}

#[test]
fn a_minted_token_is_accepted() {
    let environment = [
        ("PARLANCE__AUTH__ISSUER", "shop"),
        ("PARLANCE__AUTH__AUDIENCE", "chat"),
        ("PARLANCE__AUTH__USER_CLAIMS", "user.id"),
    ];
    let new = NewToken {
        user: UserId::new("ann").unwrap(),
        name: Some("Ann".to_owned()),
        role: Some("admin".to_owned()),
        ttl: Duration::from_secs(60),
    };
    let minted = mint(&section(&environment), &new, &Clock::fixed(NOW * 1_000)).unwrap();
    let identity = verify_with(&environment, &minted).unwrap();
    assert_eq!(json!(identity.user), json!({"id": "ann", "name": "Ann", "role": "admin"}));
    assert_eq!(identity.expires_at(), Some(Timestamp((NOW + 60) * 1_000)));
}

#[test]
fn nothing_that_is_printed_shows_a_secret() {
    let (auth, _) = Auth::new(&section(&[]), Policy::Members);
    assert!(!format!("{auth:?}").contains("thirty"));
}

proptest! {
    #[test]
    fn no_text_makes_the_verification_panic(text in "[ -~é.]{0,200}") {
        prop_assert!(verify_with(&[], &text).is_err());
    }

    #[test]
    fn no_signed_claims_make_the_verification_panic(sub in any::<Option<f64>>(), exp in any::<f64>(), nbf in any::<i64>()) {
        let _ = verify(&json!({"sub": sub, "exp": exp, "nbf": nbf}));
    }
}
