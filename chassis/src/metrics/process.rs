//! The state of the process, read from `/proc` when it is asked for, under the names that Prometheus' own client
//! libraries use. Where there is no `/proc` the metrics are missing.

use std::fmt::{Display, Write as _};
use std::fs;

use metrics::Unit;

use super::Metric;

/// The unit of times in `/proc`. Linux fixes what user space sees at 100 on every common architecture
/// (`USER_HZ`), and asking for it needs a C call.
const TICKS_PER_SECOND: f64 = 100.0;

const CPU: Metric =
    Metric::counter("process_cpu_seconds_total", "User and system CPU time spent", &[]).of(Unit::Seconds);
const THREADS: Metric = Metric::gauge("process_threads", "Threads of the process", &[]);
const START: Metric =
    Metric::gauge("process_start_time_seconds", "When the process started, in Unix time", &[])
        .of(Unit::Seconds);
const RESIDENT: Metric =
    Metric::gauge("process_resident_memory_bytes", "Memory that is resident", &[]).of(Unit::Bytes);
const OPEN_FDS: Metric = Metric::gauge("process_open_fds", "Open file descriptors", &[]);
const MAX_FDS: Metric = Metric::gauge(
    "process_max_fds",
    "File descriptors that may be open (`ulimit -n`); missing when there is no limit",
    &[],
);

/// What is read when `/metrics` is asked for; nothing records it.
pub const PROCESS: &[Metric] = &[CPU, RESIDENT, OPEN_FDS, MAX_FDS, THREADS, START];

/// Appends the metrics to a text in the Prometheus format.
pub(super) fn render_into(text: &mut String) {
    if let Ok(stat) = fs::read_to_string("/proc/self/stat")
        && let Some(stat) = Stat::parse(&stat)
    {
        line(text, &CPU, stat.cpu_ticks / TICKS_PER_SECOND);
        line(text, &THREADS, stat.threads);
        if let Some(boot) = fs::read_to_string("/proc/stat").ok().and_then(|stat| boot_time(&stat)) {
            line(text, &START, boot + stat.start_ticks / TICKS_PER_SECOND);
        }
    }
    if let Some(bytes) =
        fs::read_to_string("/proc/self/status").ok().and_then(|status| resident_bytes(&status))
    {
        line(text, &RESIDENT, bytes);
    }
    if let Ok(entries) = fs::read_dir("/proc/self/fd") {
        // One of them is the directory that is being read.
        line(text, &OPEN_FDS, entries.count().saturating_sub(1));
    }
    if let Some(most) = fs::read_to_string("/proc/self/limits").ok().and_then(|limits| most_fds(&limits)) {
        line(text, &MAX_FDS, most);
    }
}

fn line(text: &mut String, metric: &Metric, value: impl Display) {
    let Metric { name, kind, help, .. } = metric;
    // Writing to a string cannot fail.
    let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {}\n{name} {value}\n\n", kind.as_str());
}

/// What is read of `/proc/self/stat`; see proc_pid_stat(5).
#[derive(Debug, PartialEq)]
struct Stat {
    cpu_ticks: f64,
    threads: u64,
    start_ticks: f64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The second field is the command's name in parentheses, which may itself hold anything.
        let (_, fields) = text.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        let number = |index: usize| fields.get(index)?.parse::<f64>().ok(); // index = field number - 3
        Some(Self {
            cpu_ticks: number(11)? + number(12)?,
            threads: fields.get(17)?.parse().ok()?,
            start_ticks: number(19)?,
        })
    }
}

/// Seconds since the Unix epoch, from `/proc/stat`.
fn boot_time(stat: &str) -> Option<f64> {
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

fn resident_bytes(status: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// The soft limit; none when it is unlimited.
fn most_fds(limits: &str) -> Option<u64> {
    let values = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    values.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_past_a_hostile_command_name() {
        let text = "7 (a ) b) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 9 0 123456 1000 200 18446744073709551615";
        assert_eq!(Stat::parse(text), Some(Stat { cpu_ticks: 300.0, threads: 9, start_ticks: 123_456.0 }));
        assert_eq!(Stat::parse("7 (a) S 1"), None);
    }

    #[test]
    fn the_other_files_are_read() {
        assert_eq!(boot_time("cpu 1 2\nbtime 1700000000\n"), Some(1_700_000_000.0));
        assert_eq!(resident_bytes("VmPeak:\t 9 kB\nVmRSS:\t   12 kB\n"), Some(12_288));
        assert_eq!(
            most_fds("Max open files            1024                 4096                 files\n"),
            Some(1_024)
        );
        assert_eq!(
            most_fds("Max open files            unlimited            unlimited            files\n"),
            None
        );
    }

    #[test]
    fn this_process_is_described() {
        let mut text = String::new();
        render_into(&mut text);
        for metric in PROCESS.iter().filter(|metric| metric.name != MAX_FDS.name) {
            let prefix = format!("{} ", metric.name);
            let value = text.lines().find_map(|line| line.strip_prefix(&prefix));
            let value: f64 =
                value.unwrap_or_else(|| panic!("{prefix}is missing from {text}")).parse().unwrap();
            assert!(value >= 0.0, "{prefix}{value}");
        }
    }
}
