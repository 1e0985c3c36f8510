//! The Prometheus recorder of the process, and the tables in which crates declare their metrics.
//!
//! What is measured stands in the crate that measures it: a `const` table of [`Metric`]s, recorded with the
//! macros of the `metrics` crate under `NAME.name`. What the table says ends up in `docs/`.

mod process;
mod reference;

use std::sync::{Mutex, PoisonError};

use metrics::Unit;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
pub use parlance_metric::{Kind, Metric};
pub use process::PROCESS;
pub use reference::{Section, reference};

/// Panics that ended a task without ending the process, by the task's name.
pub const TASK_PANICS: Metric =
    Metric::counter("parlance_task_panics_total", "Tasks that panicked, by the name of the task", &["task"]);
/// Which version this is.
pub const BUILD_INFO: Metric =
    Metric::gauge("parlance_build_info", "1, with the version of the program", &["version"]);
/// What `/ready` answers.
pub const READY: Metric = Metric::gauge("parlance_ready", "1 while `/ready` answers 200, else 0", &[]);
/// What stands against it.
pub const NOT_READY: Metric = Metric::gauge(
    "parlance_not_ready",
    "1 while this check has the process not ready, else 0, by the name of the check",
    &["check"],
);

/// The metrics that this crate records itself, apart from those of the process ([`PROCESS`]).
pub const METRICS: &[Metric] = &[BUILD_INFO, READY, NOT_READY, TASK_PANICS];

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
    metrics::gauge!(BUILD_INFO.name, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(handle)
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new()
        .set_buckets(COUNTS)?
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_bytes".to_owned()), BYTES)
}

/// Gives the metrics of a table their help texts. Call it after [`install`]. What has no labels starts to show, at
/// zero, so that an alert on it has something to compare with.
pub fn describe(table: &[Metric]) {
    for metric in table {
        let (unit, shows) = (metric.unit.unwrap_or(Unit::Count), metric.labels.is_empty());
        match metric.kind {
            Kind::Counter => {
                metrics::describe_counter!(metric.name, unit, metric.help);
                if shows {
                    metrics::counter!(metric.name).increment(0);
                }
            }
            Kind::Gauge => {
                metrics::describe_gauge!(metric.name, unit, metric.help);
                if shows {
                    // Not `set`: several servers of one process describe the same one.
                    metrics::gauge!(metric.name).increment(0.0);
                }
            }
            Kind::Histogram => {
                metrics::describe_histogram!(metric.name, unit, metric.help);
                if shows {
                    // A handle is enough for it to be given out, with nothing counted.
                    let _ = metrics::histogram!(metric.name);
                }
            }
        }
    }
}

/// Lets the counter of each of these values show, at zero: where the set is known, an increase from nothing to one is
/// seen as well.
pub fn start_counters(metric: &Metric, label: &'static str, values: impl IntoIterator<Item = &'static str>) {
    for value in values {
        metrics::counter!(metric.name, label => value).increment(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DURATION: Metric = Metric::seconds("chassis_test_duration_seconds", "A duration", &["result"]);
    const PAUSE: Metric = Metric::seconds("chassis_test_pause_seconds", "A pause", &[]);
    const EVENTS: Metric = Metric::counter("chassis_test_events_total", "Events", &[]);
    const LEVEL: Metric = Metric::gauge("chassis_test_level", "A level", &[]);
    const RESULTS: Metric = Metric::counter("chassis_test_results_total", "Results", &["result"]);

    #[test]
    fn installing_twice_hands_out_the_same_recorder() {
        let (first, second) = (install().unwrap(), install().unwrap());
        metrics::counter!("chassis_test_installed_total").increment(3);
        assert!(first.render().contains("chassis_test_installed_total 3"));
        assert!(second.render().contains("chassis_test_installed_total 3"));
    }

    #[test]
    fn described_metrics_have_help_and_buckets_in_seconds() {
        let handle = install().unwrap();
        describe(&[DURATION]);
        metrics::histogram!(DURATION.name, "result" => "ok").record(0.003);
        let text = handle.render();
        assert!(text.contains("# HELP chassis_test_duration_seconds A duration"), "{text}");
        assert!(text.contains(r#"chassis_test_duration_seconds_bucket{result="ok",le="0.005"} 1"#), "{text}");
        assert!(
            text.contains(r#"chassis_test_duration_seconds_bucket{result="ok",le="0.0025"} 0"#),
            "{text}"
        );
    }

    #[test]
    fn what_has_no_labels_shows_from_the_start_and_keeps_its_value() {
        let handle = install().unwrap();
        describe(&[EVENTS, LEVEL, PAUSE]);
        let text = handle.render();
        assert!(text.contains("chassis_test_events_total 0\n"), "{text}");
        assert!(text.contains("chassis_test_level 0\n"), "{text}");
        assert!(text.contains("chassis_test_pause_seconds_count 0\n"), "{text}");
        metrics::gauge!(LEVEL.name).set(3.0);
        describe(&[LEVEL]);
        assert!(handle.render().contains("chassis_test_level 3\n"));
    }

    #[test]
    fn counters_of_known_values_show_from_the_start() {
        let handle = install().unwrap();
        start_counters(&RESULTS, "result", ["ok", "failed"]);
        let text = handle.render();
        for result in ["ok", "failed"] {
            assert!(text.contains(&format!("chassis_test_results_total{{result=\"{result}\"}} 0")), "{text}");
        }
    }

    #[test]
    fn the_version_is_told() {
        let text = install().unwrap().render();
        let line = format!("parlance_build_info{{version=\"{}\"}} 1\n", env!("CARGO_PKG_VERSION"));
        assert!(text.contains(&line), "{text}");
    }

    #[test]
    fn names_end_in_their_unit() {
        for metric in METRICS {
            assert_eq!(metric.kind == Kind::Counter, metric.name.ends_with("_total"), "{}", metric.name);
        }
    }
}
