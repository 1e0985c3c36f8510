//! Every algorithm with its own sort of key, and none with another.

use super::*;

pub(super) const RSA: &[u8] = include_bytes!("../../../tests/keys/rsa.der");
pub(super) const RSA_PUBLIC: &str = include_str!("../../../tests/keys/rsa.pub.pem");
const RSA_OTHER: &[u8] = include_bytes!("../../../tests/keys/rsa_other.der");
const RSA_OTHER_PUBLIC: &str = include_str!("../../../tests/keys/rsa_other.pub.pem");
const RSA_PKCS1_PUBLIC: &str = include_str!("../../../tests/keys/rsa_pkcs1.pub.pem");
const RSA_1024_PUBLIC: &str = include_str!("../../../tests/keys/rsa_1024.pub.pem");
const P256: &[u8] = include_bytes!("../../../tests/keys/p256.der");
const P256_PUBLIC: &str = include_str!("../../../tests/keys/p256.pub.pem");
const P384_PUBLIC: &str = include_str!("../../../tests/keys/p384.pub.pem");
const ED25519: &[u8] = include_bytes!("../../../tests/keys/ed25519.der");
const ED25519_PUBLIC: &str = include_str!("../../../tests/keys/ed25519.pub.pem");

const PUBLIC: &str = "PARLANCE__AUTH__PUBLIC_KEYS";
const ALGORITHMS: &str = "PARLANCE__AUTH__ALGORITHMS";

fn claims() -> Value {
    json!({"sub": "ann", "exp": NOW + 60})
}

fn key_for(algorithm: Jose) -> EncodingKey {
    match algorithm {
        Jose::RS256 | Jose::RS384 | Jose::PS256 => EncodingKey::from_rsa_der(RSA),
        Jose::ES256 => EncodingKey::from_ec_der(P256),
        Jose::EdDSA => EncodingKey::from_ed_der(ED25519),
        _ => EncodingKey::from_secret(SECRET.as_bytes()),
    }
}

fn signed_as(algorithm: Jose) -> String {
    encode(&Header::new(algorithm), &claims(), &key_for(algorithm)).unwrap()
}

fn all_public() -> String {
    [RSA_PUBLIC, P256_PUBLIC, ED25519_PUBLIC].join(",")
}

#[test]
fn each_algorithm_is_verified_with_its_own_sort_of_key() {
    let all = [(ALGORITHMS, "HS256,HS384,HS512,RS256,ES256,EdDSA"), (PUBLIC, &*all_public())];
    let every = [Jose::HS256, Jose::HS384, Jose::HS512, Jose::RS256, Jose::ES256, Jose::EdDSA];
    for algorithm in every {
        let token = signed_as(algorithm);
        assert!(verify_with(&all, &token).is_ok(), "{algorithm:?}");
        let (rest, signature) = token.rsplit_once('.').unwrap();
        let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
        bytes[5] ^= 1;
        let forged = format!("{rest}.{}", URL_SAFE_NO_PAD.encode(bytes));
        assert_eq!(verify_with(&all, &forged), Err(Code::TokenInvalid), "{algorithm:?}");
        for other in every.into_iter().filter(|other| *other != algorithm) {
            let header = URL_SAFE_NO_PAD.encode(json!({"alg": other}).to_string());
            let swapped = format!("{header}.{}", token.split_once('.').unwrap().1);
            assert_eq!(verify_with(&all, &swapped), Err(Code::TokenInvalid), "{algorithm:?} as {other:?}");
        }
    }
    for unlisted in [Jose::RS384, Jose::PS256] {
        assert_eq!(verify_with(&all, &signed_as(unlisted)), Err(Code::TokenInvalid), "{unlisted:?}");
    }
}

#[test]
fn only_configured_algorithms_are_accepted() {
    let only = [(ALGORITHMS, "HS256,RS256"), (PUBLIC, RSA_PUBLIC)];
    assert!(verify_with(&only, &signed_as(Jose::RS256)).is_ok());
    for other in [Jose::HS512, Jose::ES256, Jose::EdDSA] {
        assert_eq!(verify_with(&only, &signed_as(other)), Err(Code::TokenInvalid), "{other:?}");
    }
}

#[test]
fn a_public_key_is_never_a_secret() {
    let both = [(ALGORITHMS, "HS256,HS384,HS512,RS256"), (PUBLIC, RSA_PUBLIC)];
    let der =
        URL_SAFE_NO_PAD.encode(RSA_PUBLIC.lines().filter(|line| !line.starts_with('-')).collect::<String>());
    for secret in [RSA_PUBLIC, RSA_PUBLIC.trim(), RSA_PKCS1_PUBLIC, &der] {
        for algorithm in [Jose::HS256, Jose::HS384, Jose::HS512] {
            let confused = signed(&Header::new(algorithm), &claims(), secret);
            assert_eq!(verify_with(&both, &confused), Err(Code::TokenInvalid), "{algorithm:?}");
        }
    }
}

#[test]
fn several_keys_are_accepted_while_one_is_replaced() {
    let other = encode(&Header::new(Jose::RS256), &claims(), &EncodingKey::from_rsa_der(RSA_OTHER)).unwrap();
    let one = [(ALGORITHMS, "HS256,RS256"), (PUBLIC, RSA_PUBLIC)];
    assert_eq!(verify_with(&one, &other), Err(Code::TokenInvalid));
    let both = [(ALGORITHMS, "HS256,RS256"), (PUBLIC, &*format!("{RSA_PUBLIC},{RSA_OTHER_PUBLIC}"))];
    assert!(verify_with(&both, &other).is_ok());
    assert!(verify_with(&both, &signed_as(Jose::RS256)).is_ok());
}

#[test]
fn keys_are_read_from_pem_in_its_usual_forms() {
    for (pem, family) in [
        (RSA_PUBLIC, Family::Rsa),
        (RSA_PKCS1_PUBLIC, Family::Rsa),
        (P256_PUBLIC, Family::P256),
        (ED25519_PUBLIC, Family::Ed25519),
    ] {
        assert_eq!(PublicKey::from_pem(pem).map(|key| key.family()), Ok(family));
    }
    let pkcs1 = [(ALGORITHMS, "HS256,RS256"), (PUBLIC, RSA_PKCS1_PUBLIC)];
    assert!(verify_with(&pkcs1, &signed_as(Jose::RS256)).is_ok());
    let escaped = [(ALGORITHMS, "HS256,EdDSA"), (PUBLIC, &*ED25519_PUBLIC.trim().replace('\n', "\\n"))];
    assert!(verify_with(&escaped, &signed_as(Jose::EdDSA)).is_ok());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys/p256.pub.pem");
    assert!(verify_with(&[(ALGORITHMS, "HS256,ES256"), (PUBLIC, path)], &signed_as(Jose::ES256)).is_ok());
}

#[test]
fn what_is_no_usable_public_key_is_refused_with_its_reason() {
    let private = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let broken = P256_PUBLIC.replacen("MFkw", "MFkx", 1);
    for (pem, expected) in [
        ("", BadKey::Pem),
        ("not a key", BadKey::Pem),
        (private, BadKey::Private),
        (certificate, BadKey::NoKey),
        (&broken, BadKey::Malformed),
        (P384_PUBLIC, BadKey::Sort),
        (RSA_1024_PUBLIC, BadKey::Length),
    ] {
        assert_eq!(PublicKey::from_pem(pem), Err(expected), "{pem}");
    }
}
