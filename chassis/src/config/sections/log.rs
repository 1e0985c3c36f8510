//! `[log]`: what is logged and how.

use crate::config::{Invalid, Problem, Raw, Reader, Setting, parse, well_known};
use crate::telemetry;

const FORMAT: Setting = Setting::new("log.format", "`text` for people, `json` for machines.").default("text");
const LEVEL: Setting = Setting::new(
    "log.level",
    "`error`, `warn`, `info`, `debug`, `trace`, or directives such as `info,parlance_gateway=debug`.",
)
.default("info")
.env(well_known::RUST_LOG);

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What is logged and how; see [`crate::telemetry::init`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSection {
    /// How lines look.
    pub format: LogFormat,
    /// A level or filter directives, checked.
    pub level: String,
}

impl LogSection {
    /// What can be set here.
    pub const SETTINGS: &'static [Setting] = &[FORMAT, LEVEL];

    /// Reads the section.
    ///
    /// # Errors
    /// When something in it is wrong.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let format =
            reader.require(&FORMAT, parse::word(&[("text", LogFormat::Text), ("json", LogFormat::Json)]));
        let level = reader.require(&LEVEL, directives);
        Ok(Self { format: format?, level: level? })
    }
}

fn directives(raw: &Raw) -> Result<String, Problem> {
    // A comma separates directives here, so an array of the file means the same.
    let text = raw.elements().join(",");
    match telemetry::filter(&text) {
        Ok(_) if !text.is_empty() => Ok(text),
        _ => Err(Problem::new("is not a level or a list of directives")
            .hint("write info, or info,parlance_gateway=debug")),
    }
}
