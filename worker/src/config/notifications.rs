//! `[notifications]`: how participants are notified of messages.

use std::time::Duration;

use parlance_chassis::config::{Invalid, Reader, Setting, parse};

const INTERVAL: Setting = Setting::new(
    "notifications.interval",
    "How often the worker looks for messages of which participants are to be notified.",
)
.default("250ms");

/// How participants are notified of messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotificationsSection {
    /// How often it is looked for something to do.
    pub interval: Duration,
}

impl NotificationsSection {
    /// What can be set here.
    pub const SETTINGS: &'static [Setting] = &[INTERVAL];

    /// Reads the section.
    ///
    /// # Errors
    /// When something in it is wrong.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let bounds = Duration::from_millis(10)..=Duration::from_secs(60);
        let interval = reader.require(&INTERVAL, parse::duration(bounds));
        Ok(Self { interval: interval? })
    }
}
