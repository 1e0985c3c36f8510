//! The shared sections together, as a binary reads them.

use std::time::Duration;

use super::*;
use crate::config::{ConfigErrors, Environment, Invalid, Reader, Schema, Sources, read};

struct All {
    log: LogSection,
    admin: AdminSection,
    shutdown: ShutdownSection,
    redis: RedisSection,
    postgres: PostgresSection,
}

impl All {
    fn schema() -> Schema {
        Schema::new(&[
            LogSection::SETTINGS,
            AdminSection::SETTINGS,
            ShutdownSection::SETTINGS,
            RedisSection::SETTINGS,
            PostgresSection::SETTINGS,
        ])
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let log = LogSection::read(reader);
        let admin = AdminSection::read(reader);
        let shutdown = ShutdownSection::read(reader);
        let redis = RedisSection::read(reader);
        let postgres = PostgresSection::read(reader);
        Ok(Self { log: log?, admin: admin?, shutdown: shutdown?, redis: redis?, postgres: postgres? })
    }
}

const REQUIRED: [(&str, &str); 2] = [("REDIS_URL", "redis://h:6379"), ("DATABASE_URL", "postgres://u:p@h/d")];

fn all(environment: &[(&str, &str)]) -> Result<All, ConfigErrors> {
    let pairs = REQUIRED.iter().chain(environment).copied();
    read(&All::schema(), &Sources::new(None, Environment::from_pairs(pairs)), All::read)
}

fn refused(name: &str, value: &str) -> String {
    all(&[(name, value)]).err().unwrap_or_else(|| panic!("{name}={value} is accepted")).to_string()
}

#[test]
fn the_declarations_have_no_flaws() {
    assert_eq!(All::schema().flaws(), Vec::<String>::new());
}

#[test]
fn the_urls_are_all_that_must_be_set() {
    let all = all(&[]).unwrap();
    assert_eq!(all.log, LogSection { format: LogFormat::Text, level: "info".to_owned() });
    assert_eq!(all.admin, AdminSection { host: "127.0.0.1".to_owned(), port: 9_464 });
    assert_eq!(all.shutdown.drain_deadline, Duration::from_secs(30));
    assert_eq!((all.redis.prefix.as_str(), all.redis.partitions), ("parlance:", 16));
    assert_eq!(all.redis.command_deadline, Duration::from_secs(2));
    assert_eq!(all.redis.url.expose(), "redis://h:6379");
    assert_eq!((all.postgres.pool_size, all.postgres.statement_deadline), (10, Duration::from_secs(5)));
    assert_eq!(all.postgres.url.expose(), "postgres://u:p@h/d");

    let nothing = Sources::new(None, Environment::default());
    let missing = read(&All::schema(), &nothing, All::read).err().unwrap();
    let keys: Vec<_> = missing.0.iter().map(|mistake| mistake.key.as_str()).collect();
    assert_eq!(keys, ["redis.url", "postgres.url"]);
}

#[test]
fn values_out_of_bounds_are_refused() {
    for (name, value) in [
        ("PARLANCE__LOG__FORMAT", "xml"),
        ("RUST_LOG", "info,=x=y"),
        ("PARLANCE__ADMIN__HOST", "127.0.0.1:9464"),
        ("PARLANCE__ADMIN__PORT", "65536"),
        ("PARLANCE__SHUTDOWN__DRAIN_DEADLINE", "20"),
        ("PARLANCE__REDIS__PREFIX", "{tag}:"),
        ("PARLANCE__REDIS__PARTITIONS", "1025"),
        ("PARLANCE__REDIS__PARTITIONS", "0"),
        ("PARLANCE__REDIS__COMMAND_DEADLINE", "1ms"),
        ("PARLANCE__POSTGRES__POOL_SIZE", "0"),
        ("PARLANCE__POSTGRES__STATEMENT_DEADLINE", "1h"),
    ] {
        let told = refused(name, value);
        assert!(told.starts_with("1 mistake in"), "{told}");
        assert!(told.contains(&format!("(env:{name}): {value:?} ")), "{told}");
    }
}

#[test]
fn a_refused_url_does_not_show_its_password() {
    let told = refused("PARLANCE__REDIS__URL", "http://u:hunter2@h");
    assert!(!told.contains("hunter2"), "{told}");
    let bad = Sources::new(None, Environment::from_pairs([("REDIS_URL", "http://u:hunter2@h"), REQUIRED[1]]));
    let told = read(&All::schema(), &bad, All::read).err().unwrap().to_string();
    assert!(told.contains("redis.url (env:REDIS_URL)") && !told.contains("hunter2"), "{told}");
}

#[test]
fn a_level_of_the_usual_variable_is_taken() {
    assert_eq!(all(&[("RUST_LOG", "info, parlance=debug")]).unwrap().log.level, "info,parlance=debug");
}
