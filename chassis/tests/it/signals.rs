//! How signals end a process. Each test needs its signals for itself, so a process of its own: the test starts
//! this test binary again for the one ignored test that plays the process.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};

use parlance_chassis::lifecycle::Lifecycle;

use crate::support::{AMPLE, PATIENCE};

/// The process: it does not drain before the hard stop.
#[tokio::test]
#[ignore = "started by the tests of this module"]
async fn process_with_a_stubborn_request() {
    let lifecycle = Lifecycle::new().unwrap();
    let handle = lifecycle.handle();
    let (soft, hard) = (handle.soft(), handle.hard());
    handle.spawn_request("stubborn", async move {
        println!("\nstarted");
        soft.cancelled().await;
        println!("\nsoft");
        hard.cancelled().await;
        println!("\nhard");
    });
    assert_eq!(lifecycle.run(AMPLE).await, ExitCode::SUCCESS);
}

/// The process: it says when it is asked to read its files again.
#[tokio::test]
#[ignore = "started by the tests of this module"]
async fn process_that_reloads() {
    let lifecycle = Lifecycle::reloading().unwrap();
    let handle = lifecycle.handle();
    let (soft, mut asked) = (handle.soft(), handle.reloads());
    handle.spawn_request("reloads", async move {
        println!("\nstarted");
        while let Some(Ok(())) = soft.run_until_cancelled(asked.changed()).await {
            println!("\nreload");
        }
    });
    assert_eq!(lifecycle.run(AMPLE).await, ExitCode::SUCCESS);
}

struct Process {
    child: Child,
    lines: std::sync::mpsc::Receiver<String>,
}

impl Process {
    fn start(test: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("signals::{test}"), "--ignored", "--nocapture"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, lines }
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    fn wait_for_line(&self, wanted: &str) {
        while self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no line {wanted}")) != wanted {}
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_first_signal_stops_softly_and_the_second_hard() {
    for (first, second) in [("TERM", "TERM"), ("INT", "TERM")] {
        let mut process = Process::start("process_with_a_stubborn_request");
        process.wait_for_line("started");
        process.signal(first);
        process.wait_for_line("soft");
        process.signal(second);
        process.wait_for_line("hard");
        assert!(process.child.wait().unwrap().success());
    }
}

#[test]
fn a_hangup_asks_for_a_reload_and_ends_nothing() {
    let mut process = Process::start("process_that_reloads");
    process.wait_for_line("started");
    for _ in 0..2 {
        process.signal("HUP");
        process.wait_for_line("reload");
    }
    process.signal("TERM");
    assert!(process.child.wait().unwrap().success());
}
