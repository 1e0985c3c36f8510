//! The Prometheus recorder of the process, and the tables in which crates declare their metrics.
//!
//! What is measured stands in the crate that measures it: a `const` table of [`Metric`]s, recorded with the
//! macros of the `metrics` crate under `NAME.name`. Names end in their unit (`_seconds`, `_bytes`), which picks
//! the buckets of a histogram; counters end in `_total`.

mod process;

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use metrics::Unit;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// What a metric does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations in buckets.
    Histogram,
}

/// A metric as it is declared: once, in a table of the crate that records it.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// The name on `/metrics`.
    pub name: &'static str,
    /// What it does.
    pub kind: Kind,
    /// What it counts, when that is seconds, bytes or the like.
    pub unit: Option<Unit>,
    /// What it says, for an operator.
    pub help: &'static str,
    /// The names of its labels. Their values must come from small, fixed sets.
    pub labels: &'static [&'static str],
}

/// Panics that ended a task without ending the process, by the task's name.
pub const TASK_PANICS: Metric = Metric {
    name: "parlance_task_panics_total",
    kind: Kind::Counter,
    unit: None,
    help: "Tasks that panicked, by the name of the task",
    labels: &["task"],
};

/// The metrics that this crate records itself, apart from those of the process (`process_…`).
pub const METRICS: &[Metric] = &[TASK_PANICS];

const SECONDS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
const BYTES: &[f64] =
    &[64.0, 256.0, 1024.0, 4096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0, 4_194_304.0, 16_777_216.0];
const COUNTS: &[f64] =
    &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0];

/// The recorder cannot be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The buckets were refused.
    #[error("failed to build the metrics recorder: {0}")]
    Build(BuildError),
    /// Something else than [`install`] has installed a recorder in this process.
    #[error("another metrics recorder is already installed")]
    Foreign,
}

/// Gives out what was recorded; a cheap handle.
#[derive(Clone, Debug)]
pub struct MetricsHandle(PrometheusHandle);

impl MetricsHandle {
    /// Everything recorded and the state of the process, in the Prometheus text format.
    pub fn render(&self) -> String {
        let mut text = self.0.render();
        process::render_into(&mut text);
        text
    }

    /// Folds raw histogram samples into their buckets. Without it and without scrapes they pile up; the admin
    /// listener calls it every few seconds.
    pub fn upkeep(&self) {
        self.0.run_upkeep();
    }
}

/// Installs the recorder of the process, or hands out the one that this function installed before: several
/// servers in one process (in tests) share it.
///
/// # Errors
/// When a recorder from elsewhere is in place.
pub fn install() -> Result<MetricsHandle, InstallError> {
    static INSTALLED: Mutex<Option<MetricsHandle>> = Mutex::new(None);
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = installed.as_ref() {
        return Ok(handle.clone());
    }
    let recorder = builder().map_err(InstallError::Build)?.build_recorder();
    let handle = MetricsHandle(recorder.handle());
    metrics::set_global_recorder(recorder).map_err(|_| InstallError::Foreign)?;
    *installed = Some(handle.clone());
    describe(METRICS);
    Ok(handle)
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new()
        .set_buckets(COUNTS)?
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_bytes".to_owned()), BYTES)
}

/// Gives the metrics of a table their help texts. Call it after [`install`]. Counters without labels start to
/// show at zero, so that an alert on them has something to compare with.
pub fn describe(table: &[Metric]) {
    for metric in table {
        let unit = metric.unit.unwrap_or(Unit::Count);
        match metric.kind {
            Kind::Counter => {
                metrics::describe_counter!(metric.name, unit, metric.help);
                if metric.labels.is_empty() {
                    metrics::counter!(metric.name).increment(0);
                }
            }
            Kind::Gauge => metrics::describe_gauge!(metric.name, unit, metric.help),
            Kind::Histogram => metrics::describe_histogram!(metric.name, unit, metric.help),
        }
    }
}

/// The tables as a Markdown table, for the reference documentation.
pub fn reference(tables: &[&[Metric]]) -> String {
    let mut text = String::from("| Metric | Kind | Labels | What it says |\n| --- | --- | --- | --- |\n");
    for metric in tables.iter().copied().flatten() {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let kind = format!("{:?}", metric.kind).to_lowercase();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| `{}` | {kind} | {} | {} |", metric.name, labels.join(", "), metric.help);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const DURATION: Metric = Metric {
        name: "chassis_test_duration_seconds",
        kind: Kind::Histogram,
        unit: Some(Unit::Seconds),
        help: "A duration",
        labels: &["result"],
    };
    const EVENTS: Metric = Metric {
        name: "chassis_test_events_total",
        kind: Kind::Counter,
        unit: None,
        help: "Events",
        labels: &[],
    };

    #[test]
    fn installing_twice_hands_out_the_same_recorder() {
        let (first, second) = (install().unwrap(), install().unwrap());
        metrics::counter!("chassis_test_installed_total").increment(3);
        assert!(first.render().contains("chassis_test_installed_total 3"));
        assert!(second.render().contains("chassis_test_installed_total 3"));
    }

    #[test]
    fn described_metrics_have_help_and_buckets_in_seconds_and_counters_start_at_zero() {
        let handle = install().unwrap();
        describe(&[DURATION, EVENTS]);
        metrics::histogram!(DURATION.name, "result" => "ok").record(0.003);
        let text = handle.render();
        assert!(text.contains("# HELP chassis_test_duration_seconds A duration"), "{text}");
        assert!(text.contains(r#"chassis_test_duration_seconds_bucket{result="ok",le="0.005"} 1"#), "{text}");
        assert!(
            text.contains(r#"chassis_test_duration_seconds_bucket{result="ok",le="0.0025"} 0"#),
            "{text}"
        );
        assert!(text.contains("chassis_test_events_total 0"), "{text}");
    }

    #[test]
    fn names_end_in_their_unit() {
        for metric in METRICS {
            assert_eq!(metric.kind == Kind::Counter, metric.name.ends_with("_total"), "{}", metric.name);
        }
    }

    #[test]
    fn reference_lists_every_metric() {
        let text = reference(&[&[DURATION], &[EVENTS]]);
        assert!(
            text.contains("| `chassis_test_duration_seconds` | histogram | `result` | A duration |\n"),
            "{text}"
        );
        assert!(text.ends_with("| `chassis_test_events_total` | counter |  | Events |\n"), "{text}");
    }
}
