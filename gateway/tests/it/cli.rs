//! The binary from outside: what it prints, and the exit codes that scripts see.

#![cfg(test)]

use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    process::{Command, Output},
};

const VALID: [(&str, &str); 3] = [
    ("REDIS_URL", "redis://u:hunter2@127.0.0.1:1"),
    ("DATABASE_URL", "postgres://u:hunter2@127.0.0.1:1/d"),
    ("JWT_SECRET", "a secret of more than thirty-two bytes"),
];

/// A run of the binary with nothing in its environment but this.
fn gateway(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
    command.args(arguments).env_clear().envs(environment.iter().copied());
    command.output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A file that is removed with its owner.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, content: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gateway-{}-{name}", std::process::id()));
        fs::write(&path, content).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn bad_configuration_is_told_at_once_before_a_port_is_bound() {
    // Were the port asked for first, it would be the mistake.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let environment = [
        ("HOST", "127.0.0.1"),
        ("PORT", port.as_str()),
        ("JWT_SECRET", "short"),
        ("PARLANCE__SERVER__PROT", "1"),
    ];
    for verb in [&["run"][..], &[], &["check-config"], &["print-config"]] {
        let output = gateway(verb, &environment);
        assert_eq!(code(&output), 64, "{verb:?}");
        let told = stderr(&output);
        for key in ["auth.jwt_secret", "redis.url", "postgres.url", "PARLANCE__SERVER__PROT"] {
            assert!(told.contains(key), "{verb:?} {key}: {told}");
        }
    }
}

#[test]
fn a_configured_dialect_that_there_is_not_is_bad_configuration() {
    let environment = [VALID.as_slice(), &[("PARLANCE__GATEWAY__DIALECT", "nativ")]].concat();
    for verb in ["run", "check-config"] {
        let output = gateway(&[verb], &environment);
        assert_eq!(code(&output), 64, "{verb}");
        assert!(stderr(&output).contains("nativ"), "{verb}: {}", stderr(&output));
    }
}

#[test]
fn a_valid_configuration_is_said_to_be_valid() {
    let output = gateway(&["check-config"], &VALID);
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
    assert!(stdout(&output).contains("native"));
}

#[test]
fn the_file_on_the_command_line_is_read() {
    let file = Scratch::new("config.toml", "[server]\nport = 4321\n");
    let output = gateway(&["print-config", "--config", file.path()], &VALID);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(
        stdout(&output).contains(&format!("port = \"4321\" # file:{}", file.path())),
        "{}",
        stdout(&output)
    );
    assert_eq!(code(&gateway(&["print-config", "--config", "/nonexistent"], &VALID)), 64);
}

#[test]
fn a_printed_configuration_shows_no_secret() {
    let keys = [VALID.as_slice(), &[("PARLANCE__AUTH__SERVICE_KEYS", "hunter2hunter2hunter2")]].concat();
    let output = gateway(&["print-config"], &keys);
    assert_eq!(code(&output), 0);
    assert!(
        !stdout(&output).contains("hunter2") && !stdout(&output).contains("thirty-two"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn a_minted_token_is_all_that_is_printed_and_needs_only_the_secret() {
    let output = gateway(&["mint-token", "--user", "ann", "--name", "Ann", "--ttl", "1h"], &VALID[2..]);
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
    let token = stdout(&output);
    assert_eq!(token.trim_end().split('.').count(), 3, "{token}");
    assert_eq!(token.lines().count(), 1, "{token}");
    for wrong in
        [&["mint-token"][..], &["mint-token", "--user", ""], &["mint-token", "--user", "a", "--ttl", "1"]]
    {
        assert_eq!(code(&gateway(wrong, &VALID)), 64, "{wrong:?}");
    }
    assert_eq!(code(&gateway(&["mint-token", "--user", "ann"], &[])), 64, "without a secret");
}

#[test]
fn every_mistake_in_every_dialect_file_is_told() {
    let good = concat!(env!("CARGO_MANIFEST_DIR"), "/dialects/native.toml");
    assert_eq!(code(&gateway(&["check-dialect", good], &[])), 0);
    let bad = Scratch::new("bad.toml", "nmae = 'x'\n");
    let output = gateway(&["check-dialect", good, bad.path(), "/nonexistent.toml"], &[]);
    assert_eq!(code(&output), 64);
    let told = stderr(&output);
    assert!(
        told.contains(bad.path()) && told.contains("nmae") && told.contains("/nonexistent.toml"),
        "{told}"
    );
}

#[test]
fn nobody_is_healthy_where_nobody_listens() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port().to_string();
    drop(free);
    let output = gateway(&["healthcheck"], &[("PARLANCE__ADMIN__PORT", &port)]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("does not answer"), "{}", stderr(&output));
    assert_eq!(code(&gateway(&["healthcheck"], &[("PARLANCE__ADMIN__PORT", "0")])), 64);
}

#[test]
fn a_command_line_that_is_not_understood_is_a_usage_error() {
    assert_eq!(code(&gateway(&["--bogus"], &VALID)), 64);
    assert_eq!(code(&gateway(&["bogus"], &VALID)), 64);
    assert_eq!(code(&gateway(&["--help"], &[])), 0);
    assert_eq!(code(&gateway(&["--version"], &[])), 0);
}
