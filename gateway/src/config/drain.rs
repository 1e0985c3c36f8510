//! `[drain]`: how a gateway takes leave of its clients. How long all of that may take is `shutdown.drain_deadline`.

use std::time::Duration;

use parlance_chassis::config::{Invalid, Problem, Reader, Setting, parse, sections::ShutdownSection};

const ANNOUNCE: Setting = Setting::new(
    "drain.announce",
    "How long after SIGTERM the gateway still takes connections while `/ready` answers 503, so that load balancers which ask \
     there send nobody to it any more when it begins to close. Longer than their interval times the failures that they wait for; \
     0 where none asks. On Kubernetes a preStop hook waits instead.",
)
.default("0s");
const SPREAD: Setting = Setting::new(
    "drain.spread",
    "Over which time the clients' transports are closed then, in small groups, so that they do not all come to the other gateways \
     at once. Together with `drain.announce` shorter than `shutdown.drain_deadline`; 0 closes all at once.",
)
.default("10s");

/// How a gateway takes leave of its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrainSection {
    /// How long it is not ready and takes connections all the same.
    pub announce: Duration,
    /// Over which time transports are closed.
    pub spread: Duration,
}

impl DrainSection {
    /// What can be set here.
    pub const SETTINGS: &'static [Setting] = &[ANNOUNCE, SPREAD];

    /// Reads the section.
    ///
    /// # Errors
    /// When something in it is wrong.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let time = || parse::duration(Duration::ZERO..=Duration::from_secs(3_600));
        let announce = reader.require(&ANNOUNCE, time());
        let spread = reader.require(&SPREAD, time());
        Ok(Self { announce: announce?, spread: spread? })
    }

    /// Whether there is time for it before the deadline of the whole drain.
    ///
    /// # Errors
    /// When there is not.
    pub fn check(&self, shutdown: &ShutdownSection, reader: &mut Reader<'_>) -> Result<(), Invalid> {
        let (closing, deadline) = (self.announce + self.spread, shutdown.drain_deadline);
        if closing.is_zero() || closing < deadline {
            return Ok(());
        }
        let problem = Problem::new(format!(
            "leaves no time for what is still running: with drain.announce it makes {closing:?}, and shutdown.drain_deadline is \
             {deadline:?}"
        ));
        Err(reader.refuse(&SPREAD, problem.hint("make the two shorter, or shutdown.drain_deadline longer")))
    }
}
