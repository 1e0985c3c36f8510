//! `[notifications]`: how participants are notified of messages.

use std::time::Duration;

use parlance_chassis::config::{Invalid, Reader, Setting, parse};

const INTERVAL: Setting = Setting::new(
    "notifications.interval",
    "How often the worker looks for messages of which participants are to be notified.",
)
.default("250ms");

const ACTIVITY_INTERVAL: Setting = Setting::new(
    "notifications.activity_interval",
    "How often the worker looks for conversations in which something happened, where a dialect tells participants of it \
     wherever they are. What happens in the meantime is told once.",
)
.default("100ms");

/// How participants are notified of messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotificationsSection {
    /// How often it is looked for something to do.
    pub interval: Duration,
    /// How often it is looked for conversations to tell of.
    pub activity_interval: Duration,
}

impl NotificationsSection {
    /// What can be set here.
    pub const SETTINGS: &'static [Setting] = &[INTERVAL, ACTIVITY_INTERVAL];

    /// Reads the section.
    ///
    /// # Errors
    /// When something in it is wrong.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let bounds = Duration::from_millis(10)..=Duration::from_secs(60);
        let interval = reader.require(&INTERVAL, parse::duration(bounds.clone()));
        let activity_interval = reader.require(&ACTIVITY_INTERVAL, parse::duration(bounds));
        Ok(Self { interval: interval?, activity_interval: activity_interval? })
    }
}
