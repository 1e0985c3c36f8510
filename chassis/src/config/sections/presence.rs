//! `[presence]`: for how long it is believed that a gateway lives, and who is connected to it.

use std::time::Duration;

use crate::config::{Invalid, Reader, Setting, parse};

const TTL: Setting = Setting::new(
    "presence.ttl",
    "How long the clients of a gateway still count as connected after it died. All processes must agree.",
)
.default("30s");
const LINGER: Setting = Setting::new(
    "presence.linger",
    "How long the clients of a gateway that ended in good order still count as connected, so that those who are back \
     on another one by then never went offline.",
)
.default("10s");
const SWEEP_INTERVAL: Setting = Setting::new(
    "presence.sweep_interval",
    "How often workers look for gateways that died, and for what is to be announced of their users.",
)
.default("1s");
const ANNOUNCED_MEMBERS: Setting = Setting::new(
    "presence.announced_members",
    "In a conversation with more users connected than this, nobody is told who comes, goes and changes status. All \
     processes must agree.",
)
.default("200");

/// For how long it is believed that a gateway lives, and who is connected to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresenceSection {
    /// After a gateway died.
    pub ttl: Duration,
    /// After a gateway ended; at most `ttl`.
    pub linger: Duration,
    /// How often workers look for dead gateways.
    pub sweep_interval: Duration,
    /// Up to how many users in a conversation are told of each other's coming and going.
    pub announced_members: u64,
}

impl PresenceSection {
    /// What can be set here.
    pub const SETTINGS: &'static [Setting] = &[TTL, LINGER, SWEEP_INTERVAL, ANNOUNCED_MEMBERS];

    /// Reads the section.
    ///
    /// # Errors
    /// When something in it is wrong.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let second = Duration::from_secs(1);
        let ttl = reader.require(&TTL, parse::duration(second..=second * 600));
        let linger = reader.require(&LINGER, parse::duration(Duration::ZERO..=second * 600));
        let sweeps = Duration::from_millis(100)..=second * 60;
        let sweep_interval = reader.require(&SWEEP_INTERVAL, parse::duration(sweeps));
        let announced_members = reader.require(&ANNOUNCED_MEMBERS, parse::number(0..=100_000));
        let ttl = ttl?;
        Ok(Self {
            ttl,
            linger: linger?.min(ttl),
            sweep_interval: sweep_interval?,
            announced_members: announced_members?,
        })
    }
}
