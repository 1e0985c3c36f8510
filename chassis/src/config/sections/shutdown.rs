//! `[shutdown]`: how long a process may take to end.

use std::time::Duration;

use crate::config::{Invalid, Reader, Setting, parse};

const DRAIN_DEADLINE: Setting = Setting::new(
    "shutdown.drain_deadline",
    "How long what is running may take to finish after SIGTERM or SIGINT. The supervisor must wait some 5s longer.",
)
.default("30s");

/// How long a process may take to end; see [`crate::lifecycle::Lifecycle::run`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShutdownSection {
    /// How long the drain may take.
    pub drain_deadline: Duration,
}

impl ShutdownSection {
    /// What can be set here.
    pub const SETTINGS: &'static [Setting] = &[DRAIN_DEADLINE];

    /// Reads the section.
    ///
    /// # Errors
    /// When something in it is wrong.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let bounds = Duration::ZERO..=Duration::from_secs(3_600);
        let drain_deadline = reader.require(&DRAIN_DEADLINE, parse::duration(bounds));
        Ok(Self { drain_deadline: drain_deadline? })
    }
}
