//! `[calls]`: when a call is ended that nobody ends.

use std::time::Duration;

use parlance_chassis::config::{Invalid, Reader, Setting, parse};

const RING_TIMEOUT: Setting =
    Setting::new("calls.ring_timeout", "How long a call rings before it counts as missed.").default("45s");
const MAX_DURATION: Setting = Setting::new(
    "calls.max_duration",
    "How long after its first answer a call is ended that nobody has ended.",
)
.default("12h");

/// When a call is ended that nobody ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallsSection {
    /// How long a call rings.
    pub ring_timeout: Duration,
    /// How long a call goes on after its first answer.
    pub max_duration: Duration,
}

impl CallsSection {
    /// What can be set here.
    pub const SETTINGS: &'static [Setting] = &[RING_TIMEOUT, MAX_DURATION];

    /// Reads the section.
    ///
    /// # Errors
    /// When something in it is wrong.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let rings = Duration::from_millis(100)..=Duration::from_secs(3_600);
        let ring_timeout = reader.require(&RING_TIMEOUT, parse::duration(rings));
        let durations = Duration::from_millis(100)..=Duration::from_secs(7 * 24 * 3_600);
        let max_duration = reader.require(&MAX_DURATION, parse::duration(durations));
        Ok(Self { ring_timeout: ring_timeout?, max_duration: max_duration? })
    }
}
