//! `[traces]`: where spans go, and of how many commands.

use crate::config::{Invalid, Reader, Setting, parse, well_known};

const ENDPOINT: Setting = Setting::new(
    "traces.endpoint",
    "Where traces are sent by OTLP over HTTP (protobuf): the base URL of an OpenTelemetry collector, such as \
     `http://collector:4318`; `/v1/traces` is added. Without it nothing is traced.",
)
.env(well_known::OTLP_ENDPOINT);
const SAMPLE_RATIO: Setting = Setting::new(
    "traces.sample_ratio",
    "Of which share of the commands traces are made, from 0 to 1. The gateway decides; whoever hands the event on or stores \
     it follows.",
)
.default("0.01");

/// Where spans go; see [`crate::traces`].
#[derive(Clone, Debug, PartialEq)]
pub struct TracesSection {
    /// The base URL of a collector; nothing is traced without one.
    pub endpoint: Option<url::Url>,
    /// From 0 to 1.
    pub sample_ratio: f64,
}

impl TracesSection {
    /// What can be set here.
    pub const SETTINGS: &'static [Setting] = &[ENDPOINT, SAMPLE_RATIO];

    /// Reads the section.
    ///
    /// # Errors
    /// When something in it is wrong.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let endpoint = reader.optional(&ENDPOINT, parse::url(&["http", "https"]));
        let sample_ratio = reader.require(&SAMPLE_RATIO, parse::number(0.0..=1.0));
        Ok(Self { endpoint: endpoint?, sample_ratio: sample_ratio? })
    }
}
