//! What reaches standard error, seen from outside: the test starts this test binary again for the ignored test
//! that plays the process, because a process has one subscriber and one panic hook.

use std::process::Command;

use parlance_chassis::config::sections::{LogFormat, LogSection};
use parlance_chassis::lifecycle::Lifecycle;
use parlance_chassis::telemetry;

use crate::support::{AMPLE, end, failure};

async fn panicking() -> Result<(), std::convert::Infallible> {
    panic!("boom")
}

#[tokio::test]
#[ignore = "started by the test of this module"]
async fn process_with_a_panic() {
    let settings = LogSection { format: LogFormat::Json, level: "info".to_owned() };
    telemetry::init(&settings).unwrap();
    assert!(telemetry::init(&settings).is_err(), "logging starts once");
    tracing::debug!("below the level");
    let lifecycle = Lifecycle::without_signals();
    lifecycle.handle().spawn("consumer", panicking());
    assert_eq!(end(lifecycle, AMPLE).await, failure());
}

#[test]
fn a_panic_is_logged_with_its_place_and_the_name_of_the_task() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "logging::process_with_a_panic", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let log = String::from_utf8(output.stderr).unwrap();
    let line = |message: &str| -> serde_json::Value {
        let mut lines = log.lines().filter_map(|line| serde_json::from_str(line).ok());
        lines
            .find(|line: &serde_json::Value| line["message"] == message)
            .unwrap_or_else(|| panic!("{message}: {log}"))
    };
    let panicked = line("panicked");
    assert_eq!((&panicked["level"], &panicked["panic"]), (&"ERROR".into(), &"boom".into()));
    assert!(panicked["location"].as_str().unwrap().contains("logging.rs"), "{panicked}");
    assert_eq!(line("task panicked")["task"], "consumer");
    assert_eq!(line("stopped")["code"], 1);
    assert!(!log.contains("below the level"), "{log}");
}
