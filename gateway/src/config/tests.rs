//! The sections together, as a gateway reads them.

use std::time::Duration;

use parlance_chassis::config::{ConfigErrors, Document, Environment, Sources};

use super::*;
use crate::{membership::Policy, web::origins::Origins};

const REQUIRED: [(&str, &str); 3] = [
    ("REDIS_URL", "redis://h:6379"),
    ("DATABASE_URL", "postgres://u:p@h/d"),
    ("JWT_SECRET", "a secret of more than thirty-two bytes"),
];

fn config(environment: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let pairs = REQUIRED.iter().chain(environment).copied();
    Config::from_sources(&Sources::new(None, Environment::from_pairs(pairs)))
}

fn refused(environment: &[(&str, &str)]) -> String {
    config(environment)
        .map(|_| format!("{environment:?} is accepted"))
        .unwrap_or_else(|errors| errors.to_string())
}

fn keys_of(errors: &ConfigErrors) -> Vec<&str> {
    errors.0.iter().map(|mistake| mistake.key.as_str()).collect()
}

#[test]
fn the_settings_are_declared_without_flaws() {
    assert_eq!(Config::schema().flaws(), Vec::<String>::new());
}

#[test]
fn urls_and_the_secret_are_all_that_must_be_set() {
    let config = config(&[]).unwrap();
    let server = &config.server;
    assert_eq!((server.host.as_str(), server.port), ("0.0.0.0", 3000));
    assert_eq!(server.origins, Origins::Any);
    assert_eq!(server.socket_path.as_str(), "/socket.io");
    let socket = &config.socket;
    let seconds =
        [socket.ping_interval, socket.ping_timeout, socket.connect_timeout].map(|time| time.as_secs());
    assert_eq!(seconds, [25, 60, 45]);
    assert_eq!((socket.slow_reader_deadline, socket.slow_reader_bytes), (Duration::from_secs(8), 4 << 20));
    assert_eq!(config.auth.user_claims, ["sub", "userId", "user_id", "id"]);
    assert!(config.auth.require_exp && config.auth.service_keys.is_empty());
    assert_eq!(config.gateway.policy, Policy::Members);
    assert!(config.gateway.dispatch_workers >= 1);
    let events = config.limits.events;
    assert_eq!((events.count.get(), events.burst.get()), (10, 20));
    assert!(config.warnings().is_empty());

    let nothing = Sources::new(None, Environment::default());
    let missing = Config::from_sources(&nothing).unwrap_err();
    assert_eq!(keys_of(&missing), ["auth.jwt_secret", "redis.url", "postgres.url"]);
}

#[test]
fn every_mistake_is_told_at_once() {
    let file = "[server]\nport = 70000\nprot = 1\n[gateway]\npolicy = 'closed'\n";
    let sources = Sources::new(
        Some(Document::parse("p.toml", file).unwrap()),
        Environment::from_pairs([
            ("REDIS_URL", "redis://h"),
            ("JWT_SECRET", "hunter2"),
            ("PARLANCE__AUTH__SERVICE_KEYS", "a-key-of-sixteen-bytes,hunter3"),
            ("CLIENT_URL", "https://a.example/page"),
            ("PARLANCE__LIMITS__EVENTS_PER_SEC", "1"),
        ]),
    );
    let errors = Config::from_sources(&sources).unwrap_err();
    let expected = [
        "server.port",
        "server.origins",
        "auth.jwt_secret",
        "auth.service_keys",
        "gateway.policy",
        "postgres.url",
        "server.prot",
        "PARLANCE__LIMITS__EVENTS_PER_SEC",
    ];
    assert_eq!(keys_of(&errors), expected);
    let told = errors.to_string();
    assert!(!told.contains("hunter"), "{told}");
    assert!(told.contains("did you mean server.port?"), "{told}");
    assert!(told.contains("did you mean PARLANCE__LIMITS__EVENTS_PER_SECOND?"), "{told}");
}

#[test]
fn well_known_names_are_taken_and_two_may_not_differ() {
    let taken =
        config(&[("SOCKET_PORT", "4000"), ("HOST", "127.0.0.1"), ("FRONTEND_URL", "http://localhost:5173/")]);
    let server = taken.unwrap().server;
    assert_eq!((server.host.as_str(), server.port), ("127.0.0.1", 4000));
    assert_eq!(server.origins, Origins::List(vec!["http://localhost:5173".to_owned()]));
    for (one, other) in [
        (("PORT", "4000"), ("SOCKET_IO_PORT", "4001")),
        (("CLIENT_URL", "https://a.example"), ("SOCKET_IO_CORS_ORIGIN", "https://b.example")),
        (("PARLANCE__SERVER__HOST", "h1"), ("HOST", "h2")),
    ] {
        let told = refused(&[one, other]);
        assert!(told.starts_with("1 mistake in") && told.contains(one.0) && told.contains(other.0), "{told}");
        assert!(config(&[one, (other.0, one.1)]).is_ok(), "{one:?}");
    }
    let told = refused(&[("JWT_ACCESS_SECRET_KEY", "another secret, hunter2")]);
    assert!(told.contains("JWT_SECRET") && !told.contains("hunter2"), "{told}");
}

#[test]
fn values_out_of_bounds_are_refused() {
    for (name, value) in [
        ("PARLANCE__SERVER__SOCKET_PATH", "socket.io"),
        ("PARLANCE__SERVER__SOCKET_PATH", "/v1/socket.io"),
        ("PARLANCE__SERVER__TRUSTED_HOPS", "-1"),
        ("PARLANCE__SOCKET__PING_INTERVAL", "25"),
        ("PARLANCE__SOCKET__MAX_PAYLOAD", "1"),
        ("PARLANCE__SOCKET__SLOW_READER_BYTES", "4Mb"),
        ("PARLANCE__AUTH__ALGORITHMS", "none"),
        ("PARLANCE__AUTH__ALGORITHMS", "RS512"),
        ("PARLANCE__AUTH__ALGORITHMS", "HS256,none"),
        ("PARLANCE__AUTH__PUBLIC_KEYS", "/nonexistent"),
        ("PARLANCE__AUTH__PUBLIC_KEYS", "/"),
        ("PARLANCE__AUTH__JWKS_URL", "keys.json"),
        ("PARLANCE__AUTH__JWKS_URL", "file:///etc/keys.json"),
        ("PARLANCE__AUTH__JWKS_REFRESH", "1s"),
        ("PARLANCE__AUTH__REVOCATION_TTL", "0s"),
        ("PARLANCE__AUTH__ALGORITHMS", ","),
        ("PARLANCE__AUTH__USER_CLAIMS", ","),
        ("PARLANCE__AUTH__LEEWAY", "1h"),
        ("PARLANCE__AUTH__REQUIRE_EXP", "no"),
        ("PARLANCE__AUTH__TOKEN_COOKIE", "a b"),
        ("PARLANCE__GATEWAY__DIALECTS_FOLDER", "/nonexistent"),
        ("PARLANCE__GATEWAY__DISPATCH_WORKERS", "0"),
        ("PARLANCE__GATEWAY__COMPARE_INTERVAL", "0s"),
        ("PARLANCE__LIMITS__EVENTS_PER_SECOND", "0"),
        ("PARLANCE__LIMITS__INGEST_BYTES", "1MiB"),
    ] {
        let told = refused(&[(name, value)]);
        assert!(told.starts_with("1 mistake in") && told.contains(&format!("(env:{name})")), "{told}");
    }
}

#[test]
fn origins_are_what_browsers_send() {
    let origins = |text: &str| config(&[("CLIENT_URL", text)]).map(|config| config.server.origins);
    let listed =
        origins("https://App.example.com, http://localhost:80/,capacitor://localhost,https://[::1]:8443");
    let expected =
        ["https://app.example.com", "http://localhost", "capacitor://localhost", "https://[::1]:8443"];
    assert_eq!(listed.unwrap(), Origins::List(expected.map(str::to_owned).to_vec()));
    for wrong in
        [",", "*,https://a.example", "a.example", "https://", "https://a.example/x", "https://u@a.example"]
    {
        assert!(origins(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_drain_fits_into_its_deadline() {
    let drain = config(&[]).unwrap().drain;
    assert_eq!((drain.announce, drain.spread), (Duration::ZERO, Duration::from_secs(10)));
    let (announce, spread) = ("PARLANCE__DRAIN__ANNOUNCE", "PARLANCE__DRAIN__SPREAD");
    let deadline = "PARLANCE__SHUTDOWN__DRAIN_DEADLINE";
    for enough in [
        &[(announce, "19s")][..],
        &[(announce, "15s"), (spread, "14s")],
        &[(spread, "1m"), (deadline, "61s")],
        &[(spread, "0s"), (deadline, "0s")],
    ] {
        assert!(config(enough).is_ok(), "{enough:?}");
    }
    for too_little in [&[(announce, "20s")][..], &[(spread, "30s")], &[(deadline, "10s")]] {
        let told = refused(too_little);
        assert!(told.contains("drain.spread (") && told.contains("shutdown.drain_deadline is "), "{told}");
    }
}

#[test]
fn a_cookie_with_a_token_needs_listed_origins() {
    let cookie = ("PARLANCE__AUTH__TOKEN_COOKIE", "token");
    assert!(refused(&[cookie]).contains("auth.token_cookie (env:PARLANCE__AUTH__TOKEN_COOKIE): "));
    assert!(config(&[cookie, ("CLIENT_URL", "https://a.example")]).is_ok());
}

#[test]
fn every_algorithm_has_a_key_and_every_key_an_algorithm() {
    let without_secret = |more: &[(&str, &str)]| {
        let pairs = [REQUIRED[0], REQUIRED[1]].into_iter().chain(more.iter().copied());
        Config::from_sources(&Sources::new(None, Environment::from_pairs(pairs)))
    };
    let keys = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys/");
    let (rsa, p256) = (format!("{keys}rsa.pub.pem"), format!("{keys}p256.pub.pem"));
    let (public, url) = ("PARLANCE__AUTH__PUBLIC_KEYS", "PARLANCE__AUTH__JWKS_URL");
    let algorithms = "PARLANCE__AUTH__ALGORITHMS";
    let published = (url, "https://id.example/keys");
    for more in [
        &[(public, &*rsa), (algorithms, "RS256")][..],
        &[(public, &*format!("{rsa},{p256}")), (algorithms, "RS256,ES256")],
        &[published, (algorithms, "RS256,ES256,EdDSA")],
        &[published, (public, &*rsa), (algorithms, "RS256,EdDSA")],
    ] {
        let config = without_secret(more).unwrap_or_else(|mistakes| panic!("{more:?}: {mistakes}"));
        assert!(config.auth.jwt_secret.is_none() && config.warnings().is_empty());
    }
    assert!(config(&[published, (algorithms, "HS256,RS256")]).is_ok());
    let mistaken = |more: &[(&str, &str)]| {
        let errors = without_secret(more).err().unwrap_or_else(|| panic!("{more:?} is accepted"));
        (keys_of(&errors).join(" "), errors.to_string())
    };
    assert_eq!(mistaken(&[]).0, "auth.jwt_secret");
    assert_eq!(mistaken(&[published]).0, "auth.algorithms auth.jwks_url", "HS256 is the default");
    let (wrong, told) = mistaken(&[(public, &*p256), (algorithms, "HS512,RS256,ES256,EdDSA")]);
    assert_eq!(wrong, "auth.algorithms auth.algorithms auth.algorithms");
    for algorithm in ["HS512", "RS256", "EdDSA"] {
        assert!(told.contains(&format!("has {algorithm}, for which there is no key")), "{told}");
    }
    assert_eq!(mistaken(&[(public, &*format!("{rsa},{p256}")), (algorithms, "RS256")]).0, "auth.public_keys");
    let unused = config(&[(public, &*rsa), (algorithms, "RS256")]).unwrap_err();
    assert_eq!(keys_of(&unused), ["auth.jwt_secret"]);
    let warned = config(&[(url, "http://id.example/keys"), (algorithms, "HS256,RS256")]).unwrap();
    assert_eq!(warned.warnings().len(), 1);
}

#[test]
fn a_private_key_where_a_public_one_belongs_is_refused_and_not_shown() {
    let private = "-----BEGIN PRIVATE KEY-----\nhunter2hunter2\n-----END PRIVATE KEY-----\n";
    let told =
        refused(&[("PARLANCE__AUTH__PUBLIC_KEYS", private), ("PARLANCE__AUTH__ALGORITHMS", "HS256,RS256")]);
    assert!(told.contains("has an element 1 that is a private key") && !told.contains("hunter2"), "{told}");
}

#[test]
fn a_short_secret_is_warned_of() {
    let short = Environment::from_pairs([REQUIRED[0], REQUIRED[1], ("JWT_SECRET", "eight by")]);
    let config = Config::from_sources(&Sources::new(None, short)).unwrap();
    assert_eq!(config.warnings().len(), 1);
}

#[test]
fn neither_a_config_nor_its_mistakes_show_secrets() {
    let shown =
        format!("{:?}", config(&[("PARLANCE__AUTH__SERVICE_KEYS", "hunter2hunter2hunter2")]).unwrap());
    for secret in ["thirty-two", "hunter2", "u:p@h"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
