//! How a metric is declared: once, in a `const` table of the crate that records it.
//!
//! A crate of its own, so that what speaks to Redis or Postgres can declare what it measures without depending on
//! the plumbing of a process. Recording is done with the macros of the `metrics` crate; how a process gives its
//! metrics out is the chassis' business.
//!
//! Names end in their unit (`_seconds`, `_bytes`), which picks the buckets of a histogram; counters end in `_total`.

use metrics::Unit;

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

impl Kind {
    /// The word that Prometheus has for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

/// A metric as it is declared.
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

impl Metric {
    /// What only grows.
    pub const fn counter(name: &'static str, help: &'static str, labels: &'static [&'static str]) -> Self {
        Self { name, kind: Kind::Counter, unit: None, help, labels }
    }

    /// What goes up and down.
    pub const fn gauge(name: &'static str, help: &'static str, labels: &'static [&'static str]) -> Self {
        Self { name, kind: Kind::Gauge, unit: None, help, labels }
    }

    /// Durations, counted in buckets.
    pub const fn seconds(name: &'static str, help: &'static str, labels: &'static [&'static str]) -> Self {
        Self { name, kind: Kind::Histogram, unit: Some(Unit::Seconds), help, labels }
    }

    /// The same metric, counting this.
    pub const fn of(self, unit: Unit) -> Self {
        Self { name: self.name, kind: self.kind, unit: Some(unit), help: self.help, labels: self.labels }
    }
}
